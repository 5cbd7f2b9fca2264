//! `tekcron status`: whether everything that should have run, has run; and what has not.

use clap::Args;
use jiff::Timestamp;

use super::error::CliError;
use super::output::{self, Format, OutputArgs};
use super::session::Session;
use super::table::{self, Column, NONE};
use super::{age, exit_code};
use crate::api::resources::{BreachResource, StatusResource};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows what is wrong. Returns the exit code.
pub(super) async fn run(args: &StatusArgs, session: &Session) -> Result<u8, CliError> {
    let status = session.client()?.status().await?;
    output::print(&text(&status, args.output.output, session.now()))?;
    if matches!(args.output.output, Format::Table | Format::Wide) {
        output::say(&said(&status));
    }
    Ok(if status.ok { exit_code::SUCCESS } else { exit_code::FAILURE })
}

fn text(status: &StatusResource, format: Format, now: Timestamp) -> String {
    match format {
        Format::Json => output::json(status),
        Format::Yaml => output::yaml(status),
        Format::Name => status.breaches.iter().map(|breach| format!("job/{}\n", breach.job)).collect(),
        Format::Table | Format::Wide if status.ok => String::new(),
        Format::Table | Format::Wide => {
            table::listing(COLUMNS, &status.breaches, format == Format::Wide, now)
        }
    }
}

fn said(status: &StatusResource) -> String {
    match (status.watched, status.breaches.len()) {
        (0, _) => "no job is watched\nhint: `late_after`, `max_since_success` or `max_runtime` in a job has it watched".to_owned(),
        (watched, 0) => format!("all that should have run, has run; watched jobs: {watched}"),
        (watched, broken) => format!("broken promises: {broken}; watched jobs: {watched}"),
    }
}

const COLUMNS: &[Column<BreachResource>] = &[
    Column::new("Job", |breach, _| breach.job.clone()),
    Column::new("Breach", |breach, _| breach.kind.clone()),
    Column::new("For", |breach, now| age::since(breach.since, now)),
    Column::new("What", |breach, _| breach.what.clone()),
    Column::new("Do", |breach, _| breach.hint.clone()),
    Column::wide("Since", |breach, _| breach.since.to_string()),
    Column::wide("Task", |breach, _| breach.task.map_or_else(|| NONE.to_owned(), |task| task.to_string())),
];
