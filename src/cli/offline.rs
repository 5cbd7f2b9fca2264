//! What the configuration alone tells, where no service runs: Apps, jobs and objects, but no task.

use std::io::{self, IsTerminal};

use jiff::Timestamp;

use super::args::Globals;
use super::check::{self, CheckArgs, CheckOutcome};
use super::error::CliError;
use super::exit_code;
use super::output::say;
use super::render::{self, RenderArgs};
use super::session::Session;
use crate::api::client::Listing;
use crate::api::resources::{AppResource, JobResource, ScheduleResource};
use crate::app::{App, Timeout};
use crate::config::{self, Config};
use crate::job::{Job, JobRef};
use crate::schedule::Schedule;

/// `tekcron render`.
pub(super) fn render(args: &RenderArgs, globals: &Globals) -> Result<(), CliError> {
    Ok(render::run(args, &load(globals)?, &mut io::stdout().lock())?)
}

/// `tekcron check`. Problems have been said when this returns.
pub(super) fn check(args: &CheckArgs, globals: &Globals) -> Result<u8, CliError> {
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let overrides = globals.overrides()?;
    let outcome = check::run(args, globals.config(), &overrides, colour, &mut out, &mut err);
    match outcome.map_err(CliError::Output)? {
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
    Ok(first(wanted.map(|(owner, job)| job_resource(owner, job, session.now())), limit))
}

fn load(globals: &Globals) -> Result<Config, CliError> {
    Ok(config::load(globals.config(), &globals.overrides()?)?)
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
    let rated = config.apps.keys().map(|app| (strsim::jaro_winkler(app.as_str(), name), app));
    let near = rated.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    CliError::NoApp { app: name.to_owned(), nearest: near.map(|(_, app)| app.to_string()) }
}

fn app_resource(app: &App, now: Timestamp) -> AppResource {
    AppResource {
        name: app.name.to_string(),
        image: app.image.clone(),
        path: app.path.as_ref().map(|path| path.display().to_string()),
        command: app.command.as_ref().map(ToString::to_string),
        cpu: app.resources.cpu.map(|cpu| cpu.to_string()),
        memory: app.resources.memory.map(|memory| memory.to_string()),
        disk: app.resources.disk.map(|disk| disk.to_string()),
        timeout_seconds: match app.timeout {
            Timeout::None => None,
            Timeout::After(limit) => Some(limit.as_secs()),
        },
        env: app.env.keys().cloned().collect(),
        services: app.services.iter().map(ToString::to_string).collect(),
        keep: app.retention.keep,
        state: app.state,
        jobs: app.jobs.values().map(|job| job_resource(app, job, now)).collect(),
        last_task: None,
        caveats: Vec::new(),
    }
}

fn job_resource(app: &App, job: &Job, now: Timestamp) -> JobResource {
    let schedules: Vec<_> = job.schedules.iter().map(|schedule| schedule_resource(schedule, now)).collect();
    JobResource {
        name: JobRef::new(app.name.clone(), job.name.clone()).to_string(),
        app: app.name.to_string(),
        command: job.command.as_ref().or(app.command.as_ref()).map(ToString::to_string),
        next: schedules.iter().filter_map(|schedule| schedule.next).min(),
        schedules,
        overlap: job.overlap.to_string(),
        last_task: None,
    }
}

fn schedule_resource(schedule: &Schedule, now: Timestamp) -> ScheduleResource {
    ScheduleResource {
        key: schedule.key.to_string(),
        cron: schedule.recurrence.expression().to_string(),
        timezone: schedule.recurrence.timezone().to_string(),
        dst: schedule.recurrence.dst().to_string(),
        catch_up: schedule.catch_up.to_string(),
        next: schedule.recurrence.next_after(now),
    }
}
