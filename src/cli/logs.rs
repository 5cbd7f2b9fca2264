//! `tekcron logs`: the log of a task, as `cf logs` and `kf logs` print it.
//!
//! Where no task is named it is the newest that has a log to show: not one that waits for its turn or for
//! a retry's time, unless that is what is followed. A task that was passed over, or has no log yet, is told.

use clap::Args;
use jiff::Timestamp;

use super::error::CliError;
use super::output::say;
use super::session::Session;
use super::{age, detail, reference, wait};
use crate::api::client::{Client, TaskRef, TasksOf};
use crate::api::resources::TaskResource;
use crate::executor::LogQuery;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// The task, by number or name; the newest that has started where none is given
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "", value_parser = which)]
    task: Option<Which>,
    /// Only the last N lines
    #[arg(short = 'n', long = "lines", value_name = "N", value_parser = number, allow_negative_numbers = true)]
    lines: Option<usize>,
    /// Print what is there; without --follow that is all (the default)
    #[arg(long)]
    recent: bool,
    /// Print what is there and what comes, until the task has ended
    #[arg(short, long)]
    follow: bool,
    /// Begin each line with its time
    #[arg(long)]
    timestamps: bool,
}

/// Which task of the App.
#[derive(Debug, Clone)]
enum Which {
    Newest,
    One(String),
}

fn which(text: &str) -> Result<Which, String> {
    match text {
        "" => Ok(Which::Newest),
        _ => reference::task_or_app(text).map(Which::One),
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("expected a number of lines, found `{text}`"))
}

/// Prints a log.
pub(super) async fn run(args: &LogsArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let task = match &args.task {
        None | Some(Which::Newest) => newest(&client, args, session.now()).await?,
        Some(Which::One(task)) => named(&client, &args.app, task).await?,
    };
    if task.started.is_none() && !task.phase.is_terminal() {
        let then = if args.follow { "its log follows when it has" } else { "there is no log yet" };
        say(&format!("{}; {then}", not_started(&task, session.now())));
    }
    if detail::log_was_removed(&task) {
        say(&format!("the log of task {} was removed", task.id));
    }
    let query = LogQuery { tail: args.lines, follow: args.follow, timestamps: args.timestamps };
    wait::print_log(session, &client, &task, query).await
}

/// So many of the newest tasks are looked at for one that has started.
const LOOKED_AT: usize = 20;

async fn newest(client: &Client, args: &LogsArgs, now: Timestamp) -> Result<TaskResource, CliError> {
    let tasks = client.tasks(&TasksOf::App(args.app.clone()), None, LOOKED_AT).await?.items;
    let started = tasks.iter().find(|task| task.started.is_some());
    match (tasks.first(), started) {
        (None, _) => Err(CliError::NoTask { app: args.app.clone() }),
        (Some(newest), _) if args.follow && !newest.phase.is_terminal() => Ok(newest.clone()),
        (Some(newest), Some(started)) if newest.id != started.id => {
            let (why, id) = (not_started(newest, now), started.id);
            say(&format!("{why}; this is the log of task {id}"));
            Ok(started.clone())
        }
        (Some(newest), _) => Ok(newest.clone()),
    }
}

fn not_started(task: &TaskResource, now: Timestamp) -> String {
    let due = task.not_before.filter(|time| *time > now);
    match due.map(|time| age::until(time, now)) {
        _ if task.phase.is_terminal() => format!("task {} never started", task.id),
        Some(span) => format!("task {} has not started yet: it is due in {span}", task.id),
        None => format!("task {} has not started yet", task.id),
    }
}

async fn named(client: &Client, app: &str, text: &str) -> Result<TaskResource, CliError> {
    let which = match text.parse() {
        Ok(id) => TaskRef::Id { app: app.to_owned(), id },
        Err(_) => TaskRef::Name(text.to_owned()),
    };
    let task = client.task(&which, None).await?;
    if task.app == app {
        return Ok(task);
    }
    Err(CliError::OtherApp { task: task.name, expected: app.to_owned(), found: task.app })
}
