//! `tekcron slots`: what became of each slot of a job, newest first.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::error::CliError;
use super::output::{self, Named, OutputArgs};
use super::session::Session;
use super::table::{Column, NONE};
use super::{age, moment, reference};
use crate::api::client::{Listing, SlotQuery};
use crate::api::resources::SlotResource;
use crate::store::Fate;

/// Arguments of `slots`.
#[derive(Debug, Args)]
pub(super) struct SlotsArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// Slots from this time on: RFC 3339, or a date or date and time in UTC
    #[arg(long, value_name = "TIME", value_parser = moment::in_utc, allow_hyphen_values = true)]
    from: Option<Timestamp>,
    /// Slots up to this time
    #[arg(long, value_name = "TIME", value_parser = moment::in_utc, allow_hyphen_values = true)]
    to: Option<Timestamp>,
    /// Only those that ended so: ran, caught-up, skipped or missed
    #[arg(long, value_name = "OUTCOME", value_parser = fate)]
    outcome: Option<Fate>,
    /// The most rows to show
    #[arg(short = 'n', long, value_name = "N", default_value = "50", value_parser = output::limit, allow_negative_numbers = true)]
    limit: usize,
    #[command(flatten)]
    output: OutputArgs,
}

fn fate(text: &str) -> Result<Fate, String> {
    text.parse::<Fate>().map_err(|error| error.to_string())
}

/// Lists slots.
pub(super) async fn run(args: &SlotsArgs, session: &Session) -> Result<(), CliError> {
    let query = SlotQuery { from: args.from, to: args.to, outcome: args.outcome, newest_first: true };
    let found = session.client()?.slots(&args.job, query, args.limit).await?;
    let rows = Listing { items: found.items.into_iter().map(Row::from).collect(), more: found.more };
    output::list(&rows, args.output.output, COLUMNS, session.now())
}

/// A row of the ledger, which is called by its job, schedule and first slot.
#[derive(Serialize)]
#[serde(transparent)]
struct Row {
    slot: SlotResource,
    #[serde(skip)]
    name: String,
}

impl From<SlotResource> for Row {
    fn from(slot: SlotResource) -> Self {
        Self { name: format!("{}/{}/{}", slot.job, slot.schedule, slot.first), slot }
    }
}

impl Named for Row {
    const KIND: &'static str = "slot";
    const PLURAL: &'static str = "slots";
    fn name(&self) -> &str {
        &self.name
    }
}

const COLUMNS: &[Column<Row>] = &[
    Column::new("Scheduled", |row, _| scheduled(&row.slot)),
    Column::new("Outcome", |row, _| row.slot.outcome.clone()),
    Column::new("Actual", |row, _| at(row.slot.actual)),
    Column::new("Late", |row, _| row.slot.lateness_ms.map_or_else(|| NONE.to_owned(), age::millis)),
    Column::new("Task", |row, _| row.slot.task.map_or_else(|| NONE.to_owned(), |task| task.to_string())),
    Column::new("Reason", |row, _| row.slot.why().unwrap_or_else(|| NONE.to_owned())),
    Column::wide("Claimed", |row, _| at(row.slot.claimed)),
    Column::wide("Schedule", |row, _| row.slot.schedule.clone()),
];

fn at(time: Option<Timestamp>) -> String {
    time.map_or_else(|| NONE.to_owned(), |time| format!("{time:.3}"))
}

fn scheduled(slot: &SlotResource) -> String {
    if slot.first == slot.last {
        return slot.first.to_string();
    }
    let count = slot.slots.map_or_else(String::new, |count| format!(" ({count} slots)"));
    format!("{} … {}{count}", slot.first, slot.last)
}
