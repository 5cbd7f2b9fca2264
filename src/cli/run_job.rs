//! `tekcron run-job`: a job, now.

use clap::Args;
use uuid::Uuid;

use super::error::CliError;
use super::reference;
use super::run_options::RunOptions;
use super::session::Session;
use super::wait;

/// Arguments of `run-job`.
#[derive(Debug, Args)]
pub(super) struct RunJobArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    #[command(flatten)]
    options: RunOptions,
}

/// Runs a job, and waits for its end where asked to. Gives the exit code.
pub(super) async fn run(args: RunJobArgs, session: &Session) -> Result<u8, CliError> {
    let client = session.client()?;
    let task = client.run_job(&args.job, &args.options.body(), Uuid::now_v7()).await?;
    wait::started(session, &client, task, &args.options).await
}
