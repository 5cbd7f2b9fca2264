//! The mark: how many groups of commits were acknowledged, in a small file beside sled's.
//!
//! Written in place after each sync of the group and before its acknowledgement, so it is never ahead
//! of the disk. It is not synced itself, which would double the price of a commit: a killed process
//! leaves it exact, a power cut some seconds behind at most; only a group with a new blob syncs it. Two
//! slots take turns, so that a torn write leaves the one before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::durable::replace;

/// Its name in the store's directory.
pub(super) const MARK_FILE: &str = "mark";

/// What a disk writes whole.
const SLOT: u64 = 512;
const SLOTS: u64 = 2;

/// The open file.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marked {
    /// There is no such file.
    Missing,
    /// It is there, and says nothing that can be read.
    Damaged,
    /// So many groups were acknowledged.
    Groups(u64),
}

impl Mark {
    /// Opens the mark in `dir`, or makes one, and writes `groups` into it, durably.
    pub(super) fn open(dir: &Path, groups: u64) -> io::Result<Self> {
        let path = dir.join(MARK_FILE);
        if !path.exists() {
            // Whole from the first: an empty one, as a power cut may leave it, would read as damaged.
            replace(&path, &slot(groups).repeat(SLOTS as usize), 0o600)?;
        }
        let mark = Self { file: File::options().write(true).open(path)? };
        for turn in 0..SLOTS {
            mark.write_at(turn * SLOT, groups)?;
        }
        mark.sync()?;
        Ok(mark)
    }

    /// Notes that `groups` are acknowledged from now on.
    pub(super) fn write(&self, groups: u64) -> io::Result<()> {
        self.write_at(groups % SLOTS * SLOT, groups)
    }

    /// Makes it durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write_at(&self, offset: u64, groups: u64) -> io::Result<()> {
        self.file.write_all_at(&slot(groups), offset)
    }
}

/// The whole slot is taken at once, so that a full disk does not matter later.
fn slot(groups: u64) -> Vec<u8> {
    let mut slot = line(groups).into_bytes();
    slot.resize(SLOT as usize - 1, b' ');
    slot.push(b'\n');
    slot
}

/// What the mark in `dir` says.
pub(super) fn read(dir: &Path) -> io::Result<Marked> {
    let bytes = match std::fs::read(dir.join(MARK_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Marked::Missing),
        bytes => bytes?,
    };
    let newest = bytes.chunks(SLOT as usize).filter_map(parse).max();
    Ok(newest.map_or(Marked::Damaged, Marked::Groups))
}

fn line(groups: u64) -> String {
    let number = format!("{groups:020}");
    let check = HEXLOWER.encode(&Sha256::digest(number.as_bytes())[..8]);
    format!("{number} {check} groups of commits acknowledged ")
}

fn parse(slot: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(slot).ok()?;
    let groups = text.get(..20)?.parse().ok()?;
    text.starts_with(&line(groups)).then_some(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_two_slots_counts_and_a_torn_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), Marked::Missing);
        let mark = Mark::open(dir.path(), 6).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Marked::Groups(6));
        mark.write(7).unwrap();
        mark.write(8).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Marked::Groups(8));
        let path = dir.path().join(MARK_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[19] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Marked::Groups(7));
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(dir.path()).unwrap(), Marked::Damaged);
    }
}
