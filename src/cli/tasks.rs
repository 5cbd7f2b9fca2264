//! `tekcron tasks`: tasks, newest first, in the columns of `kf tasks`.

use clap::Args;
use jiff::Timestamp;

use super::error::CliError;
use super::output::{self, Format, ListArgs};
use super::session::Session;
use super::table::{self, Column, NONE};
use super::{age, reference};
use crate::api::client::TasksOf;
use crate::api::resources::TaskResource;
use crate::task::Phase;

/// Arguments of `tasks`.
#[derive(Debug, Args)]
pub(super) struct TasksArgs {
    /// Only the tasks of this App
    #[arg(value_parser = reference::app)]
    app: Option<String>,
    /// Only tasks in this phase, as in `running` or `failed`
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    phase: Option<Phase>,
    #[command(flatten)]
    list: ListArgs,
}

fn phase(text: &str) -> Result<Phase, String> {
    text.parse().map_err(|_| {
        let known = Phase::ALL.map(|phase| format!("`{phase}`")).join(", ");
        format!("expected one of {known}, found `{text}`")
    })
}

/// Lists tasks.
pub(super) async fn run(args: &TasksArgs, session: &Session) -> Result<(), CliError> {
    let whose = args.app.clone().map_or(TasksOf::All, TasksOf::App);
    let tasks = session.client()?.tasks(&whose, args.phase, args.list.limit).await?;
    output::list(&tasks, args.list.output.output, COLUMNS, session.now())
}

/// Writes one task as a listing of one, or as an object for programs.
pub(super) fn show_one(task: &TaskResource, format: Format, now: Timestamp) -> Result<(), CliError> {
    output::one(task, format, |task| table::listing(COLUMNS, [task], format == Format::Wide, now))
}

const COLUMNS: &[Column<TaskResource>] = &[
    Column::new("Name", |task, _| task.name.clone()),
    Column::new("ID", |task, _| task.id.to_string()),
    Column::new("DisplayName", |task, _| task.display_name.clone()),
    Column::new("Age", |task, now| age::since(task.created, now)),
    Column::new("Duration", |task, now| age::duration(task, now).unwrap_or_else(|| NONE.to_owned())),
    Column::new("Succeeded", |task, _| succeeded(task).to_owned()),
    Column::new("Reason", |task, _| reason(task)),
    Column::wide("App", |task, _| task.app.clone()),
    Column::wide("Job", |task, _| task.job.clone().unwrap_or_else(|| NONE.to_owned())),
    Column::wide("Phase", |task, _| task.phase.to_string()),
    Column::wide("Trigger", |task, _| task.trigger.to_string()),
    Column::wide("Attempt", |task, _| task.attempt.to_string()),
    Column::wide("Scheduled", |task, _| scheduled(task)),
    Column::wide("ExitCode", |task, _| {
        task.exit_code.map_or_else(|| NONE.to_owned(), |code| code.to_string())
    }),
];

/// The state of the condition `Succeeded`, as Kubernetes writes it.
pub(super) fn succeeded(task: &TaskResource) -> &'static str {
    match task.phase {
        Phase::Succeeded => "True",
        phase if phase.is_terminal() => "False",
        _ => "Unknown",
    }
}

/// One word for where the task is.
pub(super) fn reason(task: &TaskResource) -> String {
    if task.terminating.is_some() && !task.phase.is_terminal() {
        return "Terminating".to_owned();
    }
    task.reason.clone().unwrap_or_else(|| task.phase.to_string())
}

/// The nominal time of its slot.
pub(super) fn scheduled(task: &TaskResource) -> String {
    task.scheduled.map_or_else(|| NONE.to_owned(), |slot| slot.to_string())
}
