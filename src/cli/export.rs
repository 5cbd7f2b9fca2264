//! `tekcron export`: the jobs that were created by command, as they would stand in files.

use clap::Args;

use super::error::CliError;
use super::output::{print, say};
use super::reference;
use super::session::Session;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Only the jobs of this App, or this job
    #[arg(value_name = "APP[.JOB]", value_parser = reference::app_or_job)]
    which: Option<String>,
}

/// Prints jobs as TOML.
pub(super) async fn run(args: &ExportArgs, session: &Session) -> Result<(), CliError> {
    let jobs = session.client()?.stored_jobs(usize::MAX).await?.items;
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
    print(&text)
}
