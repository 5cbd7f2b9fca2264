//! Events of an iCalendar file (RFC 5545) as times that are excluded.
//!
//! A date, and a time without a zone, are times of whichever wall clock asks; a time with a zone, or in UTC,
//! is an instant. Rules are expanded as if every clock ran evenly, and then put into their zone. What is
//! cancelled does not count; what is marked as free does, for that is how holidays are published. A rule that
//! never ends is refused: whoever wants one writes a cron expression.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use icalendar::parser::{Component, Property, read_calendar_simple, unfold};
use jiff::civil;
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use rrule::{RRule, RRuleSet, Tz, Unvalidated};

use super::fault::Fault;
use crate::schedule::{ExcludedTimes, Zone};

const DAY: i64 = 86_400;
/// 2101-01-01T00:00:00.
const END: i64 = 4_133_980_800;
/// The most times of one event.
const MOST: u16 = u16::MAX;

const RULE: &str =
    "end it with `UNTIL=21001231`, or exclude it by a cron expression: `cron = [\"* * 25 12 *\"]`";
const EXPORT: &str = "it begins with `BEGIN:VCALENDAR`, ends with `END:VCALENDAR`, and holds `VEVENT`s";

/// Reads the events of a file.
pub(super) fn read(bytes: &[u8]) -> Result<ExcludedTimes, Fault> {
    let no_calendar = |found: &str| Fault::new(format!("expected an iCalendar file, found {found}"), EXPORT);
    let text = std::str::from_utf8(bytes).map_err(|_| no_calendar("bytes that are no UTF-8"))?;
    let text = unfold(text.trim_start_matches('\u{feff}').trim());
    let lines = || text.lines().map(str::trim_end);
    if !lines().next().is_some_and(|line| line.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
        return Err(no_calendar("other text"));
    }
    if !lines().next_back().is_some_and(|line| line.eq_ignore_ascii_case("END:VCALENDAR")) {
        return Err(no_calendar("one that stops before its end"));
    }
    let roots = read_calendar_simple(&text).map_err(|_| no_calendar("one that is broken"))?;
    let is_event = |component: &&Component<'_>| component.name.as_str() == "VEVENT";
    let events: Vec<_> = roots.iter().flat_map(|root| &root.components).filter(is_event).collect();
    // What stands behind a mistake is not read at all.
    let begun = lines().filter(|line| line.eq_ignore_ascii_case("BEGIN:VEVENT")).count();
    if begun != events.len() {
        return Err(no_calendar(&format!("one of whose {begun} events only {} can be read", events.len())));
    }
    let events = events.into_iter().map(Event::read).collect::<Result<Vec<_>, _>>()?;
    let mut times = ExcludedTimes::default();
    let mut replaced: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for event in &events {
        if let (Some(uid), Some(instead_of)) = (&event.uid, event.instead_of) {
            replaced.entry(uid).or_default().insert(instead_of);
        }
    }
    let none = BTreeSet::new();
    for event in events.iter().filter(|event| !event.cancelled) {
        let moved = event.uid.as_deref().filter(|_| event.instead_of.is_none());
        let moved = moved.and_then(|uid| replaced.get(uid)).unwrap_or(&none);
        for start in event.starts()?.into_iter().filter(|start| !moved.contains(start)) {
            event.add(start, &mut times);
        }
    }
    Ok(times)
}

/// An event; its times are seconds of its own wall clock.
struct Event {
    named: String,
    uid: Option<String>,
    start: i64,
    clock: Clock,
    length: i64,
    rules: Vec<String>,
    also: Vec<i64>,
    except: BTreeSet<i64>,
    /// The occurrence of another event that this one stands for.
    instead_of: Option<i64>,
    cancelled: bool,
}

/// The clock that shows a time.
#[derive(Debug, Clone, PartialEq)]
enum Clock {
    /// A date: any clock.
    Day,
    /// Any clock.
    Any,
    /// That of a zone.
    In(Zone),
}

