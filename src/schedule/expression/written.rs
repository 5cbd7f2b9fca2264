//! The fields of an expression as they were written, one by one.
//!
//! A field is looked at alone by reading the expression in which all others are `*`. So whatever a field may
//! hold is told here too, without a second reading of it.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::field::{MONTHS, WEEKDAYS};
use super::{Expression, Field, shorthand};
use crate::schedule::calendar::Calendar;
use crate::schedule::days::KnownDays;

/// One field as it was written.
#[derive(Debug, Clone)]
pub(in crate::schedule) struct Written {
    pub(in crate::schedule) field: Field,
    pub(in crate::schedule) text: String,
    alone: Calendar,
}

impl Expression {
    /// The words of its fields with what stands for each `H`, the second first; of a shorthand those that it
    /// stands for. None where it has no fields.
    pub(in crate::schedule) fn words(&self) -> Option<[&str; 6]> {
        self.fields().and_then(|_| words(self.resolved().unwrap_or(self.as_str())))
    }

    /// Its fields, each for itself, the second first. None where it has none.
    pub(in crate::schedule) fn written(&self) -> Option<[Written; 6]> {
        let mut known = KnownDays::default();
        let fields = FIELDS.into_iter().zip(words(self.as_str())?).zip(self.words()?);
        let written: Option<Vec<_>> =
            fields.map(|((field, text), word)| Written::new(field, text, word, &mut known)).collect();
        written?.try_into().ok()
    }
}

fn words(text: &str) -> Option<[&str; 6]> {
    let words: Vec<_> = shorthand::fields(text).unwrap_or(text).split_whitespace().collect();
    match words[..] {
        [minute, hour, day, month, weekday] => Some(["0", minute, hour, day, month, weekday]),
        _ => words.try_into().ok(),
    }
}

const FIELDS: [Field; 6] =
    [Field::Second, Field::Minute, Field::Hour, Field::Day, Field::Month, Field::Weekday];

impl Written {
    /// A field that was written as `text`, where `word` is what that comes to.
    fn new(field: Field, text: &str, word: &str, known: &mut KnownDays) -> Option<Self> {
        let mut words = ["*"; 6];
        words[field as usize] = word;
        let alone: Expression = words.join(" ").parse().ok()?;
        Some(Self { field, text: text.to_owned(), alone: Calendar::new(alone.fields()?, known) })
    }

    /// Whether the field alone matches what a wall clock shows.
    pub(in crate::schedule) fn matches(&self, shown: DateTime) -> bool {
        Offset::UTC.to_timestamp(shown).is_ok_and(|wall| self.alone.contains(wall.as_second()))
    }

    /// The values that it has, for people: of the day fields those in the month of `shown`.
    pub(in crate::schedule) fn values(&self, shown: DateTime) -> String {
        let same_month = |date: Date| date.month() == shown.month();
        let month = || {
            shown
                .date()
                .first_of_month()
                .series(jiff::Span::new().days(1))
                .take_while(move |date| same_month(*date))
        };
        let matching: Vec<DateTime> = self.every(shown, month()).filter(|time| self.matches(*time)).collect();
        let all = self.every(shown, month()).count();
        if matching.len() == all {
            return "any".to_owned();
        }
        let mut values: Vec<i8> = matching.iter().map(|time| self.value(*time)).collect();
        values.sort_unstable();
        values.dedup();
        let listed = runs(&values).into_iter().map(|(first, last)| match first == last {
            true => self.name(first),
            false => format!("{}-{}", self.name(first), self.name(last)),
        });
        let listed = listed.collect::<Vec<_>>().join(",");
        let of_these_days =
            month().filter(|date| values.contains(&date.weekday().to_sunday_zero_offset())).count();
        match self.field {
            _ if listed.is_empty() => "none this month".to_owned(),
            // Only some of the weekdays of that name.
            Field::Weekday if matching.len() < of_these_days => {
                let days: Vec<_> = matching.iter().map(|time| time.day().to_string()).collect();
                format!("{listed} (the {})", days.join(", "))
            }
            _ => listed,
        }
    }

    /// What `shown` has in this field, for people.
    pub(in crate::schedule) fn shown(&self, shown: DateTime) -> String {
        self.name(self.value(shown))
    }

