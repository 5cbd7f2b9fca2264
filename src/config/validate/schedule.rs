use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use super::app::command;
use super::env::env;
use super::lint;
use super::place::Surroundings;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::table::Table;
use crate::config::value::Value;
use crate::hint::nearest;
use crate::job::Parameters;
use crate::schedule::{
    Bounds, CatchUp, DstMode, Exclusion, Expression, ExpressionError, OtherReading, Rules, Schedule,
    ScheduleKey, Zone,
};

/// How far back `catch_up = "all"` goes where nobody says otherwise.
const ALL_WINDOW: SignedDuration = SignedDuration::from_hours(24);

const ZONE: &str = "an area and a city in it, as in `Europe/Paris`";
const DST: &str = "a time that the clocks skip is run right after by `vixie`, and not by the others; one that they repeat is run twice only by `literal`";
const CATCH_UP: &str =
    "of the slots missed while nobody watched, `latest` runs one, `all` each, `none` no one";
const MAX: &str = "the most slots that are caught up at once; left out, 100";
const ID: &str = "as in `id = \"nightly\"`; left out, one is made of expression, zone and `dst`";
const TIME: &str = "as in `2026-12-01T02:00:00Z`, or on the clocks of the time zone as in `2026-12-01T02:00` or `2026-12-01`";
const NEVER: &str = "`tekcron next` shows when an expression is due";

/// The schedules of the job called `APP.JOB`: `schedule`, or `schedules`. What the job says of all of them holds where one
/// does not say otherwise. A check warns of what they do that may not be meant.
pub(super) fn schedules(job: &mut Table<'_>, called: &str, around: &Surroundings) -> Vec<Arc<Schedule>> {
    let (one, several) = (job.get("schedule"), job.get("schedules"));
    let common = Policies::read(job, around);
    if let (Some(_), Some(several)) = (&one, &several) {
        several.refuse(Fault::new(
            "expected either `schedule` or `schedules`, found both",
            "`schedule = \"…\"` is short for `schedules = [{ cron = \"…\" }]`",
        ));
    }
    let mut read = Vec::new();
    if let Some(value) = one {
        let read_one = schedule(&value, None, common.clone(), None, called, around);
        read.extend(read_one.map(|schedule| (schedule, value)));
    }
    for value in several.and_then(|value| value.array()).unwrap_or_default() {
        read.extend(listed(&value, &common, called, around).map(|schedule| (schedule, value)));
    }
    lint::schedules(&read, around);
    distinct(read)
}

/// What of a schedule may stand in its job as well.
#[derive(Clone, Default)]
struct Policies<'s> {
    timezone: Option<Zone>,
    dst: Option<DstMode>,
    catch_up: Option<CatchUp>,
    catch_up_window: Option<SignedDuration>,
    max_catch_up: Option<u32>,
    start_deadline: Option<SignedDuration>,
    jitter: Option<SignedDuration>,
    /// Times, of a zone that is known later.
    from: Option<Value<'s>>,
    until: Option<Value<'s>>,
    exclude: Option<Exclusion>,
}

impl<'s> Policies<'s> {
    fn read(table: &mut Table<'s>, around: &Surroundings) -> Self {
        let lateness = |value: Value<'_>| value.checked(parse::duration(&value.scalar()?, &parse::LATENESS));
        let wait = |value: Value<'_>| value.checked(parse::duration(&value.scalar()?, &parse::WAIT));
        let count = |value: Value<'_>| value.checked(parse::integer(&value.integer()?, 1..=1_000_000, MAX));
        Self {
            timezone: table.get("timezone").and_then(|value| value.parsed(ZONE)),
            dst: table.get("dst").and_then(|value| value.parsed(DST)),
            catch_up: table.get("catch_up").and_then(|value| value.parsed(CATCH_UP)),
            catch_up_window: table.get("catch_up_window").and_then(lateness),
            max_catch_up: table.get("max_catch_up").and_then(count),
            start_deadline: table.get("start_deadline").and_then(lateness),
            jitter: table.get("jitter").and_then(wait),
            from: table.get("from"),
            until: table.get("until"),
            exclude: table.get("exclude").map(|value| exclusion(&value, around)),
        }
    }

    fn or(self, other: &Self) -> Self {
        Self {
            timezone: self.timezone.or_else(|| other.timezone.clone()),
            dst: self.dst.or(other.dst),
            catch_up: self.catch_up.or(other.catch_up),
            catch_up_window: self.catch_up_window.or(other.catch_up_window),
            max_catch_up: self.max_catch_up.or(other.max_catch_up),
            start_deadline: self.start_deadline.or(other.start_deadline),
            jitter: self.jitter.or(other.jitter),
            from: self.from.or_else(|| other.from.clone()),
            until: self.until.or_else(|| other.until.clone()),
            exclude: self.exclude.or_else(|| other.exclude.clone()),
        }
    }
}

/// An item of `schedules`.
fn listed(value: &Value<'_>, common: &Policies<'_>, called: &str, around: &Surroundings) -> Option<Schedule> {
    if let Some(cron) = value.is_text().then(|| value.text()).flatten() {
        let hint = format!("write `{{ cron = \"{cron}\" }}`");
        value.refuse(Fault::new("expected a table with `cron`, found a string", hint));
        return None;
    }
    let mut table = value.table()?;
    let cron = table.require("cron", "as in `{ cron = \"0 2 * * *\" }`");
    let id = table.get("id").and_then(|value| value.parsed::<ScheduleKey>(ID));
    let policies = Policies::read(&mut table, around).or(common);
    let parameters = Parameters { command: command(&mut table), env: env(&mut table) };
    table.finish();
    schedule(&cron?, id, policies, Some(parameters), called, around)
}

