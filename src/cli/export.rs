//! `tekcron export`: what was made by command, as it would stand in files.

use clap::Args;

use super::error::CliError;
use super::output::{print, say};
use super::reference;
use super::session::Session;
use crate::api::resources::{StoredAppResource, StoredJobResource};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// This App with its jobs, or this job; without it all jobs
    #[arg(value_name = "APP[.JOB]", value_parser = reference::app_or_job)]
    which: Option<String>,
}

/// Prints an App or jobs as TOML.
pub(super) async fn run(args: &ExportArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let jobs = client.stored_jobs(usize::MAX).await?.items;
    let apps = client.stored_apps(usize::MAX).await?.items;
    if let Some(app) = apps.iter().find(|app| args.which.as_deref() == Some(&app.name)) {
        let jobs = jobs.iter().filter(|job| job.app == app.name);
        return print(&file_of(app, jobs));
    }
    let wanted =
        |name: &str, app: &str| args.which.as_deref().is_none_or(|which| which == name || which == app);
    let mut text = String::new();
    for job in jobs.iter().filter(|job| wanted(&job.name, &job.app)) {
        let place = job.file.clone().unwrap_or_else(|| format!("a file of the App `{}`", job.app));
        let rests = if job.runs { "" } else { "; it rests" };
        text.push_str(&format!("# `{}`, for {place}{rests}\n{}\n", job.name, job.toml.trim_end()));
        text.push('\n');
    }
    match text.is_empty() {
        true => say("no job was created by command"),
        false => say(
            "each stands at the end of its App's file; then `tekcron delete-job JOB` removes the one that was created by command",
        ),
    }
    if args.which.is_none() && !apps.is_empty() {
        say(&format!("`tekcron export APP` prints an App that was pushed; there are {}", apps.len()));
    }
    print(&text)
}

/// The whole file of an App that was pushed.
fn file_of<'a>(app: &StoredAppResource, jobs: impl Iterator<Item = &'a StoredJobResource>) -> String {
    let mut text = String::new();
    if let Some(file) = &app.file {
        text.push_str(&format!("# it rests: `{file}` has an App of that name\n"));
    }
    for line in app.services.lines() {
        text.push_str(&format!("# {line}\n"));
    }
    if !app.services.is_empty() {
        text.insert_str(0, "# in `tekcron.toml`:\n");
        text.push('\n');
        say("the settings' file needs the services that the first lines name");
    }
    text.push_str(&app.toml);
    for job in jobs {
        text.push_str(&format!("\n{}\n", job.toml.trim_end()));
    }
    say(&format!(
        "stands as a file in `apps`; then `tekcron delete {}` removes the App that was pushed, and its jobs there",
        app.name
    ));
    text
}
