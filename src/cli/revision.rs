//! Revisions of an App that was pushed: `tekcron rollback`, `tekcron restage`, and how the end of a new one is waited
//! for.
//!
//! The log of a build is printed as it comes, and its exit code is the program's. Ctrl-C ends only the wait: what
//! is built is built.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::error::CliError;
use super::output::say;
use super::session::Session;
use super::table::{Column, NONE, listing, printable};
use super::{age, exit_code, progress, reference, steer, wait};
use crate::api::client::{Listing, TaskRef};
use crate::api::resources::TaskResource;
use crate::api::resources::{RevisionResource, RevisionWord};
use crate::executor::LogQuery;
use crate::hint;
use crate::task::TaskId;

/// How long the service is asked to hold its answer about a revision that a task builds.
const HELD: Duration = Duration::from_secs(30);

/// How long, until it is known which task that is.
const LOOK: Duration = Duration::from_secs(1);

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// The revision to go back to, as `tekcron app` lists it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    revision: u32,
}

/// Arguments of `restage`.
#[derive(Debug, Args)]
pub(super) struct RestageArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// Do not wait for the build
    #[arg(long)]
    no_wait: bool,
}

/// Goes back to the code of an earlier revision.
pub(super) async fn rollback(args: &RollbackArgs, session: &Session) -> Result<u8, CliError> {
    let made = session.client()?.rollback(&args.app, args.revision, steer::caller().as_deref()).await?;
    self::made(session, &made, true).await
}

/// Builds the source once more.
pub(super) async fn restage(args: &RestageArgs, session: &Session) -> Result<u8, CliError> {
    let made = session.client()?.restage(&args.app, steer::caller().as_deref()).await?;
    self::made(session, &made, !args.no_wait).await
}

/// What follows a new revision. Gives the exit code.
pub(super) async fn made(session: &Session, made: &RevisionResource, waits: bool) -> Result<u8, CliError> {
    let (app, number) = (&made.app, made.number);
    if made.state != RevisionWord::Building {
        return Ok(told(made, None));
    }
    if !waits {
        say(&format!(
            "revision {number} of the App `{app}` is being built\nhint: `tekcron app {app}` shows what becomes of it"
        ));
        return Ok(exit_code::SUCCESS);
    }
    let interrupt = signal(SignalKind::interrupt()).map_err(CliError::Start)?;
    say(&format!("revision {number} of the App `{app}` is being built; Ctrl-C ends only the wait"));
    let lost = |source| CliError::LostRevision { app: app.clone(), number, source: Box::new(source) };
    match wait::unless_interrupted(interrupt, until_end(session, made)).await.transpose().map_err(lost)? {
        Some((ended, build)) => Ok(told(&ended, build.as_ref())),
        None => {
            say(&format!(
                "no longer waiting; the build goes on\nhint: `tekcron app {app}` shows what becomes of revision {number}"
            ));
            Ok(exit_code::INTERRUPTED)
        }
    }
}

/// The revision when it is no longer being built, and the task that built it. Prints the log meanwhile.
async fn until_end(
    session: &Session,
    made: &RevisionResource,
) -> Result<(RevisionResource, Option<TaskResource>), CliError> {
    let begun = session.clock.monotonic();
    let ticks = async {
        loop {
            let passed = (session.clock.monotonic() - begun).as_secs();
            progress::show(&format!("building revision {}: {passed}s", made.number));
            session.clock.sleep(wait::PAUSE).await;
        }
    };
    let ended = async {
        let mut revision = made.clone();
        while revision.build_task.is_none() && revision.state == RevisionWord::Building {
            revision = look(session, made, LOOK).await?;
        }
        if let Some(id) = revision.build_task {
            let client = session.client()?;
            let build = client.task(&task_of(made, id), None).await?;
            wait::print_log(session, &client, &build, LogQuery { follow: true, ..LogQuery::default() })
                .await?;
        }
        while revision.state == RevisionWord::Building {
            revision = look(session, made, HELD).await?;
        }
        let build = match revision.build_task {
            Some(id) => Some(session.client()?.task(&task_of(made, id), None).await?),
            None => None,
        };
        Ok((revision, build))
    };
    let ended = tokio::select! {
        biased;
        ended = ended => ended,
        never = ticks => never,
    };
    progress::clear();
    ended
}

fn task_of(revision: &RevisionResource, id: TaskId) -> TaskRef {
    TaskRef::Id { app: revision.app.clone(), id }
}

