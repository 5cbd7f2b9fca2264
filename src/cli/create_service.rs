//! `tekcron create-user-provided-service`: credentials under a name that Apps bind.

use clap::Args;
use serde_json::{Map, Value};

use super::credentials::credentials;
use super::error::CliError;
use super::output::say;
use super::reference;
use super::session::Session;
use super::steer::caller;
use crate::api::resources::ServiceBody;

/// Arguments of `create-user-provided-service`.
#[derive(Debug, Args)]
pub(super) struct CreateServiceArgs {
    /// What Apps bind it by
    #[arg(value_parser = reference::service)]
    name: String,
    /// Credentials: a JSON object, a file that holds one (`-` is stdin), or names, separated by commas, to be asked for
    #[arg(short = 'p', value_name = "CREDENTIALS")]
    credentials: Option<String>,
    /// A Secret of the cluster that has them
    #[arg(long, value_name = "SECRET", conflicts_with = "credentials")]
    secret: Option<String>,
    /// Tags for programs that look for their service by them, separated by commas
    #[arg(short = 't', value_name = "TAGS", value_delimiter = ',')]
    tags: Vec<String>,
}

/// Makes a service.
pub(super) async fn run(args: &CreateServiceArgs, session: &Session) -> Result<(), CliError> {
    let given = || args.credentials.as_deref().map_or(Ok(Map::new()), credentials);
    let body = ServiceBody {
        name: args.name.clone(),
        credentials: if args.secret.is_none() { Some(Value::Object(given()?)) } else { None },
        secret: args.secret.clone(),
        tags: tags(&args.tags),
        by: caller(),
        ..ServiceBody::default()
    };
    let service = session.client()?.create_service(&body).await?;
    say(&format!(
        "created the service `{}`; `tekcron bind-service APP {}` gives it to an App",
        service.name, service.name
    ));
    Ok(())
}

/// What `-t` says.
pub(super) fn tags(given: &[String]) -> Vec<String> {
    given.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}