    /// `shown` with every value of the field.
    fn every(&self, shown: DateTime, month: impl Iterator<Item = Date>) -> impl Iterator<Item = DateTime> {
        let with = |value: i8| {
            let shown = shown.with();
            match self.field {
                Field::Second => shown.second(value),
                Field::Minute => shown.minute(value),
                Field::Hour => shown.hour(value),
                _ => shown.day(1).month(value),
            }
            .build()
            .expect("every value is there on every day")
        };
        let range = self.field.once_around();
        match self.field {
            Field::Day | Field::Weekday => {
                month.map(|date| date.to_datetime(shown.time())).collect::<Vec<_>>()
            }
            _ => (*range.start() as i8..=*range.end() as i8).map(with).collect(),
        }
        .into_iter()
    }

    fn value(&self, shown: DateTime) -> i8 {
        match self.field {
            Field::Second => shown.second(),
            Field::Minute => shown.minute(),
            Field::Hour => shown.hour(),
            Field::Day => shown.day(),
            Field::Month => shown.month(),
            Field::Weekday => shown.weekday().to_sunday_zero_offset(),
        }
    }

    fn name(&self, value: i8) -> String {
        let place = usize::try_from(value).unwrap_or_default();
        match self.field {
            Field::Month => MONTHS[place - 1].to_owned(),
            Field::Weekday => WEEKDAYS[place].to_owned(),
            _ => value.to_string(),
        }
    }
}

/// The runs of neighbours, each with its first and last value.
fn runs(values: &[i8]) -> Vec<(i8, i8)> {
    values.chunk_by(|a, b| a + 1 == *b).map(|run| (run[0], run[run.len() - 1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_told_as_written_with_its_values() {
        let shown: DateTime = "2026-03-29T02:30:00".parse().unwrap();
        for (expression, expected) in [
            ("30 2 * * *", "0=0:0+ 30=30:30+ 2=2:2+ *=any:29+ *=any:MAR+ *=any:SUN+"),
            (
                "*/20 22-1 13,29 JAN-FEB,12 FRI-MON",
                "0=0:0+ */20=0,20,40:30- 22-1=0-1,22-23:2- 13,29=13,29:29+ JAN-FEB,12=JAN-FEB,DEC:MAR- FRI-MON=SUN-MON,FRI-SAT:SUN+",
            ),
            ("@weekly", "0=0:0+ 0=0:30- 0=0:2- *=any:29+ *=any:MAR+ 0=SUN:SUN+"),
            (
                "0 0 L,15W * SUNL,2#5",
                "0=0:0+ 0=0:30- 0=0:2- L,15W=16,31:29- *=any:MAR+ SUNL,2#5=SUN,TUE (the 29, 31):SUN+",
            ),
            ("5 0 2 ? * +TUE", "5=5:0- 0=0:30- 2=2:2+ ?=any:29+ *=any:MAR+ +TUE=TUE:SUN-"),
        ] {
            let read: Expression = expression.parse().unwrap();
            let told = |field: &Written| {
                let matches = if field.matches(shown) { '+' } else { '-' };
                format!("{}={}:{}{matches}", field.text, field.values(shown), field.shown(shown))
            };
            let told: Vec<_> = read.written().unwrap().iter().map(told).collect();
            assert_eq!(told.join(" "), expected, "{expression}");
        }
    }

    #[test]
    fn a_value_by_the_jobs_name_is_told_as_written_with_what_it_stands_for() {
        let read = Expression::for_job("H H(0-5) * * *", "etl.nightly").unwrap();
        assert_eq!(read.words(), Some(["0", "48", "2", "*", "*", "*"]));
        let [_, minute, hour, ..] = read.written().unwrap();
        let shown: DateTime = "2026-03-29T02:30:00".parse().unwrap();
        assert_eq!((minute.text.as_str(), minute.values(shown).as_str()), ("H", "48"));
        assert_eq!((hour.text.as_str(), hour.values(shown).as_str()), ("H(0-5)", "2"));
        assert!(hour.matches(shown) && !minute.matches(shown));
    }

    #[test]
    fn what_has_no_fields_has_none_however_many_words_it_has() {
        for expression in ["@every 15m", "@every 1d 2h 3m 4s", "@at 2026-12-01T02:00:00Z"] {
            let read: Expression = expression.parse().unwrap();
            assert!(read.words().is_none() && read.written().is_none(), "{expression}");
        }
    }
}
