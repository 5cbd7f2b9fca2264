//! `tekcron run-task`: a task on an App, by hand.

use clap::Args;
use uuid::Uuid;

use super::error::CliError;
use super::reference;
use super::run_options::RunOptions;
use super::session::Session;
use super::wait;

/// Arguments of `run-task`.
#[derive(Debug, Args)]
pub(super) struct RunTaskArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    #[command(flatten)]
    options: RunOptions,
}

/// Runs a task, and waits for its end where asked to. Gives the exit code.
pub(super) async fn run(args: RunTaskArgs, session: &Session) -> Result<u8, CliError> {
    let client = session.client()?;
    let task = client.run_on_app(&args.app, &args.options.body(), Uuid::now_v7()).await?;
    wait::started(session, &client, task, &args.options).await
}
