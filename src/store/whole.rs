//! Whether a store is whole, found out before sled opens it, and with nothing changed.

use std::fs;
use std::io;
use std::path::Path;

use super::error::StoreError;
use super::mark::{self, Marked};
use super::open::FORMAT;
use super::raw::{Damage, Pages, Sum};
use super::sound;

/// What all records of the store in `dir` add up to.
///
/// # Errors
/// [`StoreError::Unreadable`] where something is missing or damaged, [`StoreError::Format`] where it is too
/// new.
pub(super) fn check(dir: &Path) -> Result<Sum, StoreError> {
    check_settings(dir)?;
    let damaged = |damage: Damage| StoreError::unreadable(dir)(damage.to_string());
    let pages = Pages::find(dir).map_err(damaged)?;
    check_pages(dir, &pages)
}

/// The same, once its pages were found.
pub(super) fn check_pages(dir: &Path, pages: &Pages) -> Result<Sum, StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let marked = mark::read(dir).map_err(|error| unreadable(format!("its file `mark`: {error}")))?;
    let sum = pages.sum().map_err(|damage| unreadable(damage.to_string()))?;
    match sum.format.map(u32::from_be_bytes) {
        Some(FORMAT) => {}
        Some(found) => return Err(StoreError::Format { path: dir.to_owned(), found, known: FORMAT }),
        None => return Err(unreadable("its file `db` is there, and holds no format number".to_owned())),
    }
    let groups = sum.stored.map_or(0, |stored| stored.groups);
    match marked {
        Marked::Damaged => Err(unreadable("its file `mark` is damaged".to_owned())),
        Marked::Missing if groups > 0 => Err(unreadable("its file `mark` is missing".to_owned())),
        Marked::Groups(marked) if groups < marked => Err(unreadable(format!(
            "the end of its file `db` is damaged or cut off: of {marked} groups of commits that were acknowledged, {} are missing",
            marked - groups
        ))),
        Marked::Missing | Marked::Groups(_) => match sum.stored {
            Some(stored) if !stored.agrees_with(&sum.found) => Err(unreadable(format!(
                "its file `db` is damaged: of {} records, {} are there, and they are not those that were written",
                stored.records, sum.found.records
            ))),
            // None was written before there were tallies, or never.
            _ => Ok(sum),
        },
    }
}

/// Refuses settings or a snapshot that are damaged.
pub(super) fn check_settings(dir: &Path) -> Result<(), StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let failed = |error: io::Error| unreadable(error.to_string());
    // sled takes a short settings file for none, and would begin anew over the data.
    if !dir.join(sound::SETTINGS_FILE).exists() {
        return Err(unreadable("its file `conf` is missing".to_owned()));
    }
    if sound::damaged_settings(dir).map_err(failed)?.is_some() {
        return Err(unreadable("its file `conf` is damaged".to_owned()));
    }
    match sound::damaged_snapshot(dir).map_err(failed)? {
        Some(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Err(unreadable(format!("its file `{name}` is damaged")))
        }
        None => Ok(()),
    }
}

/// Removes the settings that a first start was killed at writing.
pub(super) fn remove_unfinished_settings(dir: &Path) -> io::Result<()> {
    match sound::damaged_settings(dir)? {
        Some(path) => fs::remove_file(path),
        None => Ok(()),
    }
}
