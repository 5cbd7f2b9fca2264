//! `tekcron apps`: the Apps. Without a service the configuration tells.

use clap::Args;

use super::error::CliError;
use super::output::{self, ListArgs};
use super::session::Session;
use super::table::{Column, NONE};
use super::{detail, jobs, offline};
use crate::api::client::Listing;
use crate::api::resources::AppResource;

/// Arguments of `apps`.
#[derive(Debug, Args)]
pub(super) struct AppsArgs {
    #[command(flatten)]
    list: ListArgs,
}

/// Lists Apps.
pub(super) async fn run(args: &AppsArgs, session: &Session) -> Result<(), CliError> {
    let apps = match ask(args, session).await {
        Err(error) if session.is_down(&error) => offline::apps(session, args.list.limit)?,
        asked => asked?,
    };
    output::list(&apps, args.list.output.output, COLUMNS, session.now())
}

async fn ask(args: &AppsArgs, session: &Session) -> Result<Listing<AppResource>, CliError> {
    Ok(session.client()?.apps(args.list.limit).await?)
}

const COLUMNS: &[Column<AppResource>] = &[
    Column::new("Name", |app, _| app.name.clone()),
    // No instance of an App ever runs: its tasks do.
    Column::new("State", |_, _| "stopped".to_owned()),
    Column::new("Memory", |app, _| or_none(app.memory.as_ref())),
    Column::new("Disk", |app, _| or_none(app.disk.as_ref())),
    Column::new("CPU", |app, _| or_none(app.cpu.as_ref())),
    Column::new("Jobs", |app, _| app.jobs.len().to_string()),
    Column::new("Last", |app, now| jobs::last(app.last_task.as_ref(), now)),
    Column::new("Succeeded", |app, _| jobs::last_succeeded(app.last_task.as_ref())),
    Column::wide("Source", |app, _| detail::source(app)),
    Column::wide("Image", |app, _| or_none(app.image.as_ref())),
    Column::wide("Path", |app, _| or_none(app.path.as_ref())),
    Column::wide("Services", |app, _| or_none(Some(&app.services.join(",")).filter(|text| !text.is_empty()))),
    Column::wide("Command", |app, _| or_none(app.command.as_ref().map(ToString::to_string).as_ref())),
];

fn or_none(text: Option<&String>) -> String {
    text.map_or(NONE, String::as_str).to_owned()
}
