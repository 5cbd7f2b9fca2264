//! `tekcron logs`: the log of a task, as `cf logs` and `kf logs` print it.

use clap::Args;

use super::error::CliError;
use super::session::Session;
use super::{reference, wait};
use crate::api::client::{Client, LogQuery, TaskRef, TasksOf};
use crate::api::resources::TaskResource;

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// The task, by number or name; the newest where none is given
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "", value_parser = which)]
    task: Option<Which>,
    /// Only the last N lines
    #[arg(short = 'n', long = "lines", value_name = "N")]
    lines: Option<u64>,
    /// Print what is there and end (the default)
    #[arg(long, conflicts_with = "follow")]
    recent: bool,
    /// Print what comes, until the task has ended
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

/// Prints a log.
pub(super) async fn run(args: &LogsArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let task = match &args.task {
        None | Some(Which::Newest) => newest(&client, &args.app).await?,
        Some(Which::One(task)) => named(&client, &args.app, task).await?,
    };
    let query = LogQuery { tail: args.lines, follow: args.follow, timestamps: args.timestamps };
    wait::print_log(&client, &task, query).await
}

async fn newest(client: &Client, app: &str) -> Result<TaskResource, CliError> {
    let tasks = client.tasks(&TasksOf::App(app.to_owned()), None, 1).await?;
    tasks.items.into_iter().next().ok_or_else(|| CliError::NoTask { app: app.to_owned() })
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
