//! `tekcron reload`: the service reads its configuration again, as at SIGHUP.

use clap::Args;

use super::error::CliError;
use super::output::say;
use super::session::Session;

/// Arguments of `reload`.
#[derive(Debug, Args)]
pub(super) struct ReloadArgs {}

/// Asks for a reload, and says what came of it.
pub(super) async fn run(session: &Session) -> Result<(), CliError> {
    let reload = session.client()?.reload().await?;
    say(if reload.changed { "the configuration was reloaded" } else { "the configuration is unchanged" });
    Ok(())
}
