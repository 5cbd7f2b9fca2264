//! What a check warns of: schedules that do what they say, and perhaps not what is meant.
//!
//! Each warning names the next time at which it bites. Of one kind the first few are shown where they stand,
//! and the rest of the configuration in one more: a thousand jobs alike are not a thousand warnings.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::place::Surroundings;
use crate::app::{App, AppName, Timeout};
use crate::config::fault::Fault;
use crate::config::problem::Problem;
use crate::config::value::Value;
use crate::job::{Job, JobName, JobRef};
use crate::schedule::{Overlap, Schedule};

/// Warnings of one kind that are shown each.
const SHOWN: usize = 3;
/// Places of the rest that are named.
const NAMED: usize = 5;
/// Earlier schedules of its job that one is compared with.
const COMPARED: usize = 20;
/// So many jobs at once are a crowd.
const CROWD: usize = 10;

/// What is warned of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Past,
    Clocks,
    ShortMonths,
    EitherDay,
    UnevenStep,
    RunsAtOnce,
    Meets,
}

impl Kind {
    /// What there are more of.
    fn more(self) -> &'static str {
        match self {
            Self::Past => "schedules whose last slot has passed",
            Self::Clocks => "schedules that meet a change of the clocks",
            Self::ShortMonths => "schedules on a day that not every month has",
            Self::EitherDay => "schedules with two day fields of which one is enough",
            Self::UnevenStep => "schedules with a step that does not divide its field",
            Self::RunsAtOnce => "jobs that may run many times at once",
            Self::Meets => "jobs with two schedules that are due at once",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Past => "leave it out, or give it another time",
            Self::Clocks => "`dst` says what happens on such days; in `UTC` there are none",
            Self::ShortMonths => "`L` is the last day of each month; all of them have the days up to 28",
            Self::EitherDay => "a `+` before the day of week asks for both",
            Self::UnevenStep => "a step counts within its field and begins anew with it",
            Self::RunsAtOnce => "`overlap = \"skip\"` has one at a time; a shorter `timeout` has fewer",
            Self::Meets => "each is a run of its own: leave one out, or set `overlap`",
        }
    }
}

/// How often each kind was found, and where those are that are not shown.
#[derive(Debug, Default)]
pub(in crate::config) struct Lints(RefCell<BTreeMap<Kind, Found>>);

#[derive(Debug, Default)]
struct Found {
    count: usize,
    named: Vec<String>,
}

impl Lints {
    fn warn(&self, kind: Kind, value: &Value<'_>, fault: Fault) {
        let mut kinds = self.0.borrow_mut();
        let found = kinds.entry(kind).or_default();
        found.count += 1;
        if found.count <= SHOWN {
            value.warn(fault);
        } else if found.named.len() < NAMED {
            found.named.push(value.address());
        }
    }

    /// What was not shown, a warning a kind, about `config`.
    pub(in crate::config) fn rest(&self, config: &str) -> Vec<Problem> {
        let kinds = self.0.borrow();
        let rest = kinds.iter().filter(|(_, found)| found.count > SHOWN);
        let told = rest.map(|(kind, found)| {
            let more = found.count - SHOWN;
            let mut places = found.named.join(", ");
            if more > found.named.len() {
                places += &format!(" and {} more", more - found.named.len());
            }
            let message = format!("{more} more {}: {places}", kind.more());
            Problem::of_file(config, message, kind.hint()).only_a_warning()
        });
        told.collect()
    }
}

