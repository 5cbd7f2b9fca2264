use std::collections::BTreeMap;
use std::sync::Arc;

use super::app::{command, name, resources, timeout};
use super::env::env;
use super::group::group;
use super::place::Surroundings;
use super::schedule::schedules;
use super::watch::watch;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::config::value::Value;
use crate::job::{Job, JobName, MaxQueued, Retries, Terms};
use crate::schedule::Schedule;

/// Where the names of jobs stand.
pub(in crate::config) type Places<'s> = BTreeMap<JobName, Value<'s>>;

const OVERLAP: &str = "while one runs, `allow` starts the next beside it, `skip` leaves it out, `replace` ends the one that runs, `queue-all` starts it afterwards";
const MAX_QUEUED: &str =
    "how many runs of the job wait at most; what is due beyond that is skipped; left out, 1000";
const ATTEMPTS: &str = "how often at most a failed task is tried again; `0` is never";

/// The jobs of the file of `app`, and where their names stand. `app_runs` says whether a job may leave out its command.
pub(in crate::config) fn jobs<'s>(
    root: &mut Table<'s>,
    app: &str,
    app_runs: bool,
    around: &Surroundings,
) -> (BTreeMap<JobName, Job>, Places<'s>) {
    let mut places = Places::new();
    let Some(value) = root.get("jobs") else { return (BTreeMap::new(), places) };
    if value.is_table() {
        value.refuse(Fault::new("expected an array of tables, found a table", "write `[[jobs]]`"));
        return (BTreeMap::new(), places);
    }
    let mut jobs = Vec::new();
    for item in value.array().unwrap_or_default() {
        let Some(mut table) = item.table() else { continue };
        let name_at = table.require("name", "as in `name = \"nightly\"`");
        let name = name_at.as_ref().and_then(name::<JobName>);
        let called = name.as_ref().map(|name| format!("{app}.{name}")).unwrap_or_default();
        let (schedules, terms) = job(table, &called, app_runs, around);
        let (Some(name), Some(name_at)) = (name, name_at) else { continue };
        if let Some(first) = places.get(&name) {
            name_at.refuse(Fault::new(
                format!("expected a name of its own, found a second job `{name}`"),
                format!("the first is at {}", first.address()),
            ));
            continue;
        }
        places.insert(name.clone(), name_at);
        let terms = Arc::new(terms);
        let terms = jobs
            .last()
            .map(|(_, last): &(_, Job)| &last.terms)
            .filter(|last| **last == terms)
            .cloned()
            .unwrap_or(terms);
        jobs.push((name.clone(), Job { name, schedules, terms, stored: false }));
    }
    // Made of all at once, a map has no room to spare.
    (jobs.into_iter().collect(), places)
}

/// The job but for its name.
fn job(
    mut table: Table<'_>,
    called: &str,
    app_runs: bool,
    around: &Surroundings,
) -> (Vec<Arc<Schedule>>, Terms) {
    if !app_runs && !table.has("command") {
        table.refuse(Fault::new(
            "expected a `command` here or in `[app]`, found neither",
            "a shell line as in `command = \"sh etl.sh\"`, or an array of words",
        ));
    }
    let schedules = schedules(&mut table, called, around);
    let timeout = timeout(&mut table);
    let terms = Terms {
        command: command(&mut table),
        env: env(&mut table),
        resources: resources(&mut table),
        timeout,
        overlap: table.get("overlap").and_then(|value| value.parsed(OVERLAP)).unwrap_or_default(),
        max_queued: table
            .get("max_queued")
            .and_then(|value| value.checked(parse::integer(&value.integer()?, 1..=100_000, MAX_QUEUED)))
            .map(MaxQueued)
            .unwrap_or_default(),
        group: group(&mut table, around),
        retries: table.get("retries").and_then(|value| value.table()).map(retries).unwrap_or_default(),
        watch: watch(&mut table, !schedules.is_empty(), timeout, around).boxed(),
    };
    table.finish();
    (schedules, terms)
}

fn retries(mut table: Table<'_>) -> Retries {
    let default = Retries::default();
    let attempts = table.require("attempts", "as in `retries = { attempts = 3 }`");
    let attempts =
        attempts.and_then(|value| value.checked(parse::integer(&value.integer()?, 0..=1000, ATTEMPTS)));
    let backoff = table.get("backoff");
    let backoff = backoff.and_then(|value| value.checked(parse::duration(&value.scalar()?, &parse::WAIT)));
    let backoff = backoff.unwrap_or(default.backoff);
    let longest = table.get("max_backoff").and_then(|value| {
        let longest = value.checked(parse::duration(&value.scalar()?, &parse::WAIT))?;
        if longest < backoff {
            let message =
                format!("expected no less than `backoff`, which is `{backoff:#}`, found `{longest:#}`");
            value.refuse(Fault::new(message, "the wait doubles from `backoff` up to `max_backoff`"));
        }
        Some(longest)
    });
    let on_lost = table.get("on_lost").and_then(|value| value.boolean());
    table.finish();
    Retries {
        attempts: attempts.unwrap_or(default.attempts),
        backoff,
        max_backoff: longest.unwrap_or(default.max_backoff.max(backoff)),
        on_lost: on_lost.unwrap_or(default.on_lost),
    }
}
