//! `tekcron update-user-provided-service`: other credentials under the same name.

use clap::{ArgGroup, Args};
use serde_json::Value;

use super::create_service::tags;
use super::credentials::credentials;
use super::error::CliError;
use super::output::say;
use super::reference;
use super::session::Session;
use crate::api::resources::ServiceEditBody;

/// Arguments of `update-user-provided-service`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["credentials", "secret", "tags"]).required(true).multiple(true)))]
pub(super) struct UpdateServiceArgs {
    /// The service
    #[arg(value_parser = reference::service)]
    service: String,
    /// Credentials in place of all of before: a JSON object, a file that holds one (`-` is stdin), or names, separated by commas, to be asked for
    #[arg(short = 'p', value_name = "CREDENTIALS")]
    credentials: Option<String>,
    /// A Secret of the cluster that has them
    #[arg(long, value_name = "SECRET", conflicts_with = "credentials")]
    secret: Option<String>,
    /// Tags in place of all of before, separated by commas
    #[arg(short = 't', value_name = "TAGS", value_delimiter = ',')]
    tags: Option<Vec<String>>,
}

/// Changes a service.
pub(super) async fn run(args: &UpdateServiceArgs, session: &Session) -> Result<(), CliError> {
    let body = ServiceEditBody {
        credentials: args.credentials.as_deref().map(credentials).transpose()?.map(Value::Object),
        secret: args.secret.clone(),
        label: None,
        tags: args.tags.as_deref().map(tags),
    };
    let service = session.client()?.update_service(&args.service, &body).await?;
    let whose = match service.apps.as_slice() {
        [] => "no App binds it".to_owned(),
        apps => format!("for the next tasks of {}", apps.join(", ")),
    };
    say(&format!("changed the service `{}`, {whose}", service.name));
    Ok(())
}
