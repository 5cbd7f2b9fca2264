use super::Values;

/// What a day field names: values, and days that each month has elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::schedule) struct DaySet {
    /// Days of the month, or weekdays from Sunday, 0, to Saturday, 6.
    pub(in crate::schedule) values: Values,
    /// Days counted back from the last one of the month, which is 0: `L`, `L-n`.
    pub(in crate::schedule) before_last: Values,
    /// Days of the month to which a working day is the nearest; 0 for the last one: `nW`, `LW`.
    pub(in crate::schedule) working: Values,
    /// The k-th such weekday of the month, as [`nth`]: `n#k`.
    pub(in crate::schedule) nth: Values,
    /// Weekdays of which it is the last one in the month: `nL`.
    pub(in crate::schedule) last: Values,
}

impl DaySet {
    /// Whether it is the same in each month.
    pub(in crate::schedule) fn is_plain(&self) -> bool {
        *self == Self { values: self.values, ..Self::default() }
    }

    pub(super) fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.values, other.values),
            (&mut self.before_last, other.before_last),
            (&mut self.working, other.working),
            (&mut self.nth, other.nth),
            (&mut self.last, other.last),
        ];
        for (mine, others) in pairs {
            *mine = mine.union(others);
        }
    }
}

impl From<Values> for DaySet {
    fn from(values: Values) -> Self {
        Self { values, ..Self::default() }
    }
}

/// The place in [`DaySet::nth`] of a weekday's `count`-th day of the month, counted from 0.
pub(in crate::schedule) fn nth(weekday: u8, count: u8) -> u8 {
    7 * count + weekday
}
