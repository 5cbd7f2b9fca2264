use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hint::{did_you_mean, nearest};

/// A policy word that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}, found `{found}`{}", listed(known), did_you_mean(nearest(found, known).copied()))]
pub struct UnknownWord {
    /// The known words.
    pub known: Vec<&'static str>,
    /// What stands there.
    pub found: String,
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// How a schedule meets daylight-saving transitions (`semantics`, section 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DstMode {
    /// As Vixie's cron: a skipped fixed time runs right after the jump, a repeated one once; wildcard
    /// schedules follow the wall clock.
    #[default]
    Vixie,
    /// A skipped time is not run, a repeated one once.
    Skip,
    /// A skipped time is not run, a repeated one twice.
    Literal,
}

/// What is done about slots that were due while nobody watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// The latest of them runs.
    #[default]
    Latest,
    /// All of them run, within window and maximum.
    All,
    /// None runs.
    None,
}

/// What happens to a run that is due while another of the same job is active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// It starts beside the other (Kf's `Always`).
    #[default]
    Allow,
    /// It is skipped for good (Kubernetes' `Forbid`).
    Skip,
    /// The other is cancelled; when that has ended, it starts.
    Replace,
    /// It waits for the other's end; what is due while it waits is skipped.
    QueueOne,
    /// It waits for the end of the other, and of all that wait before it.
    QueueAll,
    /// The other is cancelled, and it starts without waiting for that.
    ReplaceNow,
}

impl DstMode {
    /// The word in config files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vixie => "vixie",
            Self::Skip => "skip",
            Self::Literal => "literal",
        }
    }
}

impl CatchUp {
    /// The word in config files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

impl Overlap {
    /// Every policy.
    pub const ALL: [Self; 6] =
        [Self::Allow, Self::Skip, Self::QueueOne, Self::QueueAll, Self::Replace, Self::ReplaceNow];

    /// Whether a run starts only when no other of its job runs.
    pub fn is_alone(self) -> bool {
        !matches!(self, Self::Allow | Self::ReplaceNow)
    }

    /// The word in config files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::Replace => "replace",
            Self::QueueOne => "queue-one",
            Self::QueueAll => "queue-all",
            Self::ReplaceNow => "replace-now",
        }
    }
}

impl FromStr for DstMode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "vixie" => Ok(Self::Vixie),
            "skip" => Ok(Self::Skip),
            "literal" => Ok(Self::Literal),
            _ => Err(UnknownWord { known: vec!["vixie", "skip", "literal"], found: text.to_owned() }),
        }
    }
}

impl FromStr for CatchUp {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "latest" => Ok(Self::Latest),
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => Err(UnknownWord { known: vec!["latest", "all", "none"], found: text.to_owned() }),
        }
    }
}

impl FromStr for Overlap {
    type Err = UnknownWord;

    /// Also reads the words of Kf and Kubernetes.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "Allow" | "Always" => Ok(Self::Allow),
            "Forbid" => Ok(Self::Skip),
            "Replace" => Ok(Self::Replace),
            _ => Self::ALL.into_iter().find(|policy| policy.as_str() == text).ok_or_else(|| UnknownWord {
                known: Self::ALL.map(Self::as_str).to_vec(),
                found: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for DstMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for CatchUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
