//! `tekcron jobs`: what runs, and when next. Without a service the configuration tells.

use clap::Args;
use jiff::Timestamp;

use super::error::CliError;
use super::output::{self, ListArgs};
use super::session::Session;
use super::table::{Column, NONE};
use super::{age, offline, reference, tasks};
use crate::api::client::Listing;
use crate::api::resources::{JobResource, ScheduleResource, TaskResource};

/// Arguments of `jobs`.
#[derive(Debug, Args)]
pub(super) struct JobsArgs {
    /// Only the jobs of this App
    #[arg(value_parser = reference::app)]
    app: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

/// Lists jobs.
pub(super) async fn run(args: &JobsArgs, session: &Session) -> Result<(), CliError> {
    let jobs = match ask(args, session).await {
        Err(error) if session.is_down(&error) => {
            offline::jobs(session, args.app.as_deref(), args.list.limit)?
        }
        asked => asked?,
    };
    output::list(&jobs, args.list.output.output, COLUMNS, session.now())
}

async fn ask(args: &JobsArgs, session: &Session) -> Result<Listing<JobResource>, CliError> {
    Ok(session.client()?.jobs(args.app.as_deref(), args.list.limit).await?)
}

/// Columns of a listing of jobs.
pub(super) const COLUMNS: &[Column<JobResource>] = &[
    Column::new("Name", |job, _| job.name.clone()),
    Column::new("Schedule", |job, _| schedules(job)),
    Column::new("Next", |job, now| job.next.map_or_else(|| NONE.to_owned(), |next| age::until(next, now))),
    Column::new("Last", |job, now| last(job.last_task.as_ref(), now)),
    Column::new("Succeeded", |job, _| last_succeeded(job.last_task.as_ref())),
    Column::wide("Timezone", |job, _| timezones(job)),
    Column::wide("Overlap", |job, _| job.overlap.clone()),
    Column::wide("Source", |job, _| source(job)),
    Column::wide("Command", |job, _| {
        job.command.as_ref().map_or_else(|| NONE.to_owned(), ToString::to_string)
    }),
];

/// Where the job stands.
pub(super) fn source(job: &JobResource) -> String {
    if job.stored { "created by command".to_owned() } else { job.file.clone() }
}

/// How long ago the last task was claimed.
pub(super) fn last(task: Option<&TaskResource>, now: Timestamp) -> String {
    task.map_or_else(|| NONE.to_owned(), |task| age::since(task.created, now))
}

/// How the last task went.
pub(super) fn last_succeeded(task: Option<&TaskResource>) -> String {
    task.map_or(NONE, tasks::succeeded).to_owned()
}

fn schedules(job: &JobResource) -> String {
    joined(job.schedules.iter().map(expression))
}

/// The expression, and what its `H` stands for.
pub(super) fn expression(schedule: &ScheduleResource) -> String {
    match &schedule.resolved {
        Some(resolved) => format!("{} ({resolved})", schedule.cron),
        None => schedule.cron.clone(),
    }
}

fn timezones(job: &JobResource) -> String {
    let mut zones: Vec<_> = job.schedules.iter().map(|schedule| schedule.timezone.clone()).collect();
    zones.dedup();
    joined(zones)
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    let parts: Vec<_> = parts.into_iter().collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join("; ") }
}
