//! `tekcron app`: an App and its jobs. Without a service the configuration tells.

use clap::Args;

use super::error::CliError;
use super::output::{self, OutputArgs};
use super::session::Session;
use super::{detail, offline, reference};
use crate::api::resources::AppResource;

/// Arguments of `app`.
#[derive(Debug, Args)]
pub(super) struct AppArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Shows an App.
pub(super) async fn run(args: &AppArgs, session: &Session) -> Result<(), CliError> {
    let app = match ask(&args.app, session).await {
        Err(error) if session.is_down(&error) => offline::app(session, &args.app)?,
        asked => asked?,
    };
    output::one(&app, args.output.output, |app| detail::app(app, session.now()))
}

async fn ask(name: &str, session: &Session) -> Result<AppResource, CliError> {
    Ok(session.client()?.app(name).await?)
}
