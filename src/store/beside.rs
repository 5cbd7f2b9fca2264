//! A store written anew beside the one in use, which it then takes the place of, all at once.
//!
//! Killed at any moment, the next start finds the old one or the new one, whole, and removes what is left
//! beside it. Where the disk is full, or anything else fails before the exchange, the old one is as it was.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::error::StoreError;
use super::mark::Mark;
use super::open;
use super::raw::Fresh;
use super::tally::Tally;
use super::whole;
use crate::durable::sync_dir;
use crate::fault::point;

/// What is being written, and then what it replaced.
const NEW: &str = "store.new";

/// What was there before, on a file system that cannot exchange two names.
const OLD: &str = "store.old";

/// A store that is whole and on disk, and not in use yet.
pub(super) struct Beside {
    data_dir: PathBuf,
    lock: File,
}

/// Puts things right where an exchange of names was cut off; before anybody looks for a store.
pub(super) fn settle_names(data_dir: &Path) -> io::Result<()> {
    let (store, old) = (data_dir.join(open::DIR), data_dir.join(OLD));
    if !store.exists() && old.exists() {
        fs::rename(old, store)?;
        sync_dir(data_dir)?;
    }
    Ok(())
}

/// Removes what a process that was killed left beside the store, whose lock is held.
pub(super) fn remove_leftovers(data_dir: &Path) -> io::Result<()> {
    for name in [NEW, OLD] {
        remove(&data_dir.join(name))?;
    }
    Ok(())
}

impl Beside {
    /// Writes one of the rows that `feed` hands over in the order of keys; their tally must be `expected`.
    ///
    /// # Errors
    /// [`StoreError::Beside`], and those of `feed`. Nothing is left of it then.
    pub(super) fn write(
        data_dir: &Path,
        expected: Tally,
        feed: impl FnOnce(&mut dyn FnMut(&[u8], &[u8]) -> io::Result<()>) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let dir = data_dir.join(NEW);
        let failed = StoreError::beside(&dir);
        remove(&dir).map_err(&failed)?;
        let written = Self::write_in(&dir, expected, feed);
        if written.is_err() {
            // What cannot be removed now, the next start removes.
            let _ = remove(&dir);
        }
        Ok(Self { data_dir: data_dir.to_owned(), lock: written? })
    }

    fn write_in(
        dir: &Path,
        expected: Tally,
        feed: impl FnOnce(&mut dyn FnMut(&[u8], &[u8]) -> io::Result<()>) -> Result<(), StoreError>,
    ) -> Result<File, StoreError> {
        let failed = StoreError::beside(dir);
        let mut fresh = Fresh::begin(dir).map_err(&failed)?;
        point("beside-begun");
        feed(&mut |key, value| {
            point("beside-row");
            fresh.put(key, value)
        })?;
        fresh.end().map_err(&failed)?;
        point("beside-written");
        // Taken before anybody can see it: whoever waits for the old one's lock must not get between.
        let lock = open::lock(dir)?;
        drop(Mark::open(dir, expected.groups).map_err(&failed)?);
        open::note_format(dir).map_err(&failed)?;
        if whole::look_at(dir)?.sum.stored != Some(expected) {
            return Err(failed(io::Error::other("what was written is not what was to be written")));
        }
        point("beside-whole");
        Ok(lock)
    }

    /// Puts it in place of the store, whose lock is held. Returns its own.
    ///
    /// # Errors
    /// [`StoreError::Beside`], and then the old one is in its place; [`StoreError::Write`], and then either is.
    pub(super) fn replace(self) -> Result<File, StoreError> {
        let (store, new) = (self.data_dir.join(open::DIR), self.data_dir.join(NEW));
        let failed = StoreError::beside(&new);
        sync_dir(&self.data_dir).map_err(&failed)?;
        match renameat_with(CWD, &new, CWD, &store, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                let old = self.data_dir.join(OLD);
                fs::rename(&store, &old).map_err(&failed)?;
                fs::rename(&new, &store)
                    .or_else(|error| fs::rename(&old, &store).and(Err(error)))
                    .map_err(&failed)?;
            }
            Err(error) => return Err(failed(error.into())),
        }
        point("beside-exchanged");
        sync_dir(&self.data_dir).map_err(|error| StoreError::Write { message: error.to_string() })?;
        point("beside-replaced");
        // What cannot be removed now, the next start removes.
        let _ = remove_leftovers(&self.data_dir);
        point("beside-removed");
        Ok(self.lock)
    }
}

/// Removes a directory that may not be there.
fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_in_two_steps_that_was_cut_off_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at(OLD)).unwrap();
        fs::write(at(OLD).join("db"), "old").unwrap();
        fs::create_dir(at(NEW)).unwrap();
        settle_names(dir.path()).unwrap();
        remove_leftovers(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(at(open::DIR).join("db")).unwrap(), "old");
        assert!(!at(OLD).exists() && !at(NEW).exists());
        settle_names(dir.path()).unwrap();
        assert!(at(open::DIR).exists());
    }
}
