//! The days of an expression, each by its midnight in wall seconds.
//!
//! Which days of a month match depends on its length and on the weekday of its first day alone: there are 28
//! kinds of months, and a set of days for each. Whether a day matches is looked up there. The next one is
//! searched for by the `cron` crate where that can say which days match, and month by month where it cannot:
//! it does not know `L`, `W` and `#`, nor days that match either field. The crate is handed what it reads as we do: midnights, lists of
//! numbers, weekdays by name (it counts from Sunday, 1), and `Utc` in place of a zone, because with real zones
//! it skips, doubles and goes backwards. It knows the years 1970 to 2100.

use std::collections::HashMap;
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

use chrono::DateTime;

use super::calendar::DAY;
use super::expression::{Dates, DayRule, DaySet, Field, Values, WEEKDAYS, nth};

/// The days that were asked for before, by their fields.
#[derive(Debug, Default)]
pub(super) struct KnownDays(HashMap<Arc<Dates>, Arc<Days>>);

impl KnownDays {
    pub(super) fn of(&mut self, dates: &Arc<Dates>) -> Arc<Days> {
        let days = self.0.entry(Arc::clone(dates)).or_insert_with(|| Arc::new(Days::new(dates)));
        Arc::clone(days)
    }

    /// The same fields as they were first asked for.
    pub(super) fn first(&self, dates: &Arc<Dates>) -> Arc<Dates> {
        Arc::clone(self.0.get_key_value(dates).map_or(dates, |(first, _)| first))
    }
}

/// The matching days. Large, and shared between expressions that name the same days.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Days {
    months: Months,
    plain: Option<Plain>,
}

impl Days {
    fn new(dates: &Dates) -> Self {
        Self { months: Months::new(dates), plain: Plain::new(dates) }
    }

    pub(super) fn contains(&self, day: i64) -> bool {
        self.months.contains(day)
    }

    /// The first one that is not before the midnight `day`.
    pub(super) fn first_from(&self, day: i64) -> Option<i64> {
        if self.contains(day) {
            return Some(day);
        }
        match &self.plain {
            Some(plain) => plain.first_from(day),
            None => self.months.first_from(day),
        }
    }

    /// The last one that is not after the midnight `day`.
    pub(super) fn last_until(&self, day: i64) -> Option<i64> {
        if self.contains(day) {
            return Some(day);
        }
        match &self.plain {
            Some(plain) => plain.last_until(day),
            None => self.months.last_until(day),
        }
    }
}

/// The years that have slots.
const YEARS: std::ops::RangeInclusive<i64> = 1970..=2100;

/// The matching days by the kind of their month.
#[derive(Debug, PartialEq, Eq)]
struct Months {
    /// From January, 1.
    months: Values,
    /// By length, from 28 on, and by the weekday of the first day, from Sunday, 0; a bit a day, from 1 on.
    days: [[u32; 7]; 4],
}

impl Months {
    fn new(named: &Dates) -> Self {
        let mut days = [[0; 7]; 4];
        for (length, row) in (28..).zip(&mut days) {
            for (first, days) in (0..).zip(row) {
                let (dates, weekdays) =
                    (dates(&named.days, length, first), weekdays(&named.weekdays, length, first));
                *days = match named.day_rule {
                    DayRule::Both => dates & weekdays,
                    DayRule::Either => dates | weekdays,
                };
            }
        }
        Self { months: named.months, days }
    }

    /// The matching days of a month, as bits from 1 on.
    fn of(&self, month: Month) -> u32 {
        if !YEARS.contains(&month.year) || !self.months.contains(month.month as u8) {
            return 0;
        }
        self.days[month.length() as usize - 28][month.first_weekday() as usize]
    }

    fn contains(&self, day: i64) -> bool {
        let (month, date) = Month::of(day);
        self.of(month) & (1 << date) != 0
    }

    fn first_from(&self, day: i64) -> Option<i64> {
        let (month, date) = Month::of(day.max(0));
        let rest = self.of(month) & (u32::MAX << date);
        if rest != 0 {
            return Some(month.midnight(rest.trailing_zeros()));
        }
        let later = std::iter::successors(Some(month.next()), |month| Some(month.next()));
        let mut later = later.take_while(|month| YEARS.contains(&month.year));
        later.find_map(|month| {
            let days = self.of(month);
            (days != 0).then(|| month.midnight(days.trailing_zeros()))
        })
    }

