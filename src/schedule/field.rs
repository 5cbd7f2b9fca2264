//! One field of an expression: text in, set of values out.

use std::ops::Range;

use super::expression::ExpressionError;

/// A field, and the values that it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

/// The values that a field matches: bit *n* for the value *n*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values(u64);

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        }
    }

    /// The least and the greatest value as they are written. 7 is Sunday, as 0 is.
    fn bounds(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// The greatest value of its own: Sunday counts once.
    fn last(self) -> u8 {
        if self == Self::DayOfWeek { 6 } else { self.bounds().1 }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    fn is_day(self) -> bool {
        matches!(self, Self::DayOfMonth | Self::DayOfWeek)
    }

    fn all(self) -> Values {
        Values((self.bounds().0..=self.last()).fold(0, |bits, value| bits | 1 << value))
    }

    /// What `cron` reads for these values. Weekdays go by name: it counts them from Sunday = 1.
    pub(super) fn for_cron(self, values: Values) -> String {
        if values == self.all() {
            return "*".to_owned();
        }
        let word = |value: u8| match self {
            Self::DayOfWeek => WEEKDAYS[usize::from(value)].to_owned(),
            _ => value.to_string(),
        };
        let words: Vec<String> = (0..64).filter(|value| values.0 >> value & 1 == 1).map(word).collect();
        words.join(",")
    }

    /// Parses the field's text, which begins at `at` in the expression.
    pub(super) fn parse(self, text: &str, at: usize) -> Result<Values, ExpressionError> {
        let mut bits = 0;
        let mut begin = at;
        for item in text.split(',') {
            bits |= Item { field: self, text: item, at: begin }.parse()?;
            begin += item.len() + 1;
        }
        Ok(Values(bits))
    }
}

/// One item of a list: `*`, `5`, `1-5`, `*/2`, `FRI-MON/2`.
struct Item<'a> {
    field: Field,
    text: &'a str,
    at: usize,
}

impl Item<'_> {
    fn parse(&self) -> Result<u64, ExpressionError> {
        if self.text.is_empty() {
            return Err(
                self.error("found nothing", Some("remove the comma, or write a value beside it".into()))
            );
        }
        self.refuse_what_is_not_read_yet()?;
        let (range, step) = match self.text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (self.text, None),
        };
        match (range, step) {
            ("?", Some(_)) => Err(self.error(&self.found(), Some("`?` takes no step; write `*/…`".into()))),
            ("?", None) if !self.field.is_day() => {
                Err(self.error("found `?`", Some("`?` stands in the day fields only; write `*`".into())))
            }
            ("*" | "?", step) => {
                let first = self.field.bounds().0;
                Ok(stepped(first, self.field.last(), step.unwrap_or(1), self.field))
            }
            (range, step) => self.range(range, step),
        }
    }

    fn range(&self, range: &str, step: Option<u8>) -> Result<u64, ExpressionError> {
        match (range.split_once('-'), step) {
            (Some((first, last)), step) => {
                let (first, last) = (self.value(first)?, self.value(last)?);
                // Monday to 7 and Sunday to Monday are ranges that go on; 7 alone begins the week.
                let first = if self.field == Field::DayOfWeek && first == 7 { 0 } else { first };
                Ok(stepped(first, last, step.unwrap_or(1), self.field))
            }
            (None, None) => {
                let value = self.value(range)?;
                Ok(stepped(value, value, 1, self.field))
            }
            (None, Some(step)) => {
                let value = self.value(range)?;
                let hint = format!("write `{value}-{}/{step}`, or `{value}`", self.field.last());
                Err(self.error(&format!("found `{}`, a step without a range", self.text), Some(hint)))
            }
        }
    }

    fn value(&self, text: &str) -> Result<u8, ExpressionError> {
        let (least, greatest) = self.field.bounds();
        let named = self.field.names().iter().position(|name| name.eq_ignore_ascii_case(text));
        if let Some(index) = named {
            return Ok(index as u8 + least);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u8>() {
            Ok(value) if digits && (least..=greatest).contains(&value) => Ok(value),
            _ => Err(self.error(&format!("found `{text}`"), self.nearest_name(text))),
        }
    }

    fn nearest_name(&self, text: &str) -> Option<String> {
        let text = text.to_ascii_uppercase();
        let short = text.get(..3)?;
        self.field.names().contains(&short).then(|| format!("write `{short}`"))
    }

    fn step(&self, text: &str) -> Result<u8, ExpressionError> {
        let greatest = self.field.last() - self.field.bounds().0;
        match text.parse::<u8>() {
            Ok(step) if (1..=greatest).contains(&step) && !text.starts_with('+') => Ok(step),
            _ => {
                let message =
                    format!("{}: expected a step of 1 to {greatest}, found `{text}`", self.field.name());
                Err(ExpressionError::new(self.span(), message, None))
            }
        }
    }

    /// `L W # H` have their place here, and come later.
    fn refuse_what_is_not_read_yet(&self) -> Result<(), ExpressionError> {
        let upper = self.text.to_ascii_uppercase();
        let hashed = upper == "H" || upper.starts_with("H(") || upper.starts_with("H/");
        let numbered = |sign: char| {
            let rest: String =
                upper.chars().filter(|c| *c != sign && *c != '-' && !c.is_ascii_digit()).collect();
            upper.contains(sign) && (rest.is_empty() || rest == "L" || WEEKDAYS.contains(&rest.as_str()))
        };
        let sign = match self.field {
            _ if hashed => "H",
            Field::DayOfMonth if numbered('W') => "W",
            Field::DayOfMonth | Field::DayOfWeek if numbered('L') => "L",
            Field::DayOfWeek if upper.contains('#') => "#",
            _ => return Ok(()),
        };
        let message = format!("{}: `{sign}` is not supported yet, found `{}`", self.field.name(), self.text);
        let hint = match sign {
            "H" => "write a number of your own choice",
            _ => "list the days, and let the command decide whether it is the one",
        };
        Err(ExpressionError::new(self.span(), message, Some(hint.to_owned())))
    }

    fn found(&self) -> String {
        format!("found `{}`", self.text)
    }

    fn error(&self, found: &str, hint: Option<String>) -> ExpressionError {
        let (least, greatest) = self.field.bounds();
        let names = match self.field.names() {
            [] => String::new(),
            [first, .., last] => format!(" or {first} to {last}"),
            [only] => format!(" or {only}"),
        };
        let message = format!("{}: expected {least} to {greatest}{names}, {found}", self.field.name());
        ExpressionError::new(self.span(), message, hint)
    }

    fn span(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }
}

/// `first` to `last` by `step`, around the end of the field where `last` lies before `first`.
fn stepped(first: u8, last: u8, step: u8, field: Field) -> u64 {
    let least = field.bounds().0;
    let size = field.last() - least + 1;
    let length = if first <= last { last - first } else { size - (first - last) };
    let offsets = (0..=length).step_by(usize::from(step));
    offsets.fold(0, |bits, offset| bits | 1 << (least + (first - least + offset) % size))
}
