//! The times of an expression on the wall clock, without any zone.
//!
//! *Wall seconds* count from 1970-01-01T00:00:00 on the wall clock as if every day had 24 hours. The time of
//! day is looked up in the sets of the fields. The `cron` crate searches the days; it is handed what it reads
//! as we do: midnights, lists of numbers, weekdays by name (it counts from Sunday, 1), and `Utc` in place of a
//! zone, because with real zones it skips, doubles and goes backwards. It knows the years 1970 to 2100. What
//! it makes of the day fields is large, and shared between expressions that name the same days.

use std::collections::HashMap;
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

use chrono::DateTime;
use jiff::civil;
use jiff::tz::Offset;

use super::expression::{DayRule, Field, Fields, Values, WEEKDAYS};

/// 2100-12-31T23:59:59, the last wall second.
pub(super) const LAST: i64 = 4_133_980_799;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The matching wall seconds of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calendar {
    times: Times,
    days: Arc<Days>,
}

/// The days that were searched for before, by their fields.
#[derive(Debug, Default)]
pub(super) struct KnownDays(HashMap<(Values, Values, Values, DayRule), Arc<Days>>);

impl KnownDays {
    fn of(&mut self, fields: &Fields) -> Arc<Days> {
        let key = (fields.days, fields.months, fields.weekdays, fields.day_rule);
        Arc::clone(self.0.entry(key).or_insert_with(|| Arc::new(Days::new(fields))))
    }
}

impl Calendar {
    pub(super) fn new(fields: &Fields, known: &mut KnownDays) -> Self {
        let Fields { seconds, minutes, hours, .. } = *fields;
        Self { times: Times { seconds, minutes, hours }, days: known.of(fields) }
    }

    /// Whether what a wall clock shows matches.
    pub(super) fn contains(&self, shown: civil::DateTime) -> bool {
        let wall = Offset::UTC.to_timestamp(shown).map(|instant| instant.as_second());
        wall.is_ok_and(|wall| self.next_after(wall - 1) == Some(wall))
    }

    /// The first match after `wall`.
    pub(super) fn next_after(&self, wall: i64) -> Option<i64> {
        let from = wall.max(-1) + 1;
        let (day, second) = (from - from % DAY, from % DAY);
        let first = self.days.first_from(day)?;
        if first > day {
            return Some(first + self.times.first_from(0)?);
        }
        match self.times.first_from(second) {
            Some(time) => Some(day + time),
            None => Some(self.days.first_from(day + DAY)? + self.times.first_from(0)?),
        }
    }

    /// The last match at or before `wall`.
    pub(super) fn last_until(&self, wall: i64) -> Option<i64> {
        let until = wall.min(LAST);
        let (day, second) = (until - until.rem_euclid(DAY), until.rem_euclid(DAY));
        let last = self.days.last_until(day)?;
        if last < day {
            return Some(last + self.times.last_until(DAY - 1)?);
        }
        match self.times.last_until(second) {
            Some(time) => Some(day + time),
            None => Some(self.days.last_until(day - DAY)? + self.times.last_until(DAY - 1)?),
        }
    }
}

/// The matching times of a day. No field is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    seconds: Values,
    minutes: Values,
    hours: Values,
}

impl Times {
    /// The first one, in seconds since midnight, that is not before `second`.
    fn first_from(self, second: i64) -> Option<i64> {
        let (hour, minute, second) = clock(second);
        let same_minute = || Some((hour, minute, self.seconds.first_from(second)?));
        let same_hour = || Some((hour, self.minutes.first_from(minute + 1)?, self.seconds.first_from(0)?));
        let later = || {
            Some((self.hours.first_from(hour + 1)?, self.minutes.first_from(0)?, self.seconds.first_from(0)?))
        };
        let in_hour =
            || if self.minutes.contains(minute) { same_minute().or_else(same_hour) } else { same_hour() };
        let found = if self.hours.contains(hour) { in_hour().or_else(later) } else { later() };
        found.map(since_midnight)
    }

    /// The last one, in seconds since midnight, that is not after `second`.
    fn last_until(self, second: i64) -> Option<i64> {
        let (hour, minute, second) = clock(second);
        let same_minute = || Some((hour, minute, self.seconds.last_below(second + 1)?));
        let same_hour = || Some((hour, self.minutes.last_below(minute)?, self.seconds.last_below(60)?));
        let earlier = || {
            Some((self.hours.last_below(hour)?, self.minutes.last_below(60)?, self.seconds.last_below(60)?))
        };
        let in_hour =
            || if self.minutes.contains(minute) { same_minute().or_else(same_hour) } else { same_hour() };
        let found = if self.hours.contains(hour) { in_hour().or_else(earlier) } else { earlier() };
        found.map(since_midnight)
    }
}