/// Asks for the revision. The service may be away for a while.
async fn look(
    session: &Session,
    made: &RevisionResource,
    held: Duration,
) -> Result<RevisionResource, CliError> {
    let asked = session.clock.monotonic();
    loop {
        let answered = async { Ok(session.client()?.revision(&made.app, made.number, held).await?) };
        match answered.await {
            Err(error) if wait::may_pass(&error, asked, session) => {}
            Ok(revision) => {
                let is_open = revision.state == RevisionWord::Building;
                // Not every service holds its answer.
                if is_open && session.clock.monotonic() - asked < LOOK {
                    session.clock.sleep(wait::PAUSE).await;
                }
                return Ok(revision);
            }
            Err(error) => return Err(error),
        }
        session.clock.sleep(wait::PAUSE).await;
    }
}

/// Says what became of a revision. Gives the exit code.
fn told(revision: &RevisionResource, build: Option<&TaskResource>) -> u8 {
    let (app, number) = (&revision.app, revision.number);
    match revision.state {
        RevisionWord::Ready => {
            let from =
                revision.from.map(|from| format!(", with the code of revision {from}")).unwrap_or_default();
            say(&format!(
                "revision {number} of the App `{app}` is ready{from}\nhint: `tekcron run-task {app} --follow` runs a task on it"
            ));
            exit_code::SUCCESS
        }
        RevisionWord::Building => exit_code::SUCCESS,
        RevisionWord::Failed => {
            let (why, hint) = revision.reason.as_deref().map(hint::split).unwrap_or_default();
            let why = if why.is_empty() { String::new() } else { format!(": {}", printable(why)) };
            let hint = hint.map_or_else(|| "what tasks run stays as it was".to_owned(), printable);
            say(&format!("revision {number} of the App `{app}` has failed{why}\nhint: {hint}"));
            build
                .map(exit_code::of_task)
                .filter(|code| *code != exit_code::SUCCESS)
                .unwrap_or(exit_code::FAILURE)
        }
    }
}

/// The revisions of an App, for people.
pub(super) fn table(revisions: &Listing<RevisionResource>, wide: bool, now: Timestamp) -> String {
    match revisions.items.is_empty() {
        true => "the App has no revisions\n".to_owned(),
        false => {
            let more = if revisions.more { "and older ones\n" } else { "" };
            format!("{}{more}", listing(COLUMNS, &revisions.items, wide, now))
        }
    }
}

const COLUMNS: &[Column<RevisionResource>] = &[
    Column::new("Revision", |revision, _| {
        let current = if revision.current { " (current)" } else { "" };
        format!("{}{current}", revision.number)
    }),
    Column::new("State", state),
    Column::new("Code", code),
    Column::new("By", |revision, _| revision.by.clone().unwrap_or_else(|| NONE.to_owned())),
    Column::new("Age", |revision, now| age::since(revision.created, now)),
    Column::new("Build", |revision, _| {
        revision.build_task.map_or_else(|| NONE.to_owned(), |task| format!("task {task}"))
    }),
    Column::wide("Source", |revision, _| revision.source.clone().unwrap_or_else(|| NONE.to_owned())),
    Column::wide("Image", |revision, _| revision.image.clone().unwrap_or_else(|| NONE.to_owned())),
    Column::wide("Created", |revision, _| revision.created.to_string()),
];

fn state(revision: &RevisionResource, _: Timestamp) -> String {
    match (revision.state, &revision.reason) {
        (RevisionWord::Building, _) => "building".to_owned(),
        (RevisionWord::Ready, _) => "ready".to_owned(),
        (RevisionWord::Failed, Some(reason)) => format!("failed: {}", hint::split(reason).0),
        (RevisionWord::Failed, None) => "failed".to_owned(),
    }
}

/// So many digits of a hash tell it from others.
const DIGITS: usize = 12;

fn beginning(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

/// Where the code comes from, and what was made of it.
fn code(revision: &RevisionResource, _: Timestamp) -> String {
    let source = revision.source.as_deref().map(|hash| format!("source {}", beginning(hash)));
    let image = revision.image.as_deref().map(|image| match image.split_once("@sha256:") {
        Some((name, digest)) => format!("image {name}@sha256:{}", beginning(digest)),
        None => format!("image {image}"),
    });
    let code: Vec<_> = source.into_iter().chain(image).collect();
    let from = revision.from.map(|from| format!(" (of revision {from})")).unwrap_or_default();
    if code.is_empty() { format!("{NONE}{from}") } else { format!("{}{from}", code.join(", ")) }
}