impl Event {
    fn read(component: &Component<'_>) -> Result<Self, Fault> {
        let value = |name| component.find_prop(name).map(|found| found.val.as_str().trim().to_owned());
        let named = value("SUMMARY").or_else(|| value("UID")).unwrap_or_else(|| "without a name".to_owned());
        let named: String = named.chars().filter(|c| !c.is_control()).take(60).collect();
        let all = |name: &'static str| {
            component.properties.iter().filter(move |property| property.name.as_str() == name)
        };
        let fault = |what: &str| {
            Fault::new(
                format!("event `{named}`: {what}"),
                "dates are written `20261225`, times `20261225T090000`, `20261225T090000Z`",
            )
        };
        let start =
            component.find_prop("DTSTART").ok_or_else(|| fault("expected a `DTSTART`, found none"))?;
        let [(start, clock)] = &times(start).map_err(|what| fault(&what))?[..] else {
            return Err(fault("expected one time in `DTSTART`, found several"));
        };
        let on_its_clock = |property: &Property<'_>| -> Result<Vec<i64>, Fault> {
            let read = times(property).map_err(|what| fault(&what))?;
            Ok(read.into_iter().map(|(time, other)| shown_by(clock, time, &other)).collect())
        };
        let end = component.find_prop("DTEND").map(on_its_clock).transpose()?;
        let length = match (end.as_deref(), value("DURATION"), clock) {
            // As long as it really takes: the clocks may change within it.
            (Some([end, ..]), _, Clock::In(zone)) => instant(zone, *end) - instant(zone, *start),
            (Some([end, ..]), ..) => end - start,
            (_, Some(duration), _) => length(&duration)
                .ok_or_else(|| fault(&format!("expected a duration in `DURATION`, found `{duration}`")))?,
            (_, _, Clock::Day) => DAY,
            _ => 1,
        };
        let listed = |name| all(name).map(on_its_clock).collect::<Result<Vec<_>, _>>().map(|l| l.concat());
        let instead_of = component.find_prop("RECURRENCE-ID").map(on_its_clock).transpose()?;
        Ok(Self {
            uid: value("UID"),
            start: *start,
            length: length.max(1),
            rules: all("RRULE").map(|rule| rule.val.as_str().trim().to_owned()).collect(),
            also: listed("RDATE")?,
            except: listed("EXDATE")?.into_iter().collect(),
            instead_of: instead_of.and_then(|times| times.first().copied()),
            cancelled: value("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")),
            clock: clock.clone(),
            named,
        })
    }

    /// Each time at which it begins.
    fn starts(&self) -> Result<BTreeSet<i64>, Fault> {
        let mut starts = BTreeSet::from([self.start]);
        starts.extend(&self.also);
        for rule in &self.rules {
            starts.extend(self.expanded(rule)?);
        }
        starts.retain(|start| !self.except.contains(start));
        Ok(starts)
    }

    fn expanded(&self, rule: &str) -> Result<Vec<i64>, Fault> {
        let fault = |what: String, hint: &str| Fault::new(format!("event `{}`: {what}", self.named), hint);
        let (mut kept, mut until, mut ends) = (Vec::new(), END, false);
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            ends |= name.eq_ignore_ascii_case("COUNT");
            if name.eq_ignore_ascii_case("UNTIL") {
                let (time, clock) = time(value, None).map_err(|what| fault(what, RULE))?;
                let last = if clock == Clock::Day { DAY - 1 } else { 0 };
                until = until.min(shown_by(&self.clock, time, &clock) + last);
                ends = true;
            } else {
                kept.push(part);
            }
        }
        if !ends {
            return Err(fault(format!("expected a rule that ends, found `{rule}`, which never does"), RULE));
        }
        let no_rule = |error: rrule::RRuleError| fault(format!("`{rule}` is no rule: {error}"), RULE);
        let start = on_even_clock(self.start).ok_or_else(|| fault("it begins too late".to_owned(), RULE))?;
        let end = on_even_clock(until).unwrap_or(start);
        let rule: RRule<Unvalidated> = kept.join(";").parse().map_err(no_rule)?;
        let rule = rule.validate(start).map_err(no_rule)?;
        let found = RRuleSet::new(start).rrule(rule).before(end).all(MOST);
        if found.limited {
            let what = format!("expected a rule of less than {MOST} times, found more, or a search for none");
            return Err(fault(what, "a cron expression says such times shorter: `cron = [\"…\"]`"));
        }
        Ok(found.dates.into_iter().map(|date| date.timestamp()).collect())
    }

    fn add(&self, start: i64, times: &mut ExcludedTimes) {
        match &self.clock {
            Clock::Day | Clock::Any => times.on_the_clock.push((start, start + self.length)),
            Clock::In(zone) => {
                let first = instant(zone, start);
                times.instants.push((first, first + self.length));
            }
        }
    }
}

