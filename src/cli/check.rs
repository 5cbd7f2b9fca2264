//! `tekcron check`: all that is wrong with a configuration, or with one App file. Needs no daemon.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;

use crate::config::{self, Checked, Config, SettingsOverrides};
use crate::job::JobRef;
use crate::schedule::Schedule;

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// A config directory, or one App file; without it the config directory of this call
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Ask the cluster too, without changing anything, what it lacks: rights, namespace, Secrets, service
    /// accounts; and whether it would take each task
    #[arg(long)]
    pub cluster: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The configuration can be used; there may be warnings.
    Sound,
    /// It cannot: so many things are wrong.
    Problems(usize),
}

/// Checks `args.path`, or `config_dir`. What is wrong goes to `err`, in colour where that is asked for; what
/// was found goes to `out`. Changes of the clocks after `now` are warned of.
///
/// # Errors
/// Where `out` or `err` cannot be written. Problems of the configuration are an outcome, not an error.
pub fn run(
    args: &CheckArgs,
    config_dir: &Path,
    overrides: &SettingsOverrides,
    colour: bool,
    now: Timestamp,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<CheckOutcome> {
    let Checked { config, problems } = look_at(args.path.as_deref().unwrap_or(config_dir), overrides, now);
    if !problems.is_empty() {
        writeln!(err, "{}", problems.report(colour))?;
    }
    match config {
        Some(config) => {
            hashes(&config, out)?;
            writeln!(out, "{}", found(&config))?;
            Ok(CheckOutcome::Sound)
        }
        None => Ok(CheckOutcome::Problems(problems.errors())),
    }
}

/// The settings alone mean little: their name stands for the whole configuration.
fn look_at(path: &Path, overrides: &SettingsOverrides, now: Timestamp) -> Checked {
    match (path.is_file(), path.ends_with("tekcron.toml")) {
        (true, true) => config::check(&beside(path), overrides, now),
        // What is neither a file nor a directory is refused as what it is.
        _ if path.exists() && !path.is_dir() => config::check_app(path, overrides, now),
        _ => config::check(path, overrides, now),
    }
}

fn beside(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// How many expressions with an `H` are shown.
const HASHES: usize = 20;

/// What `H` stands for, job by job.
fn hashes(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let all = config.jobs().flat_map(|(app, job)| {
        let hashed = |schedule: &Arc<Schedule>| {
            let expression = schedule.recurrence.expression();
            let resolved = expression.resolved()?;
            Some(format!("{}: `{expression}` is `{resolved}`", JobRef::of(app, job)))
        };
        job.schedules.iter().filter_map(hashed).collect::<Vec<_>>()
    });
    let mut all = all.into_iter();
    for line in all.by_ref().take(HASHES) {
        writeln!(out, "{line}")?;
    }
    match all.count() {
        0 => Ok(()),
        more => writeln!(out, "and {more} more with an `H`: `tekcron jobs` shows them all"),
    }
}

/// As in `config is sound: 2 Apps, 1 job, 3 schedules`.
fn found(config: &Config) -> String {
    let schedules = config.jobs().map(|(_, job)| job.schedules.len()).sum();
    let counted = [
        counted(config.apps.len(), "App"),
        counted(config.jobs().count(), "job"),
        counted(schedules, "schedule"),
    ];
    format!("no problems: {}", counted.join(", "))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
