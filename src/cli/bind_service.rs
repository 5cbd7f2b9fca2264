//! `tekcron bind-service` and `unbind-service`: which credentials an App's tasks get.

use clap::Args;

use super::error::CliError;
use super::output::say;
use super::reference;
use super::session::Session;
use super::steer::caller;
use crate::api::resources::BindBody;

/// Arguments of `bind-service` and `unbind-service`.
#[derive(Debug, Args)]
pub(super) struct BindServiceArgs {
    /// The App
    #[arg(value_parser = reference::app)]
    app: String,
    /// The service
    #[arg(value_parser = reference::service)]
    service: String,
}

/// Binds.
pub(super) async fn bind(args: &BindServiceArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let bound_before = client.app(&args.app).await?.services.contains(&args.service);
    let body = BindBody { service: args.service.clone(), by: caller() };
    let app = client.bind_service(&args.app, &body).await?;
    say(&match bound_before {
        true => format!("the App `{}` binds the service `{}` already", app.name, args.service),
        false => format!("the App `{}` binds the service `{}`, for its next tasks", app.name, args.service),
    });
    Ok(())
}

/// Unbinds.
pub(super) async fn unbind(args: &BindServiceArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let bound_before = client.app(&args.app).await?.services.contains(&args.service);
    let app = client.unbind_service(&args.app, &args.service).await?;
    say(&match bound_before {
        true => format!("the App `{}` no longer binds the service `{}`", app.name, args.service),
        false => format!("the App `{}` did not bind the service `{}`", app.name, args.service),
    });
    Ok(())
}
