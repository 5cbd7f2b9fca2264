use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the store. All of it is fatal to a daemon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Its directory cannot be made or written.
    #[error(
        "cannot write the data directory `{path}`: {message}\nhint: choose another with --data-dir or TEKCRON_DATA_DIR, or mend its permissions"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's words.
        message: String,
    },
    /// Another process has it open.
    #[error(
        "the store in `{path}` is in use by another process\nhint: one daemon owns a data directory; stop the other one, or choose another with --data-dir"
    )]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// Its files are there and cannot be read.
    #[error(
        "the store in `{path}` cannot be read: {message}\nhint: restore the directory from a backup, or move it away to begin anew"
    )]
    Unreadable {
        /// The store.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A newer tekcron wrote it.
    #[error(
        "the store in `{path}` has format {found}, this tekcron reads up to {known}\nhint: use the newer tekcron that wrote it"
    )]
    Format {
        /// The store.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// A record does not decode.
    #[error("the {kind} record at `{key}` cannot be read: {message}")]
    Record {
        /// What it should be.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// Reading failed.
    #[error("reading the store failed: {message}")]
    Read {
        /// sled's words.
        message: String,
    },
    /// A write or sync failed; the store acknowledges nothing more.
    #[error("writing the store failed: {message}")]
    Write {
        /// The words of sled or of the system.
        message: String,
    },
    /// It was closed before the write.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// [`StoreError::Directory`] with the system's words.
    pub(super) fn directory(path: &Path) -> impl Fn(io::Error) -> Self {
        |error| Self::Directory { path: path.to_owned(), message: error.to_string() }
    }

    /// [`StoreError::Unreadable`] with words of our own.
    pub(super) fn unreadable(path: &Path) -> impl Fn(String) -> Self {
        |message| Self::Unreadable { path: path.to_owned(), message }
    }
}
