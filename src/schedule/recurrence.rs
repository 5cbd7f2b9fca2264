//! An expression in a time zone: which instants are its slots.
//!
//! The wall clock of a zone runs evenly but for changes, which jump over some of its times and show
//! others twice. What becomes of those is up to the [`DstMode`] and to whether the expression names
//! times of day (neither its minute nor its hour starts with `*`). `@every` and `@at` do not ask it at all.
//! Slots are whole seconds, strictly ascending, in the years 1970 to 2100 of the zone's wall clock.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use jiff::{SignedDuration, Timestamp};

use super::calendar::{self, Calendar};
use super::days::KnownDays;
use super::every::Every;
use super::expression::{Dates, DayRule, Field, Fields, When};
use super::segment::{Segment, Segments};
use super::{DstMode, Expression, ScheduleKey, Zone};

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

/// No zone is further from UTC than this.
const DAY: i64 = 86_400;

/// An expression in a zone with a dst mode. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence(Arc<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    expression: Expression,
    timezone: Zone,
    dst: DstMode,
    segments: Segments,
    times: Times,
    key: ScheduleKey,
    within: Option<Box<Within>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Within {
    bounds: Bounds,
    fingerprint: ScheduleKey,
}

/// From when on, and until when, there are slots; both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// No slot before this.
    pub from: Option<Timestamp>,
    /// No slot after this.
    pub until: Option<Timestamp>,
}

/// No slot lies within bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a slot between `from` and `until`, found none\nhint: {hint}")]
pub struct BoundsError {
    hint: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Times {
    OnTheClock { calendar: Calendar, fixed_time: bool },
    Every(Every),
    At(i64),
}

/// Makes recurrences, and makes the same one only once: of many schedules most are alike.
#[derive(Debug, Default)]
pub struct Recurrences {
    /// By expression, zone and dst mode, which stand in them.
    known: HashTable<Recurrence>,
    hasher: RandomState,
    days: KnownDays,
}

impl Recurrences {
    /// As [`Recurrence::new`].
    ///
    /// # Errors
    /// As there.
    pub fn make(
        &mut self,
        expression: Expression,
        timezone: Zone,
        dst: DstMode,
    ) -> Result<Recurrence, RecurrenceError> {
        if expression.depends_on_job() {
            return Recurrence::with(expression, timezone, dst, &mut self.days);
        }
        let hash = |expression: &Expression, timezone: &Zone, dst: DstMode| {
            self.hasher.hash_one((expression.as_str(), timezone.name(), dst))
        };
        let of_this = hash(&expression, &timezone, dst);
        let is_this = |Recurrence(known): &Recurrence| {
            known.expression == expression && known.timezone == timezone && known.dst == dst
        };
        if let Some(known) = self.known.find(of_this, is_this) {
            return Ok(known.clone());
        }
        let made = Recurrence::with(expression, timezone, dst, &mut self.days)?;
        self.known.insert_unique(of_this, made.clone(), |Recurrence(known)| {
            hash(&known.expression, &known.timezone, known.dst)
        });
        Ok(made)
    }
}

/// The expression can never match: no month that it names has a day that it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a day that one of the months has, found `{expression}`, which never comes\n\
     hint: {hint}"
)]
pub struct RecurrenceError {
    expression: Box<str>,
    hint: String,
}

impl Recurrence {
    /// Puts an expression into a zone.
    ///
    /// # Errors
    /// Where the expression can never match, such as `0 0 30 2 *`.
    pub fn new(expression: Expression, timezone: Zone, dst: DstMode) -> Result<Self, RecurrenceError> {
        Self::with(expression, timezone, dst, &mut KnownDays::default())
    }

    fn with(
        mut expression: Expression,
        timezone: Zone,
        dst: DstMode,
        days: &mut KnownDays,
    ) -> Result<Self, RecurrenceError> {
        let times = match expression.when() {
            When::Fields(fields) => {
                let calendar = Calendar::new(fields, days);
                if calendar.next_after(-1).is_none() {
                    return Err(RecurrenceError::of(&expression, fields));
                }
                Times::OnTheClock { calendar, fixed_time: fields.fixed_time }
            }
            When::Every { interval, phase } => Times::Every(Every { interval: *interval, phase: *phase }),
            When::At(second) => Times::At(*second),
        };
        let key = ScheduleKey::hashed(expression.as_str(), timezone.name(), dst.as_str());
        expression.share_dates(days);
        let segments = Segments::of(&timezone);
        Ok(Self(Arc::new(Inner { expression, timezone, dst, segments, times, key, within: None })))
    }

