//! `tekcron rerun`: the slot of a task, or a run by hand, once more.

use clap::Args;
use uuid::Uuid;

use super::error::CliError;
use super::output::{OutputArgs, say};
use super::session::Session;
use super::{reference, tasks};
use crate::task::TaskId;

/// Arguments of `rerun`.
#[derive(Debug, Args)]
pub(super) struct RerunArgs {
    /// The App of the task
    #[arg(value_parser = reference::app)]
    app: String,
    /// The task's number on that App
    #[arg(value_name = "ID", value_parser = reference::task_id, allow_negative_numbers = true)]
    id: TaskId,
    #[command(flatten)]
    output: OutputArgs,
}

/// Asks for another run.
pub(super) async fn run(args: &RerunArgs, session: &Session) -> Result<(), CliError> {
    let task = session.client()?.rerun(&args.app, args.id, Uuid::now_v7()).await?;
    say(&match task.scheduled {
        Some(slot) => format!("the slot {slot} runs again as task {}", task.id),
        None => format!("the same runs again as task {}", task.id),
    });
    tasks::show_one(&task, args.output.output, session.now())
}
