//! What is wrong with a field, and what was probably meant.

use super::piece::Piece;
use super::read::is_number;
use super::{ExpressionError, Field};
use crate::hint::is_name_like;

impl Field {
    pub(super) fn no_value(self, found: Piece<'_>) -> ExpressionError {
        let message = format!("{self}: expected {}, found {}", self.expected(), or_nothing(found));
        ExpressionError::new(found.span(), message, self.hint_for(found.text))
    }

    pub(super) fn no_step(self, item: Piece<'_>, step: Piece<'_>, first: u8) -> ExpressionError {
        let most = self.range().end().to_string();
        let message =
            format!("{self}: expected a step from 1 to {most} after `/`, found {}", or_nothing(step));
        let too_far = is_number(step.text) && step.text.bytes().any(|byte| byte != b'0');
        let hint = match too_far {
            true => format!("a step counts within one {}; this would match only `{first}`", self.within()),
            false => format!("`*` is every {self}, `*/2` every second one"),
        };
        ExpressionError::new(item.span(), message, hint)
    }

    fn hint_for(self, found: &str) -> String {
        match (self, found) {
            (Self::Second | Self::Minute, "60") => return format!("a full {} is `0`", self.within()),
            (Self::Hour, "24") => return "midnight is `0`".to_owned(),
            (Self::Day | Self::Month, "0") => return format!("the first {self} is `1`"),
            (Self::Weekday, number) if is_number(number) => return "Sunday is `0` or `7`".to_owned(),
            (_, number) if is_number(number) => {
                return format!("the last {self} is `{}`", self.range().end());
            }
            (Self::Second | Self::Minute | Self::Hour | Self::Month, form) if is_by_month(form) => {
                return "`L`, `W` and `#` stand only in day fields".to_owned();
            }
            (_, "?") => return "`?` stands only in a day field, alone; `*` means any".to_owned(),
            _ => {}
        }
        let other = [Self::Month, Self::Weekday].into_iter().find(|field| {
            *field != self && field.names().iter().any(|name| name.eq_ignore_ascii_case(found))
        });
        if let Some(other) = other {
            return format!(
                "`{found}` is a {other}; the order is minute, hour, day of month, month, day of week"
            );
        }
        match self.nearest_name(found) {
            Some(name) => format!("`{name}`"),
            None => "`*` means any; a list is written `1,3`, a range `1-5`, a step `*/2`".to_owned(),
        }
    }

    /// The name that was meant: spelt out in full, or one letter off.
    fn nearest_name(self, found: &str) -> Option<&'static str> {
        if !is_name_like(found) {
            return None;
        }
        let found = found.to_ascii_uppercase();
        let spelt_out = |name: &&&str| found.len() > 3 && found.starts_with(**name);
        let one_off = |name: &&&str| strsim::damerau_levenshtein(&found, name) == 1;
        self.names().iter().find(spelt_out).or_else(|| self.names().iter().find(one_off)).copied()
    }

    /// The last value, written as `value` is: by name or by number.
    pub(super) fn last_like(self, value: Piece<'_>) -> String {
        let named = value.text.starts_with(|c: char| c.is_ascii_alphabetic());
        match self.names() {
            [.., last] if named => (*last).to_owned(),
            _ => self.once_around().end().to_string(),
        }
    }

    pub(super) fn step_without_range(
        self,
        item: Piece<'_>,
        range: String,
        step: Piece<'_>,
    ) -> ExpressionError {
        let message = format!("{self}: expected `*` or a range before `/`, found `{}`", item.text);
        let step = self.step(step).unwrap_or(2);
        ExpressionError::new(item.span(), message, format!("`{range}/{step}`"))
    }

    pub(super) fn empty_item(self, list: Piece<'_>) -> ExpressionError {
        let filled: Vec<_> = list.text.split(',').filter(|item| !item.is_empty()).collect();
        let found = or_nothing(list);
        let message = format!("{self}: expected a value on each side of a comma, found {found}");
        let hint = match filled.is_empty() {
            true => "`*` means any".to_owned(),
            false => format!("`{}`", filled.join(",")),
        };
        ExpressionError::new(list.span(), message, hint)
    }
}

/// Whether it would be a day that each month has elsewhere.
fn is_by_month(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    upper == "L"
        || upper == "LW"
        || upper.strip_prefix("L-").is_some_and(is_number)
        || upper.strip_suffix(['L', 'W']).is_some_and(is_number)
        || upper.contains('#')
}

fn or_nothing(piece: Piece<'_>) -> String {
    if piece.text.is_empty() { "nothing".to_owned() } else { format!("`{}`", piece.text) }
}
