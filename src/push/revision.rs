use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::source::SourceHash;
use crate::app::{AppName, Command};
use crate::task::TaskId;

/// The number of a revision within its App: 1, 2, 3 …
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevisionNumber(pub u32);

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for RevisionNumber {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The revisions of one App.
pub type Revisions = BTreeMap<RevisionNumber, Revision>;

/// What was pushed once: the code of an App, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: RevisionNumber,
    /// The source that it was made of; none where an image was pushed.
    pub source: Option<SourceHash>,
    /// The image that its tasks run in, on a cluster.
    pub image: Option<String>,
    /// The start command that was pushed with it.
    pub command: Option<Command>,
    /// How far it is.
    pub state: RevisionState,
    /// The task that builds it, or has built it.
    pub build: Option<TaskId>,
    /// The revision whose code this one is, where it was rolled back to or built anew.
    pub from: Option<RevisionNumber>,
    /// Who pushed it.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When it became ready, or failed.
    pub ended: Option<Timestamp>,
}

/// How far a revision is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionState {
    /// It is unpacked, and built.
    Building,
    /// Tasks can run on it.
    Ready,
    /// It never became what tasks can run on.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Where revisions are, within the data directory.
pub(crate) const REVISIONS: &str = "revisions";

/// Where the embedded executor finds what a revision is: the unpacked source, and what its build made of it.
pub fn revision_dir(data_dir: &Path, app: &AppName, number: RevisionNumber) -> PathBuf {
    data_dir.join(REVISIONS).join(app.as_str()).join(number.to_string())
}
