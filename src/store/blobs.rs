//! The files beside sled's own, in which it keeps what is too large for that.
//!
//! sled writes such a file and never syncs it, nor its name, so that a power cut would take an
//! acknowledged record along. Their names are sled's positions in its log, which only grow, but not in the
//! order in which they are made.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::durable::sync_dir;

/// The files that are known to be on disk.
#[derive(Debug)]
pub(super) struct Blobs {
    dir: PathBuf,
    synced: BTreeSet<OsString>,
}

impl Blobs {
    /// Those of the store in `dir`, all of them on disk when this returns.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut blobs = Self { dir: dir.join("blobs"), synced: BTreeSet::new() };
        blobs.sync()?;
        sync_dir(&blobs.dir)?;
        Ok(blobs)
    }

    /// Makes those that have come since durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let names = fs::read_dir(&self.dir)?.map(|entry| entry.map(|entry| entry.file_name()));
        let now: BTreeSet<OsString> = names.collect::<io::Result<_>>()?;
        let mut new = now.difference(&self.synced).peekable();
        if new.peek().is_some() {
            for name in new {
                match File::open(self.dir.join(name)) {
                    Ok(file) => file.sync_all()?,
                    // sled has removed it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            sync_dir(&self.dir)?;
        }
        self.synced = now;
        Ok(())
    }
}
