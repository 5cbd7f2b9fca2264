//! A store that no daemon has open, for the commands that look at it, carry it away, or put it right.
//!
//! [`ClosedStore`] holds the store's lock and leaves sled out: reading changes nothing at all.

mod check;
mod export;
mod import;
mod line;
mod salvage;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use self::check::Contents;
pub use self::export::Exported;
pub use self::import::ImportError;
use super::beside;
use super::compact::{self, Compacted};
use super::error::StoreError;
use super::open::{self, DIR, FORMAT_FILE, LOCK};
use super::whole::{self, Whole};

/// A store that is locked, and not open.
#[derive(Debug)]
pub struct ClosedStore {
    data_dir: PathBuf,
    /// None where nobody ever locked it, as in a copy.
    _lock: Option<File>,
}

/// Any bytes where a line of an export is expected: what reads is the same when it is written and read again.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn line(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok((at, value)) = line::read(text) {
        assert_eq!(line::read(&line::write(&at, &value)), Ok((at, value)));
    }
}

/// Why a store was not carried away.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be written.
    #[error("cannot write the records: {0}")]
    Write(#[from] io::Error),
}

impl ClosedStore {
    /// Locks the store below `data_dir`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none, [`StoreError::InUse`] while another process has it.
    pub fn lock(data_dir: &Path) -> Result<Self, StoreError> {
        let dir = data_dir.join(DIR);
        if ["db", FORMAT_FILE].iter().all(|file| !dir.join(file).exists()) {
            return Err(StoreError::Missing { path: dir });
        }
        let lock = match File::open(dir.join(LOCK)) {
            Ok(file) => {
                open::take_lock(&file, &dir)?;
                Some(file)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::unreadable(&dir)(error.to_string())),
        };
        Ok(Self { data_dir: data_dir.to_owned(), _lock: lock })
    }

    /// Reads all of it, and counts. Changes nothing.
    ///
    /// # Errors
    /// [`StoreError`], where it is not whole, or its records do not read or fit each other.
    pub fn verify(&self) -> Result<Contents, StoreError> {
        let dir = self.dir();
        let Whole { pages, sum } = whole::look_at(&dir)?;
        let contents = check::check(&dir, &pages)?;
        let on_disk =
            compact::bytes_on_disk(&dir).map_err(|error| StoreError::unreadable(&dir)(error.to_string()))?;
        Ok(Contents {
            groups: sum.stored.map_or(0, |stored| stored.groups),
            bytes: sum.bytes,
            on_disk,
            ..contents
        })
    }

    /// Writes every record to `out`, a line each. Changes nothing.
    ///
    /// # Errors
    /// [`ExportError::Store`] where it is not whole, [`ExportError::Write`].
    pub fn export(&self, out: &mut dyn Write) -> Result<Exported, ExportError> {
        let dir = self.dir();
        let Whole { pages, .. } = whole::look_at(&dir)?;
        export::all(&dir, &pages, out)
    }

    /// Writes every record that still reads to `out`, put right among each other, and says what was lost or
    /// put right. Changes nothing.
    ///
    /// # Errors
    /// [`ExportError::Store`] where nothing reads, [`ExportError::Write`].
    pub fn salvage(&self, out: &mut dyn Write) -> Result<(Exported, Vec<String>), ExportError> {
        let (rows, mut lost) = salvage::rows(&self.dir())?;
        let (rows, put_right) = salvage::put_right(rows);
        lost.extend(put_right);
        Ok((export::rows(&rows, out)?, lost))
    }

    /// Writes it anew, so that it takes no more space than its records.
    ///
    /// # Errors
    /// [`StoreError`]; it is then as it was.
    pub fn compact(self) -> Result<Compacted, StoreError> {
        let dir = self.dir();
        // As a daemon's start would, which may not write there either.
        let _lock = match self._lock {
            Some(lock) => lock,
            None => open::lock(&dir)?,
        };
        beside::remove_leftovers(&self.data_dir).map_err(StoreError::directory(&self.data_dir))?;
        let whole = whole::look_at(&dir)?;
        compact::compact(&self.data_dir, &whole).map(|(compacted, ..)| compacted)
    }

    /// Makes the store below `data_dir` of what was exported to `file`. There must be none yet. Killed at any
    /// moment, there is none or the whole.
    ///
    /// # Errors
    /// [`ImportError`]; nothing was changed then.
    pub fn import(data_dir: &Path, file: &Path) -> Result<Exported, ImportError> {
        import::import(data_dir, file)
    }

    fn dir(&self) -> PathBuf {
        self.data_dir.join(DIR)
    }
}
