//! `[[jobs]]` → [`Job`], with its schedules.

use std::ops::Range;

use jiff::SignedDuration;

use super::app_file::{YEAR, name, resources, timeout};
use super::reader::{Found, Reader};
use crate::app::App;
use crate::job::{Job, Retries};
use crate::schedule::{DstMode, Expression, Recurrence, Schedule, ScheduleKey, Zone};

/// Keys of `[[jobs]]`.
pub(super) const JOB: &[&str] = &[
    "name",
    "schedule",
    "schedules",
    "timezone",
    "dst",
    "catch_up",
    "catch_up_window",
    "max_catch_up",
    "start_deadline",
    "jitter",
    "command",
    "cpu",
    "memory",
    "disk",
    "timeout",
    "env",
    "overlap",
    "retries",
];
/// Keys of `[[jobs.schedules]]`.
pub(super) const SCHEDULE: &[&str] = &[
    "cron",
    "id",
    "timezone",
    "dst",
    "catch_up",
    "catch_up_window",
    "max_catch_up",
    "start_deadline",
    "jitter",
];
/// Keys of `retries`.
pub(super) const RETRIES: &[&str] = &["attempts", "backoff", "max_backoff", "on_lost"];

const MAX_CATCH_UP: u32 = 100;
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The job of a table, and where its name stands.
pub(super) fn read(table: Reader<'_>, app: &App) -> Option<(Job, Range<usize>)> {
    table.only(JOB);
    let name = name(table, "a job");
    let command = table.command("command");
    if app.command.is_none() && table.get("command").is_none() {
        let problem = table.problem("expected a `command` here or in `[app]`, found none");
        table.note(problem.hint("a run by hand may bring one; a job needs one of its own"));
    }
    let rest = (schedules(table), table.env("env"), resources(table), timeout(table));
    let (schedules, env, resources, timeout) = rest;
    let overlap = table.parsed("overlap").unwrap_or_default();
    let retries = table.within("retries", retries).unwrap_or_default();
    let (name, at) = name?;
    Some((Job { name, command, env, resources, timeout, schedules, overlap, retries }, at))
}

fn schedules(job: Reader<'_>) -> Vec<Schedule> {
    if let (Some(short), Some(_)) = (job.get("schedule"), job.get("schedules")) {
        short.note(short.problem("expected `schedule` or `schedules`, found both"));
    }
    let mut schedules: Vec<Schedule> = Vec::new();
    let short = job.get("schedule").and_then(|cron| schedule(job, job, &cron));
    let mut add = |found: Option<(Schedule, Place)>| {
        let Some((schedule, place)) = found else { return };
        if schedules.iter().any(|known| known.key == schedule.key) {
            let message =
                format!("expected schedules that differ, found `{}` twice", schedule.recurrence.expression());
            job.note(job.at(place, message).hint("give each an `id` of its own, or remove one"));
        } else {
            schedules.push(schedule);
        }
    };
    add(short);
    let long = job.each("schedules", |table| {
        table.only(SCHEDULE);
        let Some(cron) = table.get("cron") else {
            table.note(table.problem("expected a schedule to have `cron`, found none"));
            return None;
        };
        schedule(table, job, &cron)
    });
    long.into_iter().for_each(|found| add(Some(found)));
    schedules
}

/// Bytes of the file.
type Place = Range<usize>;

/// The schedule `cron` with the policies of its table, and where that has none, of its job.
fn schedule(table: Reader<'_>, job: Reader<'_>, cron: &Found<'_>) -> Option<(Schedule, Place)> {
    let either = |key: &str| if table.get(key).is_some() { table } else { job };
    let text = cron.text()?;
    let expression = match text.parse::<Expression>() {
        Ok(expression) => Some(expression),
        Err(error) => {
            let problem = cron.problem_within(error.span(), error.message().to_owned());
            cron.note(match error.hint() {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
            None
        }
    };
    let zone_table = either("timezone");
    let zone = match zone_table.get("timezone") {
        Some(_) => zone_table.parsed::<Zone>("timezone"),
        None => Some(Zone::utc()),
    };
    let dst: DstMode = either("dst").parsed("dst").unwrap_or_default();
    let id = table.get("id").and_then(|id| id.parsed::<ScheduleKey>());
    let start_deadline = either("start_deadline").duration("start_deadline", SECOND..=YEAR);
    let catch_up = either("catch_up").parsed("catch_up").unwrap_or_default();
    let catch_up_window = either("catch_up_window").duration("catch_up_window", SECOND..=YEAR);
    let max_catch_up = either("max_catch_up").number("max_catch_up", 1..=10_000).unwrap_or(MAX_CATCH_UP);
    let jitter = either("jitter").duration("jitter", SignedDuration::ZERO..=DAY).unwrap_or_default();
    let (expression, zone) = (expression?, zone?);
    let hashed = ScheduleKey::hashed(&expression.to_string(), &zone.to_string(), dst.as_str());
    let recurrence = Recurrence::new(expression, zone, dst);
    let recurrence = cron.note_error(recurrence.map_err(|error| error.to_string()))?;
    let key = id.unwrap_or(hashed);
    let schedule =
        Schedule { key, recurrence, start_deadline, catch_up, catch_up_window, max_catch_up, jitter };
    Some((schedule, cron.span()))
}

fn retries(table: Reader<'_>) -> Retries {
    table.only(RETRIES);
    let default = Retries::default();
    let wait = SignedDuration::ZERO..=DAY;
    let backoff = table.duration("backoff", wait.clone()).unwrap_or(default.backoff);
    Retries {
        attempts: table.number("attempts", 0..=1000).unwrap_or(default.attempts),
        backoff,
        max_backoff: table.duration("max_backoff", wait).unwrap_or(default.max_backoff.max(backoff)),
        on_lost: table.boolean("on_lost").unwrap_or(default.on_lost),
    }
}