fn on_even_clock(wall: i64) -> Option<DateTime<Tz>> {
    DateTime::from_timestamp(wall, 0).map(|time| time.with_timezone(&Tz::UTC))
}

/// The times of a property, each with its clock.
fn times(property: &Property<'_>) -> Result<Vec<(i64, Clock)>, String> {
    let zone = property.params.iter().find(|parameter| parameter.key.as_str().eq_ignore_ascii_case("TZID"));
    let zone = zone.and_then(|parameter| parameter.val.as_ref()).map(|zone| zone.as_str().trim_matches('"'));
    let zone = match zone {
        Some(name) => {
            let zone = name.parse::<Zone>().map_err(|error| error.to_string().replace("\nhint: ", "; "))?;
            Some(zone)
        }
        None => None,
    };
    property.val.as_str().split(',').map(|text| time(text.trim(), zone.as_ref())).collect()
}

/// A date, or a date and time: of the zone, where it has one and is not in UTC.
fn time(text: &str, zone: Option<&Zone>) -> Result<(i64, Clock), String> {
    let none = || format!("expected a date or a time, found `{text}`");
    if text.len() == 8 {
        let date: civil::Date = text.parse().map_err(|_| none())?;
        return Ok((wall(date.to_datetime(civil::Time::midnight())), Clock::Day));
    }
    let (shown, utc) = match text.strip_suffix(['Z', 'z']) {
        Some(shown) => (shown, true),
        None => (text, false),
    };
    let shown: civil::DateTime = shown.parse().map_err(|_| none())?;
    let clock = match (utc, zone) {
        (true, _) => Clock::In(Zone::UTC),
        (false, Some(zone)) => Clock::In(zone.clone()),
        (false, None) => Clock::Any,
    };
    Ok((wall(shown), clock))
}

/// A time of another clock, as `clock` shows it.
fn shown_by(clock: &Clock, time: i64, of: &Clock) -> i64 {
    match (clock, of) {
        (Clock::In(here), Clock::In(there)) if here != there => {
            let instant = instant(there, time);
            Timestamp::from_second(instant).map_or(time, |at| wall(here.rules().to_datetime(at)))
        }
        _ => time,
    }
}

fn wall(shown: civil::DateTime) -> i64 {
    Offset::UTC.to_timestamp(shown).map_or(END, |at| at.as_second())
}

fn instant(zone: &Zone, wall: i64) -> i64 {
    let shown = Timestamp::from_second(wall).map(|at| Offset::UTC.to_datetime(at));
    shown.and_then(|shown| zone.rules().to_timestamp(shown)).map_or(wall, |at| at.as_second())
}

fn length(text: &str) -> Option<i64> {
    let span: Span = text.parse().ok()?;
    let length: SignedDuration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(length.as_secs()).filter(|seconds| (0..=366 * DAY).contains(seconds))
}
