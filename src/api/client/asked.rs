use jiff::Timestamp;
use serde::Deserialize;

use crate::store::Fate;
use crate::task::TaskId;

/// The beginning of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// The items, as many as were asked for.
    pub items: Vec<T>,
    /// Whether there are further ones.
    pub more: bool,
}

/// A task, by one of its two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskRef {
    /// Its name.
    Name(String),
    /// Its number on its App.
    Id {
        /// The App.
        app: String,
        /// The number.
        id: TaskId,
    },
}

/// Whose tasks are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TasksOf {
    /// All Apps'.
    All,
    /// One App's.
    App(String),
    /// One job's: `APP.JOB`, or `JOB` where unique.
    Job(String),
}

/// Which slots are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotQuery {
    /// None before this.
    pub from: Option<Timestamp>,
    /// None after this.
    pub to: Option<Timestamp>,
    /// Only those that ended so.
    pub outcome: Option<Fate>,
    /// The newest first; else the oldest.
    pub newest_first: bool,
}

/// What became of a wish to reload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reload {
    /// Whether anything changed.
    pub changed: bool,
    /// The generation that is in effect.
    pub generation: String,
}
