use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// What a source is called: the SHA-256 of its tar, in 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceHash(String);

/// A text that is no hash of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the SHA-256 of a source in 64 hexadecimal digits, found `{0}`")]
pub struct SourceHashError(String);

impl SourceHash {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceHash {
    type Err = SourceHashError;

    fn from_str(text: &str) -> Result<Self, SourceHashError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for SourceHash {
    type Error = SourceHashError;

    fn try_from(text: String) -> Result<Self, SourceHashError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == 64 && text.bytes().all(is_digit) {
            true => Ok(Self(text)),
            false => Err(SourceHashError(text)),
        }
    }
}

impl From<SourceHash> for String {
    fn from(hash: SourceHash) -> Self {
        hash.0
    }
}

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_64_digits_in_one_spelling() {
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(digits.parse::<SourceHash>().map(String::from), Ok(digits.clone()));
        for text in [&digits[1..], &format!("{digits}0"), &digits.to_uppercase(), "../etc/passwd", ""] {
            assert!(text.parse::<SourceHash>().is_err(), "{text}");
        }
    }
}
