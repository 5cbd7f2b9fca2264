//! Whether a store is whole, found out before sled opens it, and with nothing changed.

use std::fs;
use std::io;
use std::path::Path;

use super::error::StoreError;
use super::mark::{self, Marked};
use super::open::{FORMAT, FORMER};
use super::raw::{Pages, Sum};
use super::sound;

/// How many places are tried at which the log may have been torn.
const TRIED: usize = 16;

/// A store that is whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) pages: Pages,
    pub(super) sum: Sum,
}

impl Whole {
    /// Whether it is of the format before.
    pub(super) fn is_former(&self) -> bool {
        self.sum.format.map(u32::from_be_bytes) == Some(FORMER)
    }
}

/// Looks at the store in `dir`.
///
/// A power cut may take a part of what nobody was told of yet, and leave what came behind it. Such a store is
/// whole up to there.
///
/// # Errors
/// [`StoreError::Unreadable`] where something is missing or damaged, [`StoreError::Format`] where it is too
/// new.
pub(super) fn look_at(dir: &Path) -> Result<Whole, StoreError> {
    check_settings(dir)?;
    let pages = Pages::find(dir).map_err(|damage| StoreError::unreadable(dir)(damage.to_string()))?;
    let refused = match check(dir, &pages) {
        Ok(sum) => return Ok(Whole { pages, sum }),
        Err(error) => error,
    };
    for limit in pages.torn().take(TRIED) {
        if let Ok(pages) = Pages::find_up_to(dir, Some(limit))
            && let Ok(sum) = check(dir, &pages)
        {
            return Ok(Whole { pages, sum });
        }
    }
    Err(refused)
}

/// Refuses a store from which something is missing.
fn check(dir: &Path, pages: &Pages) -> Result<Sum, StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let marked = mark::read(dir).map_err(|error| unreadable(format!("its file `mark`: {error}")))?;
    let sum = pages.sum().map_err(|damage| unreadable(damage.to_string()))?;
    match sum.format.map(u32::from_be_bytes) {
        Some(FORMAT | FORMER) => {}
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
fn check_settings(dir: &Path) -> Result<(), StoreError> {
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
