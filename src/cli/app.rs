//! `tekcron app`: an App with its jobs, and where it was pushed with its revisions. Without a service the
//! configuration tells.

use clap::Args;

use super::error::CliError;
use super::output::{self, Format, OutputArgs};
use super::session::Session;
use super::{detail, offline, reference, revision};
use crate::api::client::Listing;
use crate::api::resources::AppResource;
use crate::api::resources::RevisionResource;

/// Arguments of `app`.
#[derive(Debug, Args)]
pub(super) struct AppArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// The newest revisions that are shown with their App.
const REVISIONS: usize = 10;

/// Shows an App.
pub(super) async fn run(args: &AppArgs, session: &Session) -> Result<(), CliError> {
    let format = args.output.output;
    let (app, revisions) = match ask(&args.app, format, session).await {
        Err(error) if session.is_down(&error) => (offline::app(session, &args.app)?, None),
        asked => asked?,
    };
    output::one(&app, format, |app| {
        let mut text = detail::app(app, session.now());
        if let Some(revisions) = &revisions {
            text.push('\n');
            text.push_str(&revision::table(revisions, format == Format::Wide, session.now()));
        }
        text
    })
}

/// The App; for people also its revisions.
async fn ask(
    name: &str,
    format: Format,
    session: &Session,
) -> Result<(AppResource, Option<Listing<RevisionResource>>), CliError> {
    let client = session.client()?;
    let app = client.app(name).await?;
    let revisions = match format {
        Format::Table | Format::Wide if app.stored => Some(client.revisions(name, REVISIONS).await?),
        _ => None,
    };
    Ok((app, revisions))
}
