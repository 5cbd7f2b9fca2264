use std::fmt;

/// A set of numbers below 64: the values of one field.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::schedule) struct Values(u64);

impl Values {
    pub(super) fn insert(&mut self, value: u8) {
        debug_assert!(value < 64, "no field has a value of {value}");
        self.0 |= 1 << value;
    }

    pub(in crate::schedule) fn contains(self, value: u8) -> bool {
        value < 64 && self.0 & (1 << value) != 0
    }

    /// The least value that is not below `value`, at most 63.
    pub(in crate::schedule) fn first_from(self, value: u8) -> Option<u8> {
        let rest = self.0 & (u64::MAX << value);
        (rest != 0).then(|| rest.trailing_zeros() as u8)
    }

    /// The greatest value below `value`, at most 63.
    pub(in crate::schedule) fn last_below(self, value: u8) -> Option<u8> {
        (self.0 & !(u64::MAX << value)).checked_ilog2().map(|value| value as u8)
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The values below 32 as bits.
    pub(in crate::schedule) fn low_bits(self) -> u32 {
        self.0 as u32
    }

    pub(in crate::schedule) fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |value| self.contains(*value))
    }

    /// The runs of neighbours in it, each with its first and last value.
    pub(in crate::schedule) fn runs(self) -> Vec<(u8, u8)> {
        let mut runs: Vec<(u8, u8)> = Vec::new();
        for value in self.iter() {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == value => *last = value,
                _ => runs.push((value, value)),
            }
        }
        runs
    }
}

impl FromIterator<u8> for Values {
    fn from_iter<I: IntoIterator<Item = u8>>(values: I) -> Self {
        let mut set = Self::default();
        values.into_iter().for_each(|value| set.insert(value));
        set
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
