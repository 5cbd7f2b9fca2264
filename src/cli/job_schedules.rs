//! `tekcron job-schedules`: every schedule of every job, or of one.

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::output::{self, ListArgs, Named};
use super::session::Session;
use super::table::{Column, NONE};
use super::{jobs, reference};
use crate::api::client::Listing;
use crate::api::resources::{JobResource, ScheduleResource};

/// Arguments of `job-schedules`.
#[derive(Debug, Args)]
pub(super) struct JobSchedulesArgs {
    /// Only those of this job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

/// A schedule, and whose it is.
#[derive(Debug, Serialize)]
struct JobSchedule {
    job: String,
    #[serde(skip)]
    name: String,
    /// Where it stands.
    source: String,
    #[serde(flatten)]
    schedule: ScheduleResource,
}

impl Named for JobSchedule {
    const KIND: &'static str = "schedule";
    const PLURAL: &'static str = "schedules";
    fn name(&self) -> &str {
        &self.name
    }
}

const COLUMNS: &[Column<JobSchedule>] = &[
    Column::new("Job", |row, _| row.job.clone()),
    Column::new("Schedule", |row, _| row.schedule.cron.clone()),
    Column::new("Timezone", |row, _| row.schedule.timezone.clone()),
    Column::new("Next", |row, _| row.schedule.next.map_or_else(|| NONE.to_owned(), |next| next.to_string())),
    Column::new("Key", |row, _| row.schedule.key.clone()),
    Column::wide("DST", |row, _| row.schedule.dst.clone()),
    Column::wide("CatchUp", |row, _| row.schedule.catch_up.clone()),
    Column::wide("Source", |row, _| row.source.clone()),
];

/// Lists schedules.
pub(super) async fn run(args: &JobSchedulesArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let jobs = match &args.job {
        Some(job) => Listing { items: vec![client.job(job).await?], more: false },
        // A job without schedules takes no line.
        None => client.jobs(None, usize::MAX).await?,
    };
    let mut items: Vec<_> = jobs.items.into_iter().flat_map(schedules).take(args.list.limit + 1).collect();
    let more = items.len() > args.list.limit;
    items.truncate(args.list.limit);
    output::list(&Listing { items, more }, args.list.output.output, COLUMNS, session.now())
}

fn schedules(job: JobResource) -> impl Iterator<Item = JobSchedule> {
    let source = jobs::source(&job);
    job.schedules.into_iter().map(move |schedule| JobSchedule {
        job: job.name.clone(),
        name: format!("{}/{}", job.name, schedule.key),
        source: source.clone(),
        schedule,
    })
}