/// Warns of what the schedules of a job do, each and two of them together.
pub(super) fn schedules(read: &[(Schedule, Value<'_>)], around: &Surroundings) {
    let Some(now) = around.now else { return };
    for (place, (schedule, value)) in read.iter().enumerate() {
        alone(schedule, value, around, now);
        let others = read[..place].iter().take(COMPARED);
        let meets = others
            .filter(|(other, _)| other.key != schedule.key)
            .find_map(|(other, _)| Some((other, schedule.meets_other(other, now)?)));
        if let Some((other, at)) = meets {
            let expression = other.recurrence.expression();
            let message = format!("this is due together with `{expression}` of the same job, next at {at}");
            around.lints.warn(Kind::Meets, value, Fault::new(message, Kind::Meets.hint()));
        }
    }
}

fn alone(schedule: &Schedule, value: &Value<'_>, around: &Surroundings, now: Timestamp) {
    let recurrence = &schedule.recurrence;
    let warn = |kind: Kind, message: String, hint: String| {
        around.lints.warn(kind, value, Fault::new(message, hint));
    };
    if schedule.next_after(now).is_none()
        && let Some(last) = schedule.last_until(now)
    {
        let message = format!("the last slot of this schedule, {last}, has passed: it is not due again");
        warn(Kind::Past, message, Kind::Past.hint().to_owned());
        return;
    }
    if let Some(change) = schedule.next_clock_change(now) {
        let message = format!("in {}, {change}", recurrence.timezone());
        warn(Kind::Clocks, message, Kind::Clocks.hint().to_owned());
    }
    if let Some(found) = schedule.short_months(now) {
        let next = found.next.strftime("%B %Y");
        let message = match found.without {
            0 => format!("not every month has a day {}: the next without is {next}", found.day),
            without => format!(
                "not every month has a day {}: {without} of the {} in the coming year {} without, the next is {next}",
                found.day,
                found.named,
                if without == 1 { "is" } else { "are" }
            ),
        };
        warn(Kind::ShortMonths, message, Kind::ShortMonths.hint().to_owned());
    }
    // What another cron reads otherwise has been told already, with both readings.
    let either = schedule.either_day(now).filter(|_| recurrence.expression().other_reading().is_none());
    if let Some(found) = either {
        let (only, not) =
            if found.by_weekday { (&found.weekday, &found.day) } else { (&found.day, &found.weekday) };
        let message = format!(
            "a day that matches `{}` (day of month) or `{}` (day of week) is enough: next on {}, which matches `{only}` and not `{not}`",
            found.day,
            found.weekday,
            found.next.date()
        );
        let hint = format!("`+{}` as day of week asks for both", found.weekday);
        warn(Kind::EitherDay, message, hint);
    }
    if let Some(found) = schedule.uneven_step(now) {
        let message = format!(
            "`{}` does not divide the {}s evenly: next at {} it comes {:#} after the one before",
            found.written, found.field, found.next, found.gap
        );
        warn(Kind::UnevenStep, message, Kind::UnevenStep.hint().to_owned());
    }
}

/// Warns of jobs that may pile up: due again and again before the time-out ends the first run.
pub(super) fn runs_at_once(app: &App, places: &BTreeMap<JobName, Value<'_>>, around: &Surroundings) {
    let Some(now) = around.now else { return };
    for (job, value) in app.jobs.values().filter_map(|job| Some((job, places.get(&job.name)?))) {
        let limited = app.max_running.is_some() || job.terms.group.is_some() || app.group.is_some();
        if limited || job.terms.overlap != Overlap::Allow {
            continue;
        }
        let timeout = job.terms.timeout.unwrap_or(app.timeout);
        let gaps = job.schedules.iter().filter_map(|schedule| schedule.shortest_gap(now));
        let Some((gap, again)) = gaps.min() else { continue };
        let limit = match timeout {
            Timeout::None => None,
            Timeout::After(limit) if limit <= gap => continue,
            Timeout::After(limit) => Some(limit),
        };
        let message = match limit {
            Some(limit) => {
                let most = (limit.as_secs() + gap.as_secs() - 1) / gap.as_secs();
                format!(
                    "up to {most} runs of this job at once: due every {gap:#}, next again at {again}, with a time-out of {limit:#} and `overlap = \"allow\"`"
                )
            }
            None => format!(
                "any number of runs of this job at once: due every {gap:#}, next again at {again}, without a time-out and with `overlap = \"allow\"`"
            ),
        };
        around.lints.warn(Kind::RunsAtOnce, value, Fault::new(message, Kind::RunsAtOnce.hint()));
    }
}

/// A warning where a crowd starts at once, and nearly all jobs are in it.
pub(in crate::config) fn crowd(
    apps: &BTreeMap<AppName, Arc<App>>,
    config: &str,
    now: Timestamp,
) -> Option<Problem> {
    let jobs: Vec<(&Arc<App>, &Job)> = apps
        .values()
        .flat_map(|app| app.jobs.values().map(move |job| (app, job)))
        .filter(|(_, job)| !job.schedules.is_empty())
        .collect();
    let on_the_hour = |schedule: &Arc<Schedule>| schedule.rules.jitter.is_zero() && schedule.is_on_the_hour();
    let of_hour: Vec<_> = jobs.iter().filter(|(_, job)| job.schedules.iter().all(on_the_hour)).collect();
    if of_hour.len() < CROWD || of_hour.len() * 4 < jobs.len() * 3 {
        return None;
    }
    let mut at_once: BTreeMap<Timestamp, Vec<JobRef>> = BTreeMap::new();
    for (app, job) in &of_hour {
        let next = job.schedules.iter().filter_map(|schedule| schedule.next_after(now)).min();
        if let Some(next) = next {
            at_once.entry(next).or_default().push(JobRef::of(app, job));
        }
    }
    let (at, most) = at_once.into_iter().rev().max_by_key(|(_, jobs)| jobs.len())?;
    let message = format!(
        "{} of {} jobs with a schedule start at minute 0: next at {at} {} of them, such as `{}`",
        of_hour.len(),
        jobs.len(),
        most.len(),
        most.first()?
    );
    let hint = "`H` in place of the minute is one of each job's own; `jitter = \"5m\"` spreads starts, the same way each time";
    Some(Problem::of_file(config, message, hint).only_a_warning())
}
