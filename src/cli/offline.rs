//! What the configuration alone tells, where no service runs: Apps, jobs and objects, but no task.

use std::io::{self, BufWriter, IsTerminal};

use jiff::Timestamp;

use super::args::Globals;
use super::check::{self, CheckArgs, CheckOutcome};
use super::cluster;
use super::error::CliError;
use super::exit_code;
use super::output::say;
use super::plan::{self, PlanArgs};
use super::render::{self, RenderArgs};
use super::session::Session;
use crate::api::client::Listing;
use crate::api::resources::{AppResource, JobResource, StoredJobResource};
use crate::app::{App, AppName};
use crate::config::{self, Config, Stored, StoredApp, StoredJob};
use crate::hint::nearest;
use crate::job::Steering;

/// `tekcron render`.
pub(super) fn render(args: &RenderArgs, globals: &Globals) -> Result<(), CliError> {
    Ok(render::run(args, &load(globals)?, &mut io::stdout().lock())?)
}

/// `tekcron plan`.
pub(super) async fn plan(args: &PlanArgs, session: &Session) -> Result<u8, CliError> {
    if let Some([old, new]) = args.diff.as_deref() {
        let overrides = session.globals.overrides()?;
        let (old, new) = (config::load(old, &overrides)?, config::load(new, &overrides)?);
        let mut out = BufWriter::new(io::stdout().lock());
        let differ = plan::run_difference(args, &old, &new, session.now(), &mut out)?;
        return Ok(if differ && args.exit_code { exit_code::FAILURE } else { exit_code::SUCCESS });
    }
    let config = load_with_stored(session).await?;
    plan::run(args, &config, session.now(), &mut BufWriter::new(io::stdout().lock()))?;
    Ok(exit_code::SUCCESS)
}

/// `tekcron check`. Problems have been said when this returns.
pub(super) fn check(args: &CheckArgs, session: &Session) -> Result<u8, CliError> {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let globals = &session.globals;
    let overrides = globals.overrides()?;
    let outcome = check::run(args, globals.config(), &overrides, colour, session.now(), &mut out, &mut err);
    match outcome.map_err(CliError::Output)? {
        CheckOutcome::Sound if args.cluster => {
            drop((out, err));
            cluster::check(session)
        }
        CheckOutcome::Sound => Ok(exit_code::SUCCESS),
        CheckOutcome::Problems(_) => Ok(exit_code::USAGE),
    }
}

/// The Apps.
pub(super) fn apps(session: &Session, limit: usize) -> Result<Listing<AppResource>, CliError> {
    let config = load_aloud(session)?;
    let apps = config.apps.values().map(|app| app_resource(app, session.now()));
    Ok(first(apps, limit))
}

/// One App.
pub(super) fn app(session: &Session, name: &str) -> Result<AppResource, CliError> {
    let config = load_aloud(session)?;
    let app = config.apps.get(name).ok_or_else(|| no_app(&config, name))?;
    Ok(app_resource(app, session.now()))
}

/// The jobs of one App, or of all.
pub(super) fn jobs(
    session: &Session,
    app: Option<&str>,
    limit: usize,
) -> Result<Listing<JobResource>, CliError> {
    let config = load_aloud(session)?;
    if let Some(name) = app.filter(|name| !config.apps.contains_key(*name)) {
        return Err(no_app(&config, name));
    }
    let wanted = config.jobs().filter(|(owner, _)| app.is_none_or(|name| owner.name.as_str() == name));
    Ok(first(
        wanted.map(|(owner, job)| JobResource::new(owner, job, &Steering::default(), None, session.now())),
        limit,
    ))
}

pub(super) fn load(globals: &Globals) -> Result<Config, CliError> {
    Ok(config::load(globals.config(), &globals.overrides()?)?)
}

/// The configuration, with the Apps and jobs that a running service keeps beside it.
pub(super) async fn load_with_stored(session: &Session) -> Result<Config, CliError> {
    let config = load(&session.globals)?;
    match stored(session).await {
        Ok(stored) => Ok(config.with_stored(stored).0),
        Err(error) => {
            if !session.is_down(&error) {
                say(&format!("what was made by command is left out: {error}"));
            }
            Ok(config)
        }
    }
}

async fn stored(session: &Session) -> Result<Stored, CliError> {
    let client = session.client()?;
    let apps = client.stored_apps(usize::MAX).await?.items;
    let listed = client.stored_jobs(usize::MAX).await?.items;
    let job = |job: StoredJobResource| Some((job.name.parse().ok()?, StoredJob::from_toml(job.toml)));
    let mut stored = Stored { jobs: listed.into_iter().filter_map(job).collect(), ..Stored::default() };
    for app in apps.iter().filter(|app| !app.deleting) {
        let (Ok(name), Some((outline, revision))) = (app.name.parse(), StoredApp::outlined(&app.toml)) else {
            continue;
        };
        let name: AppName = name;
        stored.revisions.insert(name.clone(), [(revision.number, revision)].into());
        stored.apps.insert(name, outline);
    }
    Ok(stored)
}

fn load_aloud(session: &Session) -> Result<Config, CliError> {
    let config = load(&session.globals)?;
    say(&format!("no tekcron is running; this is what `{}` says", session.globals.config().display()));
    Ok(config)
}

fn first<T>(items: impl Iterator<Item = T>, limit: usize) -> Listing<T> {
    let mut items: Vec<_> = items.take(limit.saturating_add(1)).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    Listing { items, more }
}

fn no_app(config: &Config, name: &str) -> CliError {
    let nearest = nearest(name, config.apps.keys().map(ToString::to_string));
    CliError::NoApp { app: name.to_owned(), nearest }
}

fn app_resource(app: &App, now: Timestamp) -> AppResource {
    let jobs =
        app.jobs.values().map(|job| JobResource::new(app, job, &Steering::default(), None, now)).collect();
    AppResource::new(app, jobs, None, &[])
}
