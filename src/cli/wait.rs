//! `--wait` and `--follow`: from a task that was started to its end.
//!
//! The program ends as the task did ([`exit_code::of_task`]). Ctrl-C ends only the wait. A service that
//! is away for a while, as in a restart, is waited for, since tasks outlive it.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::CliError;
use super::exit_code;
use super::output::{self, say};
use super::run_options::RunOptions;
use super::session::Session;
use super::{age, table, tasks};
use crate::api::client::{Client, TaskRef, TasksOf};
use crate::api::resources::TaskResource;
use crate::executor::LogQuery;
use crate::hint;
use crate::task::Phase;

/// How long the service is asked to hold its answer.
const HELD: Duration = Duration::from_secs(60);

/// The pause between two questions, where the service did not hold its answer.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// How long the service may be away.
const PATIENCE: Duration = Duration::from_secs(120);

/// A retry is among so many of the newest tasks of its job.
const RETRY_WITHIN: usize = 20;

/// What follows the start of `task`. Gives the exit code.
pub(super) async fn started(
    session: &Session,
    client: &Client,
    task: TaskResource,
    options: &RunOptions,
) -> Result<u8, CliError> {
    if !options.wait && !options.follow {
        show(session, &task, options)?;
        return Ok(exit_code::SUCCESS);
    }
    let interrupt = signal(SignalKind::interrupt()).map_err(CliError::Start)?;
    say(&format!(
        "waiting for the task `{}` ({} {}); Ctrl-C ends only the wait",
        task.name, task.app, task.id
    ));
    let watched = async {
        if options.follow {
            let query = LogQuery { follow: true, ..LogQuery::default() };
            print_log(session, client, &task, query).await?;
        }
        until_end(session, &task).await
    };
    let lost_sight = |source| CliError::LostSight { task: task.name.clone(), source: Box::new(source) };
    let Some(ended) = unless_interrupted(interrupt, watched).await.transpose().map_err(lost_sight)? else {
        say(&format!("no longer waiting; the task `{}` goes on", task.name));
        return Ok(exit_code::INTERRUPTED);
    };
    if !options.follow {
        show(session, &ended, options)?;
    }
    say(&in_words(&ended));
    if let Some(retry) = retry_of(session, &ended).await {
        say(&announced(&retry, session.now()));
    }
    Ok(exit_code::of_task(&ended))
}

fn show(session: &Session, task: &TaskResource, options: &RunOptions) -> Result<(), CliError> {
    tasks::show_one(task, options.output.output, session.now())
}

pub(super) async fn unless_interrupted<T>(
    mut interrupt: Signal,
    watched: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        ended = watched => Some(ended),
        _ = interrupt.recv() => None,
    }
}

/// The task when it has ended.
async fn until_end(session: &Session, task: &TaskResource) -> Result<TaskResource, CliError> {
    let which = TaskRef::Id { app: task.app.clone(), id: task.id };
    let mut last_seen = session.clock.monotonic();
    loop {
        let asked = session.clock.monotonic();
        match ask(session, &which).await {
            Ok(task) if task.phase.is_terminal() => return Ok(task),
            Ok(_) => last_seen = session.clock.monotonic(),
            Err(error) if may_pass(&error, last_seen, session) => {}
            Err(error) => return Err(error),
        }
        if session.clock.monotonic() - asked < PAUSE {
            session.clock.sleep(PAUSE).await;
        }
    }
}

async fn ask(session: &Session, which: &TaskRef) -> Result<TaskResource, CliError> {
    Ok(session.client()?.task(which, Some(HELD)).await?)
}

/// Whether what went wrong is no reason to stop, with a service that was last seen then.
pub(super) fn may_pass(error: &CliError, last_seen: Duration, session: &Session) -> bool {
    is_passing(error) && session.clock.monotonic() - last_seen < PATIENCE
}

