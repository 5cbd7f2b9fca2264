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
    /// There is none.
    #[error(
        "there is no store in `{path}`\nhint: name the data directory with --data-dir or TEKCRON_DATA_DIR"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already.
    #[error(
        "there is a store in `{path}` already\nhint: name a new data directory with --data-dir, or move that one away"
    )]
    NotEmpty {
        /// The store.
        path: PathBuf,
    },
    /// Its files are there and cannot be read.
    #[error(
        "the store in `{path}` cannot be read: {message}\nhint: restore the directory from a backup; or save what still reads with `tekcron store export --salvage FILE`, move the directory away, and `tekcron store import FILE`; or move it away to begin anew"
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
    /// It could not be written anew; the old one is as it was.
    #[error(
        "cannot write the store anew in `{path}`: {message}\nhint: the store is as it was; writing it anew takes free space for all records once"
    )]
    Beside {
        /// Where it was written.
        path: PathBuf,
        /// The system's words.
        message: String,
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

    /// [`StoreError::Beside`] with the system's words.
    pub(super) fn beside(path: &Path) -> impl Fn(io::Error) -> Self {
        |error| Self::Beside { path: path.to_owned(), message: error.to_string() }
    }

    /// [`StoreError::Unreadable`] with words of our own.
    pub(super) fn unreadable(path: &Path) -> impl Fn(String) -> Self {
        |message| Self::Unreadable { path: path.to_owned(), message }
    }
}
