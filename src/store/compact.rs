//! Giving space back: the records that are there, written anew.
//!
//! sled keeps a log whose pages it moves only when it must, and its file never shrinks by much.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::beside::Beside;
use super::error::StoreError;
use super::key;
use super::open;
use super::raw::{Stop, Sum};
use super::record;
use super::tally::Tally;
use super::whole::Whole;

/// A store is written anew at start where it takes so many times what its keys and values take. One that was
/// just written anew takes about as much as those, one that sled has filled five times, one whose records
/// were all replaced ten times eight times.
const TIMES: u64 = 6;

/// And at least so many bytes more.
const WORTH: u64 = 64 << 20;

/// Takes a row.
type Each<'a> = dyn FnMut(&[u8], &[u8]) -> io::Result<()> + 'a;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Records there are.
    pub records: u64,
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
}

/// Whether writing a store anew that takes `on_disk` bytes for `live` bytes of keys and values is worth the
/// pause.
pub(super) fn pays(on_disk: u64, live: u64) -> bool {
    on_disk >= live.saturating_mul(TIMES) && on_disk - live >= WORTH
}

/// Writes the store below `data_dir` anew, whose lock is held, and which is whole: without the rows that only a
/// former format had. Returns what it holds then, and the new lock.
///
/// # Errors
/// [`StoreError::Beside`]; the store is then as it was.
pub(super) fn compact(data_dir: &Path, whole: &Whole) -> Result<(Compacted, Sum, File), StoreError> {
    let dir = data_dir.join(open::DIR);
    let failed = StoreError::beside(&dir);
    let before = bytes_on_disk(&dir).map_err(&failed)?;
    let rows = |each: &mut Each<'_>| {
        whole.pages.rows(|key, value| each(key, value).map_err(Stop::Each)).map_err(|stop| match stop {
            Stop::Each(error) => failed(error),
            Stop::Damage(damage) => StoreError::unreadable(&dir)(damage.to_string()),
        })
    };
    let mut sum = whole.sum;
    if whole.is_former() {
        (sum.found, sum.bytes) = (Tally::default(), 0);
        rows(&mut |key, value| {
            if !key::is_former(key) {
                sum.found.add(key, value);
                sum.bytes += (key.len() + value.len()) as u64;
            }
            Ok(())
        })?;
    }
    // A store that nothing was ever committed to has none.
    let groups = whole.sum.stored.map_or(0, |stored| stored.groups);
    let tally = sum.found.after(groups);
    let meta = [
        (key::meta(key::FORMAT), open::FORMAT.to_be_bytes().to_vec()),
        (key::meta(key::TALLY), record::encode(&tally)),
    ];
    let beside = Beside::write(data_dir, tally, |put| {
        let mut meta = meta.iter().peekable();
        rows(&mut |key, value| {
            while let Some((at, value)) = meta.next_if(|(at, _)| at.as_slice() <= key) {
                put(at, value)?;
            }
            if key::is_meta(key) || key::is_former(key) { Ok(()) } else { put(key, value) }
        })?;
        meta.try_for_each(|(at, value)| put(at, value)).map_err(&failed)
    })?;
    let lock = beside.replace()?;
    let after = bytes_on_disk(&dir).map_err(&failed)?;
    Ok((Compacted { records: tally.records, before, after }, Sum { stored: Some(tally), ..sum }, lock))
}

/// Bytes that the files below `dir` take.
pub(super) fn bytes_on_disk(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_on_disk(&entry.path())?,
            Ok(found) => found.blocks() * 512,
            // sled has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pays_where_most_is_waste_and_that_is_much() {
        const MIB: u64 = 1 << 20;
        for (on_disk, live, expected) in [
            (0, 0, false),
            (60 * MIB, 1000, false),
            (100 * MIB, 10 * MIB, true),
            (75 * MIB, 12 * MIB, false),
            (6000 * MIB, 1000 * MIB, true),
            (5999 * MIB, 1000 * MIB, false),
            (1, u64::MAX, false),
        ] {
            assert_eq!(pays(on_disk, live), expected, "{on_disk} for {live}");
        }
    }
}
