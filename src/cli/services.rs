//! `tekcron services`: what Apps can bind.

use clap::Args;

use super::error::CliError;
use super::output::{self, ListArgs, Named};
use super::session::Session;
use super::table::{Column, NONE};
use crate::api::resources::ServiceResource;

/// Arguments of `services`.
#[derive(Debug, Args)]
pub(super) struct ServicesArgs {
    #[command(flatten)]
    list: ListArgs,
}

/// Lists services.
pub(super) async fn run(args: &ServicesArgs, session: &Session) -> Result<(), CliError> {
    let services = session.client()?.services(args.list.limit).await?;
    output::list(&services, args.list.output.output, COLUMNS, session.now())
}

impl Named for ServiceResource {
    const KIND: &'static str = "service";
    const PLURAL: &'static str = "services";
    fn name(&self) -> &str {
        &self.name
    }
}

const COLUMNS: &[Column<ServiceResource>] = &[
    Column::new("Name", |service, _| service.name.clone()),
    Column::new("Label", |service, _| service.label.clone()),
    Column::new("Apps", |service, _| listed(&service.apps)),
    Column::new("Source", |service, _| {
        if service.stored { "created by command" } else { "tekcron.toml" }.to_owned()
    }),
    Column::wide("Tags", |service, _| listed(&service.tags)),
    Column::wide("Credentials", |service, _| format!("{} {}", service.credentials, service.place)),
    Column::wide("By", |service, _| service.by.clone().unwrap_or_else(|| NONE.to_owned())),
];

fn listed(names: &[String]) -> String {
    if names.is_empty() { NONE.to_owned() } else { names.join(", ") }
}
