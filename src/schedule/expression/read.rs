//! Reading a field: a list of values, ranges and steps, and of what the other files here read.

use super::hash::JobHash;
use super::piece::Piece;
use super::{DaySet, ExpressionError, Field, Values, refused};

impl Field {
    /// Reads a list of values, ranges and steps.
    pub(super) fn read(self, list: Piece<'_>, hash: &mut JobHash<'_>) -> Result<Values, ExpressionError> {
        Ok(self.read_days(list, hash)?.values)
    }

    /// Reads a list that may also hold days that each month has elsewhere.
    pub(super) fn read_days(
        self,
        list: Piece<'_>,
        hash: &mut JobHash<'_>,
    ) -> Result<DaySet, ExpressionError> {
        let mut days = DaySet::default();
        for item in list.split(',') {
            if item.text.is_empty() {
                return Err(self.empty_item(list));
            }
            days.add(match self.read_by_month(item)? {
                Some(days) => days,
                None => self.read_item(item, hash)?.into_iter().collect::<Values>().into(),
            });
        }
        Ok(days)
    }

    /// Reads `*`, a value, or a range, the latter two with or without a step, or an `H`.
    fn read_item(self, item: Piece<'_>, hash: &mut JobHash<'_>) -> Result<Vec<u8>, ExpressionError> {
        refused::form(self, item)?;
        if let Some(values) = self.read_hash(item, hash)? {
            return Ok(values);
        }
        let Some((base, step)) = item.split_once('/') else { return self.read_base(item) };
        if base.text.is_empty() {
            return Err(self.step_without_range(item, "*".to_owned(), step));
        }
        let values = self.read_base(base)?;
        if values.len() == 1 && !base.text.contains('-') {
            let range = format!("{}-{}", base.text, self.last_like(base));
            return Err(self.step_without_range(item, range, step));
        }
        let step = self.step(step).ok_or_else(|| self.no_step(item, step, values[0]))?;
        Ok(values.into_iter().step_by(step).collect())
    }

    fn read_base(self, base: Piece<'_>) -> Result<Vec<u8>, ExpressionError> {
        if base.text == "*" {
            return Ok(self.once_around().collect());
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
    pub(super) fn between(self, first: u8, last: u8) -> Vec<u8> {
        if first <= last {
            return (first..=last).map(|value| self.canonical(value)).collect();
        }
        let (first, last) = (self.canonical(first), self.canonical(last));
        if first <= last {
            return (first..=last).collect();
        }
        (first..=*self.once_around().end()).chain(*self.once_around().start()..=last).collect()
    }

    fn canonical(self, value: u8) -> u8 {
        if self == Self::Weekday { value % 7 } else { value }
    }

    pub(super) fn read_value(self, value: Piece<'_>) -> Result<u8, ExpressionError> {
        if let Some(place) = self.names().iter().position(|name| name.eq_ignore_ascii_case(value.text)) {
            return Ok(self.range().start() + place as u8);
        }
        let number = value.text.parse().ok();
        let number = number.filter(|number| is_number(value.text) && self.range().contains(number));
        number.ok_or_else(|| self.no_value(value))
    }

    /// A weekday from Sunday, 0, to Saturday, 6.
    pub(super) fn read_weekday(self, value: Piece<'_>) -> Result<u8, ExpressionError> {
        self.read_value(value).map(|value| self.canonical(value))
    }

    /// A step that stays within the field.
    pub(super) fn step(self, step: Piece<'_>) -> Option<usize> {
        let within = 1..=usize::from(*self.range().end());
        step.text.parse().ok().filter(|number| is_number(step.text) && within.contains(number))
    }
}

/// Digits and nothing else: what Rust reads as a number may start with `+`.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
