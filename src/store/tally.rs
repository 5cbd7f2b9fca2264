//! The tally: what all records add up to, by which a lost one is missed.
//!
//! sled checks each page, but at a damaged one it may take the rest of its log for unwritten, and
//! start without. So every group of commits writes, in its own batch, how many groups there have been,
//! how many records there are, and the sum of their hashes; and the [`Mark`](super::mark::Mark) beside
//! sled says how many groups were acknowledged. A sum that differs is a record lost or changed; a count
//! of groups below the mark is an end that was cut off.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::key;
use super::record;

/// What the records of a store add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Groups of commits written so far.
    pub(super) groups: u64,
    /// Records there are.
    pub(super) records: u64,
    /// The sum of their hashes, in whatever order.
    sum: u128,
}

impl Tally {
    /// The tally that the newest group of `tree` wrote; none before the first.
    pub(super) fn stored(tree: &sled::Tree) -> Result<Option<Self>, StoreError> {
        let at = key::meta(key::TALLY);
        let value = tree.get(&at).map_err(read_error)?;
        value.map(|value| record::decode("tally", &at, &value)).transpose()
    }

    /// Counts and adds up the records that are in `tree`.
    pub(super) fn of(tree: &sled::Tree) -> Result<Self, StoreError> {
        // Those that there are many of go beside each other.
        let ends = key::MANY.map(|prefix| vec![prefix, prefix + 1]).concat();
        let bounds: Vec<Option<u8>> =
            [None].into_iter().chain(ends.into_iter().map(Some)).chain([None]).collect();
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> = bounds
                .windows(2)
                .map(|bounds| scope.spawn(|| Self::of_range(tree, bounds[0], bounds[1])))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let parts: Result<Vec<Self>, StoreError> = parts;
        Ok(parts?.into_iter().fold(Self::default(), |all, part| all.and(&part)))
    }

    fn of_range(tree: &sled::Tree, first: Option<u8>, end: Option<u8>) -> Result<Self, StoreError> {
        let first = first.map_or(Vec::new(), |prefix| vec![prefix]);
        let rows = match end {
            Some(end) => tree.range(first..vec![end]),
            None => tree.range(first..),
        };
        let mut tally = Self::default();
        for row in rows {
            let (key, value) = row.map_err(read_error)?;
            tally.add(&key, &value);
        }
        Ok(tally)
    }

    /// Both together; neither counts groups.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self { groups: 0, records: self.records + other.records, sum: self.sum.wrapping_add(other.sum) }
    }

    /// The same, `groups` having been written.
    pub(super) fn after(self, groups: u64) -> Self {
        Self { groups, ..self }
    }

    /// Counts a record in.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        if !key::is_meta(key) {
            self.records += 1;
            self.sum = self.sum.wrapping_add(hash(key, value));
        }
    }

    /// Counts a record out.
    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        if !key::is_meta(key) {
            self.records -= 1;
            self.sum = self.sum.wrapping_sub(hash(key, value));
        }
    }

    /// Whether the same records are there.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        (self.records, self.sum) == (other.records, other.sum)
    }
}

fn hash(key: &[u8], value: &[u8]) -> u128 {
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(value);
    let hash = hash.finalize();
    u128::from_be_bytes(std::array::from_fn(|index| hash[index]))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn read_error(error: sled::Error) -> StoreError {
    StoreError::Read { message: error.to_string() }
}

/// sled panics on some damaged pages.
fn panicked() -> StoreError {
    StoreError::Read { message: "its file `db` is damaged".to_owned() }
}
