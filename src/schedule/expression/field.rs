use std::fmt;
use std::ops::RangeInclusive;

use super::Values;

/// One field of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schedule) enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

pub(super) const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// From Sunday, 0.
pub(in crate::schedule) const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    /// The numbers that may stand in it.
    pub(in crate::schedule) fn range(self) -> RangeInclusive<u8> {
        match self {
            Self::Second | Self::Minute => 0..=59,
            Self::Hour => 0..=23,
            Self::Day => 1..=31,
            Self::Month => 1..=12,
            Self::Weekday => 0..=7,
        }
    }

    /// Every value it can have.
    pub(in crate::schedule) fn all(self) -> Values {
        self.once_around().collect()
    }

    /// The names that may stand for its numbers, the first for the lowest.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }

    /// Its values once around: Sunday is only 0.
    pub(super) fn once_around(self) -> RangeInclusive<u8> {
        if self == Self::Weekday { 0..=6 } else { self.range() }
    }

    /// What its values go around in.
    pub(super) fn within(self) -> &'static str {
        match self {
            Self::Second => "minute",
            Self::Minute => "hour",
            Self::Hour => "day",
            Self::Day => "month",
            Self::Month => "year",
            Self::Weekday => "week",
        }
    }

    /// The values that may stand in it, for people.
    pub(super) fn expected(self) -> String {
        let (low, high) = (self.range().start().to_string(), self.range().end().to_string());
        match self.names() {
            [first, .., last] => format!("a number from {low} to {high} or a name from {first} to {last}"),
            _ => format!("a number from {low} to {high}"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "day of week",
        })
    }
}
