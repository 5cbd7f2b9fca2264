//! `tekcron run-job`: a job, now.

use clap::Args;
use uuid::Uuid;

use super::error::CliError;
use super::reference;
use super::run_options::RunOptions;
use super::session::Session;
use super::wait;
use crate::api::resources::RunBody;
use crate::schedule::Overlap;

/// Arguments of `run-job`.
#[derive(Debug, Args)]
pub(super) struct RunJobArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// What happens while another run of the job is active: allow, skip, queue-one, queue-all,
    /// replace or replace-now
    #[arg(long, value_name = "POLICY", value_parser = overlap)]
    overlap: Option<Overlap>,
    #[command(flatten)]
    options: RunOptions,
}

fn overlap(text: &str) -> Result<Overlap, String> {
    text.parse::<Overlap>().map_err(|error| error.to_string())
}

/// Runs a job, and waits for its end where asked to. Gives the exit code.
pub(super) async fn run(args: RunJobArgs, session: &Session) -> Result<u8, CliError> {
    let client = session.client()?;
    let overlap = args.overlap.map(|overlap| overlap.to_string());
    let body = RunBody { overlap, ..args.options.body() };
    let task = client.run_job(&args.job, &body, Uuid::now_v7()).await?;
    wait::started(session, &client, task, &args.options).await
}