fn schedule(
    cron: &Value<'_>,
    id: Option<ScheduleKey>,
    policies: Policies<'_>,
    parameters: Option<Parameters>,
    called: &str,
    around: &Surroundings,
) -> Option<Schedule> {
    let expression = expression(cron, called)?;
    if let Some(OtherReading { message, hint, span }) = expression.other_reading() {
        cron.warn(Fault { message, hint, span: within(cron, &expression, span) });
    }
    let zone = policies.timezone.clone().unwrap_or_default();
    let dst = policies.dst.unwrap_or_default();
    let recurrence = around.recurrences.borrow_mut().make(expression, zone, dst);
    let recurrence = cron.checked(recurrence.map_err(|error| Fault::of(&error, NEVER)))?;
    let bounds = bounds(&policies, recurrence.timezone());
    let recurrence = cron.checked(recurrence.within(bounds).map_err(|error| Fault::of(&error, TIME)))?;
    let catch_up = policies.catch_up.unwrap_or_default();
    let window = (catch_up == CatchUp::All).then_some(ALL_WINDOW);
    let rules = Rules {
        start_deadline: policies.start_deadline,
        catch_up,
        catch_up_window: policies.catch_up_window.or(window),
        max_catch_up: policies.max_catch_up.unwrap_or(Rules::default().max_catch_up),
        jitter: policies.jitter.unwrap_or_default(),
        exclude: policies.exclude.unwrap_or_default(),
    };
    let parameters = parameters.filter(|parameters| *parameters != Parameters::default());
    let schedule = Schedule {
        key: id.unwrap_or_else(|| recurrence.key().clone()),
        recurrence,
        rules: around.shared(rules),
        parameters: parameters.map(Arc::new),
    };
    if !schedule.rules.exclude.is_empty() && schedule.next_after(Timestamp::MIN).is_none() {
        cron.refuse(Fault::new(
            format!("expected a slot that no calendar excludes, found none: `{}`", schedule.rules.exclude),
            "leave a calendar out of `exclude`, or the schedule",
        ));
    }
    Some(schedule)
}

/// What `from` and `until` say on the clocks of the zone. A date alone begins with its first instant, and ends
/// with its last.
fn bounds(policies: &Policies<'_>, zone: &Zone) -> Bounds {
    let from = policies.from.as_ref().and_then(|value| value.checked(time(value.text()?, zone, false)));
    let until = policies.until.as_ref().and_then(|value| value.checked(time(value.text()?, zone, true)));
    if let (Some(from), Some(until), Some(value)) = (from, until, &policies.until)
        && until < from
    {
        value.refuse(Fault::new(
            format!("expected a time after `from`, which is {from}, found {until}"),
            TIME,
        ));
        return Bounds::default();
    }
    Bounds { from, until }
}

fn time(text: &str, zone: &Zone, is_end: bool) -> Result<Timestamp, Fault> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    let none = || Fault::new(format!("expected a time, found `{text}`"), TIME);
    let on_the_clock = |shown| zone.rules().to_timestamp(shown).map_err(|_| none());
    if let (10, Ok(date)) = (text.len(), text.parse::<Date>()) {
        let midnight = |date: Date| on_the_clock(date.at(0, 0, 0, 0));
        return match is_end {
            false => midnight(date),
            true => Ok(midnight(date.tomorrow().map_err(|_| none())?)? - SignedDuration::from_nanos(1)),
        };
    }
    on_the_clock(text.parse::<DateTime>().map_err(|_| none())?)
}

/// The calendars that a job or schedule names.
fn exclusion(value: &Value<'_>, around: &Surroundings) -> Exclusion {
    let mut calendars = Vec::new();
    for item in value.array().unwrap_or_default() {
        let Some(name) = item.text() else { continue };
        if let Some(calendar) = around.calendars.get(name) {
            calendars.push(Arc::clone(calendar));
            continue;
        }
        let Some(known) = around.calendar_names.as_ref().filter(|known| !known.contains(name)) else {
            continue;
        };
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "calendars are declared in `tekcron.toml`: `[calendars.NAME]`".to_owned(),
        };
        item.refuse(Fault::new(format!("expected a declared calendar, found `{name}`"), hint));
    }
    Exclusion::new(calendars)
}

/// A piece of an expression as one of the text that it was read from, blanks around it included.
fn within(cron: &Value<'_>, expression: &Expression, piece: Range<usize>) -> Option<Range<usize>> {
    let before = cron.text()?.find(expression.as_str())?;
    Some(before + piece.start..before + piece.end)
}

fn expression(cron: &Value<'_>, called: &str) -> Option<Expression> {
    let read: Result<Expression, ExpressionError> = Expression::for_job(cron.text()?, called);
    cron.checked(read.map_err(|error| Fault {
        message: error.message().to_owned(),
        hint: error.hint().to_owned(),
        span: Some(error.span()),
    }))
}

/// The schedules, each of whose keys must be its own.
fn distinct(read: Vec<(Schedule, Value<'_>)>) -> Vec<Arc<Schedule>> {
    let mut schedules: Vec<Arc<Schedule>> = Vec::with_capacity(read.len());
    let mut keys = BTreeSet::new();
    for (schedule, value) in read {
        if !keys.insert(schedule.key.clone()) {
            value.refuse(Fault::new(
                format!("expected a schedule of its own, found a second one with the key `{}`", schedule.key),
                "one slot is one run: leave one out, or give each an `id` of its own",
            ));
        }
        schedules.push(Arc::new(schedule));
    }
    schedules
}
