//! `tekcron token`: the token that opens the service.

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use super::connection;
use super::error::CliError;
use super::output::{self, say};
use super::session::Session;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a new token; the old one opens nothing from then on
    ///
    /// The service writes the new token to the file `token` in its data directory, where the next command on
    /// that machine finds it. It is printed only where the old one came from TEKCRON_TOKEN or a file of
    /// your own.
    Rotate,
}

/// Rotates the token.
pub(super) async fn run(args: &TokenArgs, session: &Session) -> Result<(), CliError> {
    match args.action {
        Action::Rotate => rotate(session).await,
    }
}

async fn rotate(session: &Session) -> Result<(), CliError> {
    let token = session.client()?.rotate_token().await?;
    say("the token was rotated; the old one opens nothing any more");
    match connection::token_in_data_dir(&session.globals) {
        Some(path) => say(&format!("the new one is in `{}`", path.display())),
        None => output::print(&format!("{}\n", token.expose_secret()))?,
    }
    Ok(())
}
