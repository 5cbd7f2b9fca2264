use std::fmt;
use std::ops::RangeInclusive;

use super::piece::Piece;
use super::{ExpressionError, Values, refused};

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

const MONTHS: [&str; 12] =
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
        self.cycle().collect()
    }

    /// The names that may stand for its numbers, the first for the lowest.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }

    /// Its values once around: Sunday is only 0.
    fn cycle(self) -> RangeInclusive<u8> {
        if self == Self::Weekday { 0..=6 } else { self.range() }
    }

    /// Reads a list of values, ranges and steps.
    pub(super) fn read(self, list: Piece<'_>) -> Result<Values, ExpressionError> {
        let mut values = Values::default();
        for item in list.split(',') {
            if item.text.is_empty() {
                return Err(self.empty_item(list));
            }
            self.read_item(item)?.into_iter().for_each(|value| values.insert(value));
        }
        Ok(values)
    }

    /// Reads `*`, a value, or a range, the latter two with or without a step.
    fn read_item(self, item: Piece<'_>) -> Result<Vec<u8>, ExpressionError> {
        refused::form(self, item)?;
        let Some((base, step)) = item.split_once('/') else { return self.read_base(item) };
        if base.text.is_empty() {
            return Err(self.step_without_range(item, "*".to_owned(), step));
        }
        let values = self.read_base(base)?;
        if values.len() == 1 && !base.text.contains('-') {
            let range = format!("{}-{}", base.text, self.last_like(base));
            return Err(self.step_without_range(item, range, step));
        }
        let step = self.read_step(item, step, values[0])?;
        Ok(values.into_iter().step_by(step).collect())
    }

    fn read_base(self, base: Piece<'_>) -> Result<Vec<u8>, ExpressionError> {
        if base.text == "*" {
            return Ok(self.cycle().collect());
        }
        let Some((first, last)) = base.split_once('-') else {
            return Ok(vec![self.canonical(self.read_value(base)?)]);
        };
        if first.text.is_empty() || last.text.is_empty() || last.text.contains('-') {
            return Err(self.no_value(base));
        }
        Ok(self.between(self.read_value(first)?, self.read_value(last)?))
    }

    /// The values from one to another, around the end of the cycle where that is on the way.
    fn between(self, first: u8, last: u8) -> Vec<u8> {
        if first <= last {
            return (first..=last).map(|value| self.canonical(value)).collect();
        }
        let (first, last) = (self.canonical(first), self.canonical(last));
        if first <= last {
            return (first..=last).collect();
        }
        (first..=*self.cycle().end()).chain(*self.cycle().start()..=last).collect()
    }

    fn canonical(self, value: u8) -> u8 {
        if self == Self::Weekday { value % 7 } else { value }
    }

    fn read_value(self, value: Piece<'_>) -> Result<u8, ExpressionError> {
        if let Some(place) = self.names().iter().position(|name| name.eq_ignore_ascii_case(value.text)) {
            return Ok(self.range().start() + place as u8);
        }
        let digits = !value.text.is_empty() && value.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.text.parse().ok().filter(|number| digits && self.range().contains(number));
        number.ok_or_else(|| self.no_value(value))
    }

    fn read_step(self, item: Piece<'_>, step: Piece<'_>, first: u8) -> Result<usize, ExpressionError> {
        let most = *self.range().end();
        let digits = step.text.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            step.text.parse().ok().filter(|number| digits && (1..=usize::from(most)).contains(number));
        number.ok_or_else(|| {
            let message =
                format!("{self}: expected a step from 1 to {most} after `/`, found {}", or_nothing(step));
            let error = ExpressionError::new(item.span(), message);
            match step.text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) && digits {
                true => error.with_hint(format!(
                    "a step counts within one {}; this would match only `{first}`",
                    self.cycle_name()
                )),
                false => error,
            }
        })
    }

    fn cycle_name(self) -> &'static str {
        match self {
            Self::Second => "minute",
            Self::Minute => "hour",
            Self::Hour => "day",
            Self::Day => "month",
            Self::Month => "year",
            Self::Weekday => "week",
        }
    }

    fn expected(self) -> String {
        let (low, high) = (self.range().start().to_string(), self.range().end().to_string());
        match self.names() {
            [first, .., last] => format!("a number from {low} to {high} or a name from {first} to {last}"),
            _ => format!("a number from {low} to {high}"),
        }
    }

    fn no_value(self, found: Piece<'_>) -> ExpressionError {
        let message = format!("{self}: expected {}, found {}", self.expected(), or_nothing(found));
        let error = ExpressionError::new(found.span(), message);
        match self.hint_for(found.text) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn hint_for(self, found: &str) -> Option<String> {
        match (self, found) {
            (Self::Second | Self::Minute, "60") => {
                return Some(format!("a full {} is `0`", self.cycle_name()));
            }
            (Self::Hour, "24") => return Some("midnight is `0`".to_owned()),
            (Self::Day | Self::Month, "0") => return Some(format!("the first {self} is `1`")),
            (_, "?") => return Some("`?` stands only in a day field, alone; `*` means any".to_owned()),
            _ => {}
        }
        let other = [Self::Month, Self::Weekday].into_iter().find(|field| {
            *field != self && field.names().iter().any(|name| name.eq_ignore_ascii_case(found))
        });
        if let Some(other) = other {
            return Some(format!(
                "`{found}` is a {other}; the order is minute, hour, day of month, month, day of week"
            ));
        }
        self.nearest_name(found).map(|name| format!("`{name}`"))
    }

    /// The name that was meant: spelt out in full, or one letter off.
    fn nearest_name(self, found: &str) -> Option<&'static str> {
        let found = found.to_ascii_uppercase();
        let spelt_out = |name: &&&str| found.len() > 3 && found.starts_with(**name);
        let one_off = |name: &&&str| strsim::damerau_levenshtein(&found, name) == 1;
        self.names().iter().find(spelt_out).or_else(|| self.names().iter().find(one_off)).copied()
    }

    /// The last value, written as `value` is: by name or by number.
    fn last_like(self, value: Piece<'_>) -> String {
        let named = value.text.starts_with(|c: char| c.is_ascii_alphabetic());
        match self.names() {
            [.., last] if named => (*last).to_owned(),
            _ => self.cycle().end().to_string(),
        }
    }

    fn step_without_range(self, item: Piece<'_>, range: String, step: Piece<'_>) -> ExpressionError {
        let message = format!("{self}: expected `*` or a range before `/`, found `{}`", item.text);
        ExpressionError::new(item.span(), message).with_hint(format!("`{range}/{}`", step.text))
    }

    fn empty_item(self, list: Piece<'_>) -> ExpressionError {
        let filled: Vec<_> = list.text.split(',').filter(|item| !item.is_empty()).collect();
        let found = or_nothing(list);
        let message = format!("{self}: expected a value on each side of a comma, found {found}");
        let error = ExpressionError::new(list.span(), message);
        if filled.is_empty() { error } else { error.with_hint(format!("`{}`", filled.join(","))) }
    }
}

fn or_nothing(piece: Piece<'_>) -> String {
    if piece.text.is_empty() { "nothing".to_owned() } else { format!("`{}`", piece.text) }
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
