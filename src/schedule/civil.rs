//! Civil time: which wall-clock seconds match. `cron` lives here and nowhere else, and never sees a
//! zone: it is handed wall-clock times as if they were UTC.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::expression::Days;
use super::field::{Field, Values};

/// A wall-clock second, counted from 1970-01-01T00:00:00 on the same wall clock.
pub(super) type CivilSecond = i64;

/// Before this, and after the year 2100, there are no slots.
const FIRST: CivilSecond = 0;

/// The wall-clock seconds of an expression.
#[derive(Debug)]
pub(super) struct CivilSchedule {
    schedule: cron::Schedule,
    /// Where either day field may match: the schedule of the other one.
    other: Option<cron::Schedule>,
}

impl CivilSchedule {
    pub(super) fn new(time: [Values; 3], month: Values, days: Days) -> Self {
        let [second, minute, hour] = time;
        let schedule = |day: &str, weekday: &str| {
            let text = [
                &*Field::Second.for_cron(second),
                &*Field::Minute.for_cron(minute),
                &*Field::Hour.for_cron(hour),
                day,
                &*Field::Month.for_cron(month),
                weekday,
            ]
            .join(" ");
            cron::Schedule::from_str(&text).expect("lists of checked values are what it reads")
        };
        let (day, weekday) = (Field::DayOfMonth.for_cron(days.month), Field::DayOfWeek.for_cron(days.week));
        if days.both {
            return Self { schedule: schedule(&day, &weekday), other: None };
        }
        Self { schedule: schedule(&day, "*"), other: Some(schedule("*", &weekday)) }
    }

    /// The first match after `after`.
    pub(super) fn next_after(&self, after: CivilSecond) -> Option<CivilSecond> {
        let after = chrono_time(after.max(FIRST - 1))?;
        let next = |schedule: &cron::Schedule| schedule.after(&after).next().map(|time| time.timestamp());
        match &self.other {
            None => next(&self.schedule),
            Some(other) => [next(&self.schedule), next(other)].into_iter().flatten().min(),
        }
    }

    /// The last match before `before`.
    pub(super) fn last_before(&self, before: CivilSecond) -> Option<CivilSecond> {
        let before = chrono_time(before)?;
        let last =
            |schedule: &cron::Schedule| schedule.after(&before).next_back().map(|time| time.timestamp());
        let last = match &self.other {
            None => last(&self.schedule),
            Some(other) => last(&self.schedule).max(last(other)),
        };
        last.filter(|second| *second >= FIRST)
    }
}

fn chrono_time(second: CivilSecond) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(second, 0)
}
