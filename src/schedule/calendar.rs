//! The times of an expression on the wall clock, without any zone.
//!
//! *Wall seconds* count from 1970-01-01T00:00:00 on the wall clock as if every day had 24 hours. The time of
//! day is looked up in the sets of the fields; the days are in `days.rs`.

use std::sync::Arc;

use super::days::{Days, KnownDays};
use super::expression::{Fields, Values};

/// 2100-12-31T23:59:59, the last wall second.
pub(super) const LAST: i64 = 4_133_980_799;

pub(super) const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The matching wall seconds of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calendar {
    times: Times,
    days: Arc<Days>,
}

impl Calendar {
    pub(super) fn new(fields: &Fields, known: &mut KnownDays) -> Self {
        let Fields { seconds, minutes, hours, ref dates, .. } = *fields;
        Self { times: Times { seconds, minutes, hours }, days: known.of(dates) }
    }

    pub(super) fn contains(&self, wall: i64) -> bool {
        let (hour, minute, second) = clock(wall.rem_euclid(DAY));
        let Times { seconds, minutes, hours } = self.times;
        self.days.contains(wall)
            && hours.contains(hour)
            && minutes.contains(minute)
            && seconds.contains(second)
    }

    /// The day, hour, minute or second around a match in which all match, from its first second to before its
    /// end; none where `wall` does not match.
    pub(super) fn matching_around(&self, wall: i64) -> Option<(i64, i64)> {
        if !self.contains(wall) {
            return None;
        }
        let is_full = |values: Values, count: usize| values.iter().count() == count;
        let Times { seconds, minutes, hours } = self.times;
        let unit = match (is_full(seconds, 60), is_full(minutes, 60), is_full(hours, 24)) {
            (true, true, true) => DAY,
            (true, true, false) => HOUR,
            (true, false, _) => MINUTE,
            (false, ..) => 1,
        };
        let first = wall - wall.rem_euclid(unit);
        Some((first, first + unit))
    }

    /// The first match after `wall`.
    pub(super) fn next_after(&self, wall: i64) -> Option<i64> {
        let from = wall.max(-1) + 1;
        let (day, second) = (from - from % DAY, from % DAY);
        let today = || self.times.first_from(second);
        match self.days.contains(day).then(today).flatten() {
            Some(time) => Some(day + time),
            None => Some(self.days.first_from(day + DAY)? + self.times.first_from(0)?),
        }
    }

    /// The last match at or before `wall`.
    pub(super) fn last_until(&self, wall: i64) -> Option<i64> {
        let until = wall.min(LAST);
        let (day, second) = (until - until.rem_euclid(DAY), until.rem_euclid(DAY));
        let today = || self.times.last_until(second);
        match self.days.contains(day).then(today).flatten() {
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
