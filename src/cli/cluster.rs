//! Verbs that speak to the cluster themselves: `tekcron check --cluster` and `tekcron release`.

use clap::Args;

use super::entry::online;
use super::error::CliError;
use super::exit_code;
use super::output::say;
use super::render::{self, RenderError};
use super::session::Session;
use crate::config::{self, Config};
use crate::executor::pipeline_run::{self, PipelineRun};
use crate::executor::tekton::{self, TektonOptions};
use crate::task::TaskName;

/// Arguments of `release`.
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// Names of PipelineRuns that nobody waits for any more
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    names: Vec<TaskName>,
    /// All PipelineRuns of this instance in its namespace
    #[arg(long)]
    all: bool,
}

/// `tekcron check --cluster`, after the configuration was found sound.
pub(super) fn check(session: &Session) -> Result<u8, CliError> {
    let config = load(session)?;
    let mut runs = Vec::new();
    for app in config.apps.values() {
        let jobs = app.jobs.keys().map(Some);
        for job in std::iter::once(None).chain(jobs) {
            let task = render::placeholder(&config, app.name.clone(), job.cloned());
            let of = job.map_or_else(|| app.name.to_string(), |job| format!("{}.{job}", app.name));
            // An App without a command is run with one that is given by hand.
            if let Ok(run) = pipeline_run::build(&config, &task, None) {
                runs.push((of, run));
            }
        }
    }
    runs.extend(build(&config)?);
    let options = TektonOptions::of(&config.settings);
    let missing = online(async { Ok(tekton::check(&options, &runs, &session.clock).await?) })?;
    for what in &missing {
        say(&format!("error: {what}"));
    }
    match missing.is_empty() {
        true => {
            say("the cluster would take every task");
            if config.settings.build.is_none() {
                say(
                    "images can be pushed, and sources cannot: `[build]` in `tekcron.toml` says how they are built",
                );
            }
            Ok(exit_code::SUCCESS)
        }
        false => Ok(exit_code::FAILURE),
    }
}

/// The build of any App, where sources are built.
fn build(config: &Config) -> Result<Option<(String, PipelineRun)>, CliError> {
    if config.settings.build.is_none() {
        return Ok(None);
    }
    let app = "pushed".parse().expect("this is a DNS label");
    let config = render::with_app(config, &app)?;
    let task = render::placeholder(&config, app, None);
    let run = pipeline_run::build_source(&config, &task, &render::nothing()).map_err(RenderError::Build)?;
    Ok(Some(("[build]".to_owned(), run)))
}

/// `tekcron release`.
pub(super) fn release(args: &ReleaseArgs, session: &Session) -> Result<(), CliError> {
    let config = load(session)?;
    let options = TektonOptions::of(&config.settings);
    let names = (!args.all).then_some(args.names.as_slice());
    let released = online(async { Ok(tekton::release_by_hand(&options, names, &session.clock).await?) })?;
    for name in &released {
        say(&format!("released {name}: it goes when somebody deletes it"));
    }
    if released.is_empty() {
        say("no PipelineRun was held");
    }
    Ok(())
}

fn load(session: &Session) -> Result<Config, CliError> {
    Ok(config::load(session.globals.config(), &session.globals.overrides()?)?)
}