    fn last_until(&self, day: i64) -> Option<i64> {
        let (month, date) = Month::of(day);
        let rest = self.of(month) & (u32::MAX >> (31 - date));
        let earlier = std::iter::successors(Some(month.previous()), |month| Some(month.previous()));
        let earlier = earlier.map(|month| (month, self.of(month)));
        let mut months = std::iter::once((month, rest)).chain(earlier);
        let mut months = months.by_ref().take_while(|(month, _)| YEARS.contains(&month.year));
        months.find_map(|(month, days)| days.checked_ilog2().map(|date| month.midnight(date)))
    }
}

/// The dates of a month as bits from 1 on.
fn dates(days: &DaySet, length: u8, first: u8) -> u32 {
    let within = (u32::MAX >> (31 - length)) & !1;
    let mut dates = days.values.low_bits() & within;
    for before in days.before_last.iter().filter(|before| *before < length) {
        dates |= 1 << (length - before);
    }
    for date in days.working.iter().filter(|date| *date <= length) {
        dates |= 1 << nearest_working_day(if date == 0 { length } else { date }, length, first);
    }
    dates
}

/// The working day of the same month that is nearest to a date.
fn nearest_working_day(date: u8, length: u8, first: u8) -> u8 {
    const SUNDAY: u8 = 0;
    const SATURDAY: u8 = 6;
    match weekday_of(date, first) {
        SATURDAY if date == 1 => 3,
        SATURDAY => date - 1,
        SUNDAY if date == length => date - 2,
        SUNDAY => date + 1,
        _ => date,
    }
}

/// The days of a month that are on the weekdays, as bits from 1 on.
fn weekdays(days: &DaySet, length: u8, first: u8) -> u32 {
    let matches = |date: &u8| {
        let weekday = weekday_of(*date, first);
        days.values.contains(weekday)
            || days.nth.contains(nth(weekday, (date - 1) / 7))
            || (date + 7 > length && days.last.contains(weekday))
    };
    (1..=length).filter(matches).fold(0, |days, date| days | 1 << date)
}

fn weekday_of(date: u8, first: u8) -> u8 {
    (date - 1 + first) % 7
}

/// A month of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Month {
    year: i64,
    /// From January, 1.
    month: i64,
    /// Days from the epoch to its first.
    first: i64,
}

