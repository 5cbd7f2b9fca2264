//! `tekcron queue`: what waits to start, and for what; and the order changed, or one taken out.

use clap::{Args, Subcommand};

use super::error::CliError;
use super::output::{self, ListArgs, Named, OutputArgs, say};
use super::session::Session;
use super::table::{Column, NONE};
use super::{age, reference, tasks};
use crate::api::resources::QueueResource;
use crate::task::TaskId;

/// Arguments of `queue`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct QueueArgs {
    /// Only the tasks of this App
    #[arg(value_parser = reference::app)]
    app: Option<String>,
    #[command(flatten)]
    list: ListArgs,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Move a waiting task before all others
    Front(Which),
    /// Take a waiting task out; it ends as cancelled, and the row of its slot says so
    Drop(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// The task's name, or the App that the ID belongs to
    #[arg(value_name = "NAME|APP", value_parser = reference::task_or_app)]
    name_or_app: String,
    /// The task's number on that App
    #[arg(value_name = "ID", value_parser = reference::task_id, allow_negative_numbers = true)]
    id: Option<TaskId>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows what waits, or does with it what was asked.
pub(super) async fn run(args: &QueueArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    match &args.action {
        None => {
            let queue = client.queue(args.app.as_deref(), args.list.limit).await?;
            output::list(&queue, args.list.output.output, COLUMNS, session.now())
        }
        Some(Action::Front(which)) => {
            let task = client.front(&reference::task(&which.name_or_app, which.id)).await?;
            say(&format!("the task `{}` starts next, as far as its limits allow", task.name));
            tasks::show_one(&task, which.output.output, session.now())
        }
        Some(Action::Drop(which)) => {
            let task = client.drop_waiting(&reference::task(&which.name_or_app, which.id)).await?;
            say(&format!("the task `{}` was taken out of the queue, and will not start", task.name));
            tasks::show_one(&task, which.output.output, session.now())
        }
    }
}

impl Named for QueueResource {
    const KIND: &'static str = "task";
    const PLURAL: &'static str = "waiting tasks";
    fn name(&self) -> &str {
        &self.task.name
    }
}

const COLUMNS: &[Column<QueueResource>] = &[
    Column::new("Name", |entry, _| entry.task.name.clone()),
    Column::new("App", |entry, _| entry.task.app.clone()),
    Column::new("ID", |entry, _| entry.task.id.to_string()),
    Column::new("Age", |entry, now| age::since(entry.task.created, now)),
    Column::new("WaitsFor", |entry, _| entry.waits_for.clone()),
    Column::wide("Job", |entry, _| entry.task.job.clone().unwrap_or_else(|| NONE.to_owned())),
    Column::wide("Trigger", |entry, _| entry.task.trigger.to_string()),
    Column::wide("Scheduled", |entry, _| tasks::scheduled(&entry.task)),
    Column::wide("Group", |entry, _| entry.group.clone().unwrap_or_else(|| NONE.to_owned())),
];
