//! `tekcron terminate-task`: ends a task. One that has ended stays as it is.

use clap::Args;

use super::error::CliError;
use super::output::{OutputArgs, say};
use super::session::Session;
use super::{age, reference, tasks};
use crate::api::resources::{TaskResource, TerminateResult};
use crate::task::TaskId;

/// Arguments of `terminate-task`.
#[derive(Debug, Args)]
pub(super) struct TerminateTaskArgs {
    /// The task's name, or the App that the ID belongs to
    #[arg(value_name = "NAME|APP", value_parser = reference::task_or_app)]
    name_or_app: String,
    /// The task's number on that App
    #[arg(value_name = "ID", value_parser = reference::task_id, allow_negative_numbers = true)]
    id: Option<TaskId>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Asks for the end of a task.
pub(super) async fn run(args: &TerminateTaskArgs, session: &Session) -> Result<(), CliError> {
    let answer = session.client()?.terminate(&reference::task(&args.name_or_app, args.id)).await?;
    let task = &answer.task;
    say(&match answer.result {
        TerminateResult::Requested => format!("the task `{}` is being terminated", task.name),
        TerminateResult::Ended => format!("the task `{}` had not started, and never will", task.name),
        TerminateResult::AlreadyEnded => already_ended(task, session),
    });
    tasks::show_one(task, args.output.output, session.now())
}

fn already_ended(task: &TaskResource, session: &Session) -> String {
    let when = task.finished.map(|finished| format!(", {} ago", age::since(finished, session.now())));
    let when = when.unwrap_or_default();
    format!("the task `{}` had already ended ({}{when}); nothing was changed", task.name, task.phase)
}
