//! The times of an expression on the wall clock, without any zone.
//!
//! *Wall seconds* count from 1970-01-01T00:00:00 on the wall clock as if every day had 24 hours. The
//! `cron` crate searches them; it is handed what it reads as we do: lists of numbers with the second
//! first, weekdays by name (it counts from Sunday, 1), and `Utc` in place of a zone, because with real
//! zones it skips, doubles and goes backwards. It knows the years 1970 to 2100.

use std::fmt::Write;
use std::str::FromStr;

use chrono::DateTime;

use super::expression::{DayRule, Field, Fields, Values, WEEKDAYS};

/// 2100-12-31T23:59:59, the last wall second.
pub(super) const LAST: i64 = 4_133_980_799;

/// The matching wall seconds of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calendar {
    first: cron::Schedule,
    /// The `cron` crate only knows days that match both fields; "either" is two schedules.
    other: Option<cron::Schedule>,
}

impl Calendar {
    pub(super) fn new(fields: &Fields) -> Self {
        let days = list(fields.days, Field::Day);
        let weekdays = weekday_list(fields.weekdays);
        let either = fields.day_rule == DayRule::Either;
        let (first, other) = match either {
            // "Either of them" is no restriction where one of them is none.
            true if days == "*" || weekdays == "*" => (schedule(fields, "*", "*"), None),
            true => (schedule(fields, &days, "*"), Some(schedule(fields, "*", &weekdays))),
            false => (schedule(fields, &days, &weekdays), None),
        };
        Self { first, other }
    }

    /// The first match after `wall`.
    pub(super) fn next_after(&self, wall: i64) -> Option<i64> {
        let from = DateTime::from_timestamp_secs(wall.max(-1))?;
        let of = |schedule: &cron::Schedule| schedule.after(&from).next().map(|found| found.timestamp());
        let first = of(&self.first);
        match self.other.as_ref().and_then(of) {
            Some(other) => Some(first.map_or(other, |first| first.min(other))),
            None => first,
        }
    }

    /// The last match at or before `wall`.
    pub(super) fn last_until(&self, wall: i64) -> Option<i64> {
        let from = DateTime::from_timestamp_secs(wall.min(LAST) + 1)?;
        let of = |schedule: &cron::Schedule| schedule.after(&from).next_back().map(|found| found.timestamp());
        // Nothing is less than something.
        of(&self.first).max(self.other.as_ref().and_then(of))
    }
}

fn schedule(fields: &Fields, days: &str, weekdays: &str) -> cron::Schedule {
    let text = format!(
        "{} {} {} {days} {} {weekdays}",
        list(fields.seconds, Field::Second),
        list(fields.minutes, Field::Minute),
        list(fields.hours, Field::Hour),
        list(fields.months, Field::Month),
    );
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
