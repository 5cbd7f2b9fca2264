use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// The SHA-256 of a source's tar: its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceHash([u8; 32]);

/// The text is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the SHA-256 of a tar, 64 digits and letters `a` to `f`, found `{}`", .0.escape_debug())]
pub struct HashError(String);

impl SourceHash {
    /// From the digest itself.
    pub fn of_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// As many digits as people need to tell sources apart.
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.0[..6])
    }
}

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceHash({self})")
    }
}

impl FromStr for SourceHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let decoded = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        decoded.map(Self).ok_or_else(|| HashError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for SourceHash {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl From<SourceHash> for String {
    fn from(hash: SourceHash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_lower_digits() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<SourceHash>().unwrap().to_string(), text);
        for wrong in ["", "00", &text[1..], &text.to_uppercase(), "../../etc/passwd", &format!("{text}0")] {
            assert!(wrong.parse::<SourceHash>().is_err(), "{wrong}");
        }
    }
}