/// Whether the service may be back in a while.
fn is_passing(error: &CliError) -> bool {
    match error {
        CliError::Client(error) => error.is_passing(),
        CliError::Connection(super::connection::ConnectionError::NotRunning { .. }) => true,
        _ => false,
    }
}

/// The next attempt at what `ended` failed to do; it is recorded together with that end. A service that
/// does not tell is no failure: the end itself was seen.
async fn retry_of(session: &Session, ended: &TaskResource) -> Option<TaskResource> {
    let job = ended.job.clone()?;
    if !matches!(ended.phase, Phase::Failed | Phase::TimedOut | Phase::Lost) {
        return None;
    }
    let tasks = session.client().ok()?.tasks(&TasksOf::Job(job), None, RETRY_WITHIN).await.ok()?;
    let first = ended.first_attempt.unwrap_or(ended.id);
    tasks
        .items
        .into_iter()
        .find(|task| task.first_attempt == Some(first) && task.attempt == ended.attempt + 1)
}

fn announced(retry: &TaskResource, now: Timestamp) -> String {
    let when = retry.not_before.filter(|time| *time > now);
    let when = when.map(|time| format!(" at {time:.0} (in {})", age::until(time, now))).unwrap_or_default();
    let (app, id) = (&retry.app, retry.id);
    format!(
        "it is tried again as task {id}{when}\nhint: `tekcron logs {app} --task {id} --follow` shows that"
    )
}

/// Prints the log of `task` as it comes. Where a followed log breaks off, as in a restart of the service, it
/// goes on where it was when the service is back.
pub(super) async fn print_log(
    session: &Session,
    client: &Client,
    task: &TaskResource,
    query: LogQuery,
) -> Result<(), CliError> {
    // The last lines are counted from an end that moves: there is no place to go on from.
    let resumes = query.follow && query.tail.is_none();
    let mut printed = 0;
    let mut broken = match print_from(client, task, query, &mut printed).await {
        Err(CliError::Client(error)) if resumes && error.is_passing() => session.clock.monotonic(),
        done => return done,
    };
    loop {
        session.clock.sleep(PAUSE).await;
        let before = printed;
        let again = match session.client() {
            Ok(client) => print_from(&client, task, query, &mut printed).await,
            Err(error) => Err(error.into()),
        };
        if printed > before {
            broken = session.clock.monotonic();
        }
        match again {
            Err(error) if may_pass(&error, broken, session) => {}
            done => return done,
        }
    }
}

/// Prints the log behind its first `printed` bytes, and counts on.
async fn print_from(
    client: &Client,
    task: &TaskResource,
    query: LogQuery,
    printed: &mut usize,
) -> Result<(), CliError> {
    let mut skip = *printed;
    let mut pieces = pin!(client.logs(&task.app, task.id, query).await?);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        let new = &piece[skip.min(piece.len())..];
        skip -= piece.len() - new.len();
        output::print_bytes(new)?;
        *printed += new.len();
    }
    Ok(())
}

/// How a task ended: as in ``the task `etl-…` failed after 2s (exit code 3): …``.
fn in_words(task: &TaskResource) -> String {
    let how = match task.phase {
        Phase::TimedOut => "timed out".to_owned(),
        Phase::Cancelled => "was terminated".to_owned(),
        Phase::Lost => "was lost".to_owned(),
        phase => phase.to_string(),
    };
    let after = task.finished.and_then(|finished| age::duration(task, finished));
    let after = after.map(|span| format!(" after {span}")).unwrap_or_default();
    // A success has nothing to explain; an end on purpose neither.
    let failed = !matches!(task.phase, Phase::Succeeded | Phase::Cancelled);
    let (why, hint) = task.message.as_deref().filter(|_| failed).map(hint::split).unwrap_or_default();
    let why = table::printable(why);
    let code = task.exit_code.filter(|_| failed && !why.contains("exit code"));
    let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let hint = hint.map(|hint| format!("\nhint: {}", table::printable(hint))).unwrap_or_default();
    format!("the task `{}` {how}{after}{code}{why}{hint}", task.name)
}
