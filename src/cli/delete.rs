//! `tekcron delete`: an App that was pushed, with its history.

use clap::Args;
use reqwest::StatusCode;

use super::agreed::agreed;
use super::error::CliError;
use super::output::say;
use super::reference;
use super::session::Session;
use crate::api::client::ClientError;

/// Arguments of `delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// Do not ask, and terminate what runs
    #[arg(short, long)]
    force: bool,
}

/// Deletes an App, and waits until it is gone.
pub(super) async fn run(args: &DeleteArgs, session: &Session) -> Result<(), CliError> {
    let app = &args.app;
    let what = format!("the App `{app}` with its jobs, tasks, logs and revisions");
    agreed(args.force, &what)?;
    let client = session.client()?;
    let mut deleted = client.delete_app(app, args.force).await?;
    while !deleted.gone {
        say(&format!("the App `{app}` goes when its tasks have ended; Ctrl-C ends only the wait"));
        deleted = match client.delete_app(app, args.force).await {
            // It went between the two.
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => break,
            answered => answered?,
        };
    }
    say(&format!("deleted the App `{app}`"));
    Ok(())
}
