//! What shim and daemon write down about a task, and how a file becomes durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::Identity;
use crate::durable::sync_dir;

/// More than any record takes, and what a file system gives at least.
const RESERVED: usize = 4096;

/// The command is about to run. Nobody else may run it from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    /// When.
    pub(super) at: Timestamp,
    /// The process that becomes the command; it leads a process group of its own.
    pub(super) process: Identity,
    /// The `NAME=value` in the environment of this execution's processes and of no others.
    pub(super) mark: String,
    /// Its cgroup, where it has one.
    pub(super) cgroup: Option<PathBuf>,
    /// Whether its working directory stays.
    pub(super) keep_workdir: bool,
}

/// Reads a record; `None` where it was never written.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let bytes = match fs::read(path) {
        // A path through something that is not a directory does not exist either.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("`{}` does not read: {error}", path.display()))
    })
}

/// Writes a record such that it is there completely, also after a power cut, or not at all.
pub(super) fn write(path: &Path, record: &impl Serialize) -> io::Result<()> {
    let new = path.with_extension("new");
    let record = serde_json::to_vec(record)?;
    let mut file = open_new(&new)?;
    file.write_all(&record)?;
    // What was reserved is overwritten before the rest of it is given up.
    file.set_len(record.len() as u64)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_dir(path.parent().expect("a record stands in a directory"))
}

/// Takes the space for a record now, so that it can be written on a full disk later.
pub(super) fn reserve(path: &Path) -> io::Result<()> {
    open_new(&path.with_extension("new"))?.write_all(&[b' '; RESERVED])
}

fn open_new(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).mode(0o600).open(path)
}
