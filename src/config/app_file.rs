//! `apps/*.toml` → [`App`].

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use jiff::SignedDuration;

use super::job_file;
use super::reader::{Found, Reader};
use crate::app::{
    App, AppName, LogsOnTerminate, NameError, Resources, Retention, ServiceName, Timeout, dns_label,
    suggest_name,
};
use crate::job::{Job, JobName};

/// Keys of an App file.
pub(super) const FILE: &[&str] = &["app", "jobs"];
/// Keys of `[app]`.
pub(super) const APP: &[&str] = &[
    "name",
    "image",
    "path",
    "command",
    "cpu",
    "memory",
    "disk",
    "timeout",
    "env",
    "services",
    "service_account",
    "security_groups",
    "keep",
    "keep_for",
    "keep_per_job",
    "logs_on_terminate",
    "state",
    "keep_workdir",
];

/// The longest time that means anything: whoever wants more wants no limit.
pub(super) const YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What an App file is read against.
pub(super) struct Surroundings<'a> {
    /// Relative paths begin here.
    pub(super) base: &'a Path,
    pub(super) data_dir: &'a Path,
    pub(super) services: &'a dyn Fn(&str) -> Result<ServiceName, String>,
}

/// The App of a file, and where its name stands.
pub(super) fn read(file: Reader<'_>, surroundings: &Surroundings<'_>) -> Option<(App, Range<usize>)> {
    file.only(FILE);
    if file.get("app").is_none() {
        let problem = file.at(0..0, "expected a table `[app]`, found none");
        file.note(problem.hint("begin the file with `[app]` and a line `name = \"…\"`"));
    }
    let (mut app, name_at) = file.within("app", |table| app(table, surroundings)).flatten()?;
    for (job, at) in file.each("jobs", |table| job_file::read(table, &app)) {
        if app.jobs.contains_key(&job.name) {
            let problem = file.at(at, format!("expected one job `{}`, found another of that name", job.name));
            file.note(problem.hint("job names are unique within their App"));
        } else {
            app.jobs.insert(job.name.clone(), job);
        }
    }
    Some((app, name_at))
}

fn app(table: Reader<'_>, surroundings: &Surroundings<'_>) -> Option<(App, Range<usize>)> {
    table.only(APP);
    let name = name::<AppName>(table, "an App");
    let app = App {
        name: name.as_ref().map_or_else(|| placeholder(), |(name, _)| name.clone()),
        image: image(table),
        path: path(table, surroundings),
        command: table.command("command"),
        env: table.env("env"),
        resources: resources(table),
        services: services(table, surroundings),
        service_account: label(table, "service_account", 253),
        security_groups: security_groups(table),
        timeout: timeout(table).unwrap_or_default(),
        retention: retention(table),
        logs_on_terminate: logs_on_terminate(table),
        state: table.boolean("state").unwrap_or_default(),
        keep_workdir: table.boolean("keep_workdir").unwrap_or_default(),
        jobs: BTreeMap::<JobName, Job>::new(),
    };
    name.map(|(_, at)| (app, at))
}

/// Stands for a name that is wrong, so that the rest of the file is read.
fn placeholder() -> AppName {
    "unnamed".parse().expect("it is a DNS label")
}

/// The name at `name`, and its place.
pub(super) fn name<T: std::str::FromStr<Err = NameError>>(
    table: Reader<'_>,
    what: &str,
) -> Option<(T, Range<usize>)> {
    let Some(found) = table.get("name") else {
        table.note(table.problem(format!("expected {what} to have a `name`, found none")));
        return None;
    };
    let text = found.text()?;
    match text.parse() {
        Ok(name) => Some((name, found.span())),
        Err(error) => {
            let problem = found.problem(format!("{error}, in `{text}`"));
            found.note(match suggest_name(text) {
                Some(fitting) => {
                    problem.hint(format!("`{fitting}` would fit; Kubernetes takes no other names"))
                }
                None => problem,
            });
            None
        }
    }
}

fn image(table: Reader<'_>) -> Option<String> {
    let found = table.get("image")?;
    let text = found.text()?;
    if text.is_empty() || text.contains(char::is_whitespace) {
        found.note(found.problem(format!("expected an image reference, found `{text}`")));
        return None;
    }
    Some(text.to_owned())
}

/// The directory that tasks get copies of. It must exist, and not hold what tekcron writes.
fn path(table: Reader<'_>, surroundings: &Surroundings<'_>) -> Option<PathBuf> {
    let found = table.get("path")?;
    let written = found.text()?;
    let path = surroundings.base.join(written);
    let Ok(path) = path.canonicalize() else {
        let hint = format!("relative paths begin at {}", surroundings.base.display());
        found.note(found.problem(format!("expected a directory, found nothing at `{written}`")).hint(hint));
        return None;
    };
    if !path.is_dir() {
        found.note(found.problem(format!("expected a directory, found a file at `{written}`")));
        return None;
    }
    if surroundings.data_dir.starts_with(&path) || path.starts_with(surroundings.data_dir) {
        let message = format!("expected a directory apart from the data directory, found `{written}`");
        let hint = format!(
            "each task gets a copy of it, and {} is where copies go",
            surroundings.data_dir.display()
        );
        found.note(found.problem(message).hint(hint));
        return None;
    }
    Some(path)
}

pub(super) fn resources(table: Reader<'_>) -> Resources {
    Resources { cpu: table.parsed("cpu"), memory: table.parsed("memory"), disk: table.parsed("disk") }
}

pub(super) fn timeout(table: Reader<'_>) -> Option<Timeout> {
    let limit = table.duration("timeout", SignedDuration::ZERO..=YEAR)?;
    Some(if limit.is_zero() { Timeout::None } else { Timeout::After(limit) })
}

fn services(table: Reader<'_>, surroundings: &Surroundings<'_>) -> Vec<ServiceName> {
    let found = table.texts("services").unwrap_or_default();
    let bind = |found: Found<'_>| {
        let bound = (surroundings.services)(found.text()?);
        found.note_error(bound)
    };
    found.into_iter().filter_map(bind).collect()
}

fn security_groups(table: Reader<'_>) -> Vec<String> {
    let found = table.texts("security_groups").unwrap_or_default();
    found.into_iter().filter_map(|found| checked_label(&found, 63)).collect()
}

fn label(table: Reader<'_>, key: &str, limit: usize) -> Option<String> {
    checked_label(&table.get(key)?, limit)
}

fn checked_label(found: &Found<'_>, limit: usize) -> Option<String> {
    let text = found.text()?;
    found.note_error(dns_label(text, limit).map_err(|error| format!("{error}, in `{text}`")))?;
    Some(text.to_owned())
}

fn retention(table: Reader<'_>) -> Retention {
    const COUNT: RangeInclusive<u32> = 1..=100_000;
    let default = Retention::default();
    Retention {
        keep: table.number("keep", COUNT).unwrap_or(default.keep),
        keep_for: table.duration("keep_for", SignedDuration::from_secs(1)..=YEAR * 10),
        keep_per_job: table.number("keep_per_job", 0..=*COUNT.end()).unwrap_or(default.keep_per_job),
    }
}

fn logs_on_terminate(table: Reader<'_>) -> LogsOnTerminate {
    let Some(found) = table.get("logs_on_terminate") else { return LogsOnTerminate::default() };
    match found.value.as_str() {
        Some("keep") => LogsOnTerminate::Keep,
        Some("delete") => LogsOnTerminate::Delete,
        _ => {
            found.wrong("`keep` or `delete`");
            LogsOnTerminate::default()
        }
    }
}