impl Month {
    /// The month of a day, and its date.
    fn of(day: i64) -> (Self, u32) {
        let days = day.div_euclid(DAY);
        // Years begin with March here, so that the leap day is the last one of its year.
        let since = days + 719_468;
        let (era, day_of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let date = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (Self { year, month, first: days - date + 1 }, date as u32)
    }

    fn length(self) -> i64 {
        match self.month {
            2 if self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// From Sunday, 0.
    fn first_weekday(self) -> i64 {
        // The epoch was a Thursday.
        (self.first + 4).rem_euclid(7)
    }

    fn next(self) -> Self {
        let first = self.first + self.length();
        match self.month {
            12 => Self { year: self.year + 1, month: 1, first },
            _ => Self { month: self.month + 1, first, ..self },
        }
    }

    fn previous(self) -> Self {
        let before = match self.month {
            1 => Self { year: self.year - 1, month: 12, ..self },
            _ => Self { month: self.month - 1, ..self },
        };
        Self { first: self.first - before.length(), ..before }
    }

    fn midnight(self, date: u32) -> i64 {
        (self.first + i64::from(date) - 1) * DAY
    }
}

/// Days that match both fields, each of which is the same in each month.
#[derive(Debug, PartialEq, Eq)]
struct Plain(cron::Schedule);

impl Plain {
    fn new(dates: &Dates) -> Option<Self> {
        if !dates.days.is_plain() || !dates.weekdays.is_plain() {
            return None;
        }
        let days = list(dates.days.values, Field::Day);
        let weekdays = weekday_list(dates.weekdays.values);
        match dates.day_rule {
            DayRule::Both => Some(Self(midnights(dates, &days, &weekdays))),
            // "Either of them" is no restriction where one of them is none.
            DayRule::Either if days == "*" || weekdays == "*" => Some(Self(midnights(dates, "*", "*"))),
            DayRule::Either => None,
        }
    }

    /// The first one that is not before the midnight `day`.
    fn first_from(&self, day: i64) -> Option<i64> {
        let before = DateTime::from_timestamp_secs(day - 1)?;
        self.0.after(&before).next().map(|found| found.timestamp())
    }

    /// The last one that is not after the midnight `day`.
    fn last_until(&self, day: i64) -> Option<i64> {
        let after = DateTime::from_timestamp_secs(day + 1)?;
        self.0.after(&after).next_back().map(|found| found.timestamp())
    }
}

fn midnights(dates: &Dates, days: &str, weekdays: &str) -> cron::Schedule {
    let text = format!("0 0 0 {days} {} {weekdays}", list(dates.months, Field::Month));
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
    use std::collections::BTreeSet;

    use super::*;
    use crate::schedule::Expression;

    /// Expressions whose days both searches can find.
    const PLAIN: [&str; 10] = [
        "0 0 * * *",
        "0 0 31 * *",
        "0 0 29 2 *",
        "0 0 13 * +FRI",
        "0 0 */2 * 1",
        "0 0 29 2 +SUN",
        "0 0 30 2 *",
        "0 0 30,31 4,6 *",
        "0 0 * 12 7",
        "0 0 1,15 3-11/4 *",
    ];

    #[test]
    fn a_search_by_month_finds_the_days_that_the_cron_crate_finds() {
        let days_in_all = 47_847;
        for text in PLAIN {
            let expression: Expression = text.parse().unwrap();
            let days = Days::new(&expression.fields().unwrap().dates);
            let (plain, months) = (days.plain.as_ref().unwrap(), &days.months);
            let by_cron: Vec<_> =
                std::iter::successors(plain.first_from(0), |day| plain.first_from(day + DAY)).collect();
            let forward: Vec<_> =
                std::iter::successors(months.first_from(0), |day| months.first_from(day + DAY)).collect();
            assert_eq!(forward, by_cron, "{text}");
            let end = (days_in_all - 1) * DAY;
            let mut backward: Vec<_> =
                std::iter::successors(months.last_until(end), |day| months.last_until(day - DAY)).collect();
            backward.reverse();
            assert_eq!(backward, by_cron, "{text}");
            let looked_up: Vec<_> =
                (0..days_in_all).map(|day| day * DAY).filter(|day| days.contains(*day)).collect();
            assert_eq!(looked_up, by_cron, "{text}");
        }
    }

    #[test]
    fn days_of_either_field_are_those_of_the_one_and_those_of_the_other() {
        let days = |text: &str| {
            let days = Days::new(&text.parse::<Expression>().unwrap().fields().unwrap().dates);
            std::iter::successors(days.first_from(0), |day| days.first_from(day + DAY))
                .collect::<BTreeSet<_>>()
        };
        for (either, one, other) in [
            ("0 0 13 * FRI", "0 0 13 * *", "0 0 * * FRI"),
            ("0 0 1-7,30 1,2,6 SAT-MON", "0 0 1-7,30 1,2,6 *", "0 0 * 1,2,6 SAT-MON"),
            ("0 0 30 2 1", "0 0 31 1,2 +0#1", "0 0 * 2 1"),
        ] {
            assert_eq!(days(either), &days(one) | &days(other), "{either}");
        }
    }

    #[test]
    fn a_day_has_its_month_and_a_month_its_neighbours() {
        let mut date = jiff::civil::date(1969, 12, 1);
        let mut before: Option<Month> = None;
        while date.year() < 2102 {
            let days = i64::from(date.since(jiff::civil::date(1970, 1, 1)).unwrap().get_days());
            let (month, of_month) = Month::of(days * DAY);
            assert_eq!(
                (month.year, month.month, of_month),
                (date.year().into(), date.month().into(), date.day() as u32)
            );
            assert_eq!(month.length(), i64::from(date.days_in_month()), "{date}");
            assert_eq!(
                month.first_weekday(),
                i64::from(date.first_of_month().weekday().to_sunday_zero_offset())
            );
            assert_eq!(month.midnight(of_month), days * DAY);
            if let Some(before) = before.filter(|before| *before != month) {
                assert_eq!((before.next(), month.previous()), (month, before));
            }
            before = Some(month);
            date = date.tomorrow().unwrap();
        }
    }
}
