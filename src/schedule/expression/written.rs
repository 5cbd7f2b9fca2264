//! The fields of an expression as they were written, one by one.
//!
//! A field is looked at alone by reading the expression in which all others are `*`. So whatever a field may
//! hold is told here too, without a second reading of it.

use jiff::civil::{Date, DateTime};

use super::field::{MONTHS, WEEKDAYS};
use super::{Expression, Field, shorthand};
use crate::schedule::calendar::{Calendar, KnownDays};

/// One field as it was written.
#[derive(Debug, Clone)]
pub(in crate::schedule) struct Written {
    pub(in crate::schedule) field: Field,
    pub(in crate::schedule) text: String,
    alone: Calendar,
}

impl Expression {
    /// The words of its fields, the second first, of a shorthand those that it stands for. None where it has
    /// no fields.
    pub(in crate::schedule) fn words(&self) -> Option<[&str; 6]> {
        let text = shorthand::fields(self.as_str()).unwrap_or(self.as_str());
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            [minute, hour, day, month, weekday] => Some(["0", minute, hour, day, month, weekday]),
            _ => words.try_into().ok(),
        }
    }

    /// Its fields, each for itself, the second first. None where it has none.
    pub(in crate::schedule) fn written(&self) -> Option<[Written; 6]> {
        let mut known = KnownDays::default();
        let fields = FIELDS.into_iter().zip(self.words()?);
        let written: Option<Vec<_>> =
            fields.map(|(field, word)| Written::new(field, word, &mut known)).collect();
        written?.try_into().ok()
    }
}

const FIELDS: [Field; 6] =
    [Field::Second, Field::Minute, Field::Hour, Field::Day, Field::Month, Field::Weekday];

impl Written {
    fn new(field: Field, word: &str, known: &mut KnownDays) -> Option<Self> {
        let mut words = ["*"; 6];
        words[field as usize] = word;
        let alone: Expression = words.join(" ").parse().ok()?;
        Some(Self { field, text: word.to_owned(), alone: Calendar::new(alone.fields(), known) })
    }

    /// Whether the field alone matches what a wall clock shows.
    pub(in crate::schedule) fn matches(&self, shown: DateTime) -> bool {
        self.alone.contains(shown)
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
}