    /// The same within bounds.
    ///
    /// # Errors
    /// Where no slot lies within them.
    pub fn within(self, bounds: Bounds) -> Result<Self, BoundsError> {
        if bounds == Bounds::default() {
            return Ok(self);
        }
        let shown = |bound: Option<Timestamp>| bound.map(|at| at.to_string()).unwrap_or_default();
        let part = format!("{} {}..{}", self.0.dst, shown(bounds.from), shown(bounds.until));
        let Inner { expression, timezone, .. } = &*self.0;
        let fingerprint = ScheduleKey::hashed(expression.as_str(), timezone.name(), &part);
        let within = Some(Box::new(Within { bounds, fingerprint }));
        let within = Self(Arc::new(Inner { within, ..(*self.0).clone() }));
        if within.next_after(Timestamp::MIN).is_none() {
            let from = bounds.from.unwrap_or(Timestamp::MIN);
            let next = self.next_after(from.checked_sub(NANOSECOND).unwrap_or(from));
            let before = bounds.until.and_then(|until| self.last_until(until));
            let hint = match (next, before) {
                (Some(next), _) if bounds.until.is_some() => format!("the first one after `from` is {next}"),
                (_, Some(before)) => format!("the last one before `until` is {before}"),
                _ => "slots lie in the years 1970 to 2100".to_owned(),
            };
            return Err(BoundsError { hint });
        }
        Ok(within)
    }

    /// The expression.
    pub fn expression(&self) -> &Expression {
        &self.0.expression
    }

    /// The zone whose wall clock it follows.
    pub fn timezone(&self) -> &Zone {
        &self.0.timezone
    }

    /// The segment of its zone's clock that holds a second since the epoch.
    pub(super) fn segment(&self, instant: i64) -> Segment {
        self.0.segments.around(instant)
    }

    /// How it meets changes of the clocks.
    pub fn dst(&self) -> DstMode {
        self.0.dst
    }

    /// From when on, and until when, it has slots.
    pub fn bounds(&self) -> Bounds {
        self.0.within.as_ref().map(|within| within.bounds).unwrap_or_default()
    }

    /// A hash of expression, zone and dst mode: the key of a schedule without an `id`.
    pub fn key(&self) -> &ScheduleKey {
        &self.0.key
    }

    /// What tells an edited schedule from an unchanged one: the key, and the bounds.
    pub fn fingerprint(&self) -> &ScheduleKey {
        self.0.within.as_ref().map_or(&self.0.key, |within| &within.fingerprint)
    }

    /// Its times on the wall clock, where it follows one.
    pub(super) fn calendar(&self) -> Option<&Calendar> {
        match &self.0.times {
            Times::OnTheClock { calendar, .. } => Some(calendar),
            Times::Every(_) | Times::At(_) => None,
        }
    }

    /// Where it names times of day: its times on the wall clock.
    pub(super) fn fixed_times(&self) -> Option<&Calendar> {
        match &self.0.times {
            Times::OnTheClock { calendar, fixed_time: true } => Some(calendar),
            _ => None,
        }
    }

