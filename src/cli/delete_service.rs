//! `tekcron delete-service`: one that was created by command, with its credentials.

use clap::Args;

use super::agreed::agreed;
use super::error::CliError;
use super::output::say;
use super::reference;
use super::session::Session;

/// Arguments of `delete-service`.
#[derive(Debug, Args)]
pub(super) struct DeleteServiceArgs {
    /// The service
    #[arg(value_parser = reference::service)]
    service: String,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Deletes a service.
pub(super) async fn run(args: &DeleteServiceArgs, session: &Session) -> Result<(), CliError> {
    agreed(args.force, &format!("the service `{}` with its credentials", args.service))?;
    let service = session.client()?.delete_service(&args.service).await?;
    say(&format!("deleted the service `{}` and its credentials", service.name));
    Ok(())
}
