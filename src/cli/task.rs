//! `tekcron task`: all that is known of one task.

use clap::Args;

use super::error::CliError;
use super::output::{self, OutputArgs};
use super::session::Session;
use super::{detail, reference};
use crate::task::TaskId;

/// Arguments of `task`.
#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    /// The task's name, or the App that the ID belongs to
    #[arg(value_name = "NAME|APP", value_parser = reference::task_or_app)]
    name_or_app: String,
    /// The task's number on that App
    #[arg(value_name = "ID", value_parser = reference::task_id, allow_negative_numbers = true)]
    id: Option<TaskId>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows a task.
pub(super) async fn run(args: &TaskArgs, session: &Session) -> Result<(), CliError> {
    let task = session.client()?.task(&reference::task(&args.name_or_app, args.id), None).await?;
    output::one(&task, args.output.output, |task| detail::task(task, session.now()))
}
