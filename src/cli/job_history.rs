//! `tekcron job-history`: the tasks of a job, newest first.

use clap::Args;

use super::error::CliError;
use super::output::{self, ListArgs};
use super::session::Session;
use super::table::{Column, NONE};
use super::{age, reference, tasks};
use crate::api::client::TasksOf;
use crate::api::resources::TaskResource;
use crate::hint;

/// Arguments of `job-history`.
#[derive(Debug, Args)]
pub(super) struct JobHistoryArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    #[command(flatten)]
    list: ListArgs,
}

/// Lists the tasks of a job.
pub(super) async fn run(args: &JobHistoryArgs, session: &Session) -> Result<(), CliError> {
    let tasks = session.client()?.tasks(&TasksOf::Job(args.job.clone()), None, args.list.limit).await?;
    output::list(&tasks, args.list.output.output, COLUMNS, session.now())
}

const COLUMNS: &[Column<TaskResource>] = &[
    Column::new("Name", |task, _| task.name.clone()),
    Column::new("ID", |task, _| task.id.to_string()),
    Column::new("Scheduled", |task, _| tasks::scheduled(task)),
    Column::new("Trigger", |task, _| task.trigger.to_string()),
    Column::new("Attempt", |task, _| task.attempt.to_string()),
    Column::new("Age", |task, now| age::since(task.created, now)),
    Column::new("Duration", |task, now| age::duration(task, now).unwrap_or_else(|| NONE.to_owned())),
    Column::new("Succeeded", |task, _| tasks::succeeded(task).to_owned()),
    Column::new("Reason", |task, _| tasks::reason(task)),
    Column::wide("Phase", |task, _| task.phase.to_string()),
    Column::wide("ExitCode", |task, _| {
        task.exit_code.map_or_else(|| NONE.to_owned(), |code| code.to_string())
    }),
    Column::wide("Message", |task, _| {
        task.message.as_deref().map_or(NONE, |message| hint::split(message).0).to_owned()
    }),
];