    /// The first slot after `after`, exclusive.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let Bounds { from, until } = self.bounds();
        let after =
            from.and_then(|from| from.checked_sub(NANOSECOND).ok()).map_or(after, |from| after.max(from));
        let slot = self.next_unbounded(after)?;
        until.is_none_or(|until| slot <= until).then_some(slot)
    }

    /// The first instant after `after`, exclusive, that the expression names, within bounds or not.
    pub(super) fn next_unbounded(&self, after: Timestamp) -> Option<Timestamp> {
        let after = floor(after).max(-DAY);
        if after > calendar::LAST + DAY {
            return None;
        }
        match &self.0.times {
            Times::OnTheClock { calendar, fixed_time } => self.next_shown(calendar, *fixed_time, after),
            Times::Every(every) => {
                Some(every.next_after(after)).filter(|slot| *slot <= calendar::LAST).map(timestamp)
            }
            Times::At(at) => (after < *at).then(|| timestamp(*at)),
        }
    }

    fn next_shown(&self, calendar: &Calendar, fixed_time: bool, mut after: i64) -> Option<Timestamp> {
        let mut searched = None;
        loop {
            // The first instant that may be the answer decides about the segment.
            let segment = self.0.segments.around(after + 1);
            let shown = if after < segment.start { i64::MIN } else { after + segment.offset };
            let counted = shown.max(self.first_counted(&segment, fixed_time).saturating_sub(1));
            let found = match searched {
                // Nothing matches between where a search began and what it found.
                Some((from, found)) if (from..found).contains(&counted) => found,
                _ => calendar.next_after(counted)?,
            };
            let slot = (found - segment.offset).max(segment.start);
            if slot < segment.end {
                return Some(timestamp(slot));
            }
            searched = Some((counted, found));
            after = segment.end - 1;
        }
    }

    /// The last slot at or before `until`.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        let bounds = self.bounds();
        let slot = self.last_unbounded(bounds.until.map_or(until, |last| until.min(last)))?;
        bounds.from.is_none_or(|from| slot >= from).then_some(slot)
    }

    fn last_unbounded(&self, until: Timestamp) -> Option<Timestamp> {
        let until = floor(until).min(calendar::LAST + DAY);
        match &self.0.times {
            Times::OnTheClock { calendar, fixed_time } => self.last_shown(calendar, *fixed_time, until),
            Times::Every(every) => every.last_until(until.min(calendar::LAST)).map(timestamp),
            Times::At(at) => (*at <= until).then(|| timestamp(*at)),
        }
    }

    fn last_shown(&self, calendar: &Calendar, fixed_time: bool, mut until: i64) -> Option<Timestamp> {
        while until >= -DAY {
            let segment = self.0.segments.around(until);
            let found = calendar.last_until(until + segment.offset)?;
            if found >= self.first_counted(&segment, fixed_time) {
                return Some(timestamp((found - segment.offset).max(segment.start)));
            }
            until = segment.start - 1;
        }
        None
    }

    /// The first wall second that counts in a segment. Where it lies before what the clock shows first,
    /// the times between were jumped over and count at the segment's first instant; where it lies
    /// after, the times between have had their slot before the clocks were set back.
    fn first_counted(&self, segment: &Segment, fixed_time: bool) -> i64 {
        match self.0.dst {
            DstMode::Literal => segment.first_shown(),
            DstMode::Vixie if !fixed_time => segment.first_shown(),
            DstMode::Vixie => segment.high_water,
            DstMode::Skip => segment.high_water.max(segment.first_shown()),
        }
    }
}

impl RecurrenceError {
    fn of(expression: &Expression, fields: &Fields) -> Self {
        let Dates { days, months, day_rule, .. } = *fields.dates;
        let longest = months.iter().map(longest).max().expect("no field is empty");
        let have = if months.iter().count() > 1 { "these months have" } else { "this month has" };
        let too_long = days.is_plain() && days.values.iter().all(|day| day > longest);
        let instead = with_day(expression, if longest == 29 { 28 } else { longest });
        let hint = match instead.filter(|_| too_long) {
            Some(text) => format!("{have} at most {longest} days: `{text}`"),
            None if day_rule == DayRule::Both => {
                format!("{have} at most {longest} days, and a day must match both day fields")
            }
            None => format!("{have} at most {longest} days"),
        };
        Self { expression: expression.as_str().into(), hint }
    }
}

fn longest(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => *Field::Day.range().end(),
    }
}

/// The expression with another day of the month.
fn with_day(expression: &Expression, day: u8) -> Option<String> {
    let mut words: Vec<_> = expression.as_str().split_whitespace().collect();
    let place = words.len().checked_sub(3)?;
    let day = day.to_string();
    words[place] = &day;
    Some(words.join(" "))
}

/// The whole second at or before an instant.
fn floor(instant: Timestamp) -> i64 {
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}

fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("years 1969 to 2101 are within every bound")
}
