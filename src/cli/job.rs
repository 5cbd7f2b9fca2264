//! `tekcron job`: a job, its schedules, and what it did last.

use clap::Args;

use super::error::CliError;
use super::output::{self, OutputArgs};
use super::session::Session;
use super::{detail, reference};

/// Arguments of `job`.
#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows a job.
pub(super) async fn run(args: &JobArgs, session: &Session) -> Result<(), CliError> {
    let job = session.client()?.job(&args.job).await?;
    output::one(&job, args.output.output, |job| detail::job(job, session.now()))
}
