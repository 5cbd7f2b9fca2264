use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The identity of a schedule within its job: its `id` where one is given, else a hash of
/// (expression, zone, dst mode). A changed expression is a new schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScheduleKey(Arc<str>);

/// Why a text cannot be a schedule's `id`: it becomes a Kubernetes label value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 63 letters, digits, `-`, `_` or `.`, a letter or digit at both ends, found `{0}`")]
pub struct KeyError(String);

impl ScheduleKey {
    /// The key of a schedule without an `id`.
    pub fn hashed(expression: &str, timezone: &str, dst: &str) -> Self {
        Self(Arc::from(crate::task::base32_hash(&[expression, timezone, dst])))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScheduleKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let ends = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric());
        if ends && text.len() <= 63 && text.chars().all(inner) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(KeyError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ScheduleKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<ScheduleKey> for String {
    fn from(key: ScheduleKey) -> Self {
        key.0.as_ref().to_owned()
    }
}

impl fmt::Display for ScheduleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