/// Hour, minute and second of a second of the day.
fn clock(second: i64) -> (u8, u8, u8) {
    ((second / HOUR) as u8, (second % HOUR / MINUTE) as u8, (second % MINUTE) as u8)
}

fn since_midnight((hour, minute, second): (u8, u8, u8)) -> i64 {
    i64::from(hour) * HOUR + i64::from(minute) * MINUTE + i64::from(second)
}

/// The matching days, each by its midnight.
#[derive(Debug, PartialEq, Eq)]
struct Days {
    first: cron::Schedule,
    /// The `cron` crate only knows days that match both fields; "either" is two schedules.
    other: Option<cron::Schedule>,
}

impl Days {
    fn new(fields: &Fields) -> Self {
        let days = list(fields.days, Field::Day);
        let weekdays = weekday_list(fields.weekdays);
        let either = fields.day_rule == DayRule::Either;
        let (first, other) = match either {
            // "Either of them" is no restriction where one of them is none.
            true if days == "*" || weekdays == "*" => (midnights(fields, "*", "*"), None),
            true => (midnights(fields, &days, "*"), Some(midnights(fields, "*", &weekdays))),
            false => (midnights(fields, &days, &weekdays), None),
        };
        Self { first, other }
    }

    /// The first one that is not before the midnight `day`.
    fn first_from(&self, day: i64) -> Option<i64> {
        let before = DateTime::from_timestamp_secs(day - 1)?;
        let of = |schedule: &cron::Schedule| schedule.after(&before).next().map(|found| found.timestamp());
        let first = of(&self.first);
        match self.other.as_ref().and_then(of) {
            Some(other) => Some(first.map_or(other, |first| first.min(other))),
            None => first,
        }
    }

    /// The last one that is not after the midnight `day`.
    fn last_until(&self, day: i64) -> Option<i64> {
        let after = DateTime::from_timestamp_secs(day + 1)?;
        let of =
            |schedule: &cron::Schedule| schedule.after(&after).next_back().map(|found| found.timestamp());
        // Nothing is less than something.
        of(&self.first).max(self.other.as_ref().and_then(of))
    }
}

fn midnights(fields: &Fields, days: &str, weekdays: &str) -> cron::Schedule {
    let text = format!("0 0 0 {days} {} {weekdays}", list(fields.months, Field::Month));
    cron::Schedule::from_str(&text).expect("checked fields make a schedule")
}

fn list(values: Values, field: Field) -> String {
    if values == field.all() {
        return "*".to_owned();
    }
    let mut list = String::new();
    for (first, last) in values.runs() {
        let comma = if list.is_empty() { "" } else { "," };
        let written = match first == last {
            true => write!(list, "{comma}{first}"),
            false => write!(list, "{comma}{first}-{last}"),
        };
        written.expect("a string takes all that is written");
    }
    list
}

fn weekday_list(values: Values) -> String {
    if values == Field::Weekday.all() {
        return "*".to_owned();
    }
    values.iter().map(|day| WEEKDAYS[usize::from(day)]).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(seconds: &[u8], minutes: &[u8], hours: &[u8]) -> Times {
        let set = |values: &[u8]| values.iter().copied().collect();
        Times { seconds: set(seconds), minutes: set(minutes), hours: set(hours) }
    }

    #[test]
    fn every_second_of_a_day_finds_its_neighbours_as_a_walk_does() {
        for times in [
            times(&[0], &[0], &[0]),
            times(&[59], &[59], &[23]),
            times(&[0, 30, 59], &[0, 15, 59], &[0, 11, 23]),
            times(&[7], &[0, 1, 2, 58, 59], &[2, 3]),
        ] {
            let matching = |second: &i64| {
                let (hour, minute, second) = clock(*second);
                times.hours.contains(hour) && times.minutes.contains(minute) && times.seconds.contains(second)
            };
            let mut next = None;
            for second in (0..DAY).rev() {
                next = Some(second).filter(matching).or(next);
                assert_eq!(times.first_from(second), next, "{times:?} from {second}");
            }
            let mut last = None;
            for second in 0..DAY {
                last = Some(second).filter(matching).or(last);
                assert_eq!(times.last_until(second), last, "{times:?} until {second}");
            }
        }
    }
}
