//! The files beside sled's own, in which it keeps what is too large for that.
//!
//! sled writes such a file and never syncs it, nor its name, so that a power cut would take an
//! acknowledged record along. Their names are sled's positions in its log, which only grow, but not in the
//! order in which they are made.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, fsync, openat};
use rustix::io::Errno;

/// The files that are known to be on disk.
#[derive(Debug)]
pub(super) struct Blobs {
    /// Open as long as the store is: a process without a descriptor left goes on committing.
    dir: Dir,
    synced: BTreeSet<CString>,
}

impl Blobs {
    /// Those of the store in `dir`, all of them on disk when this returns.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let path: PathBuf = dir.join("blobs");
        let mut blobs = Self { dir: Dir::new(File::open(path)?)?, synced: BTreeSet::new() };
        blobs.sync()?;
        fsync(blobs.dir.fd()?)?;
        Ok(blobs)
    }

    /// Makes those that have come since durable. Whether there were any.
    pub(super) fn sync(&mut self) -> io::Result<bool> {
        let now = self.names()?;
        let dir = self.dir.fd()?;
        let mut new = now.difference(&self.synced).peekable();
        let has_new = new.peek().is_some();
        if has_new {
            for name in new {
                match openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
                    Ok(file) => fsync(file)?,
                    // sled has removed it meanwhile.
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            fsync(dir)?;
        }
        self.synced = now;
        Ok(has_new)
    }

    fn names(&mut self) -> io::Result<BTreeSet<CString>> {
        self.dir.rewind();
        let mut names = BTreeSet::new();
        while let Some(entry) = self.dir.read() {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.insert(entry.file_name().to_owned());
            }
        }
        Ok(names)
    }
}
