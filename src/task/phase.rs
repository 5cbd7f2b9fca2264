use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a task is in its life. [`Phase::may_become`] is the one transition table.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Claimed, and waiting for another run of its job, or for a retry's due time.
    Queued,
    /// Claimed, and waiting for room at the executor.
    Pending,
    /// The executor has it.
    Submitted,
    /// Its process runs.
    Running,
    /// It ended with exit code 0.
    Succeeded,
    /// It ended otherwise, or could not be started.
    Failed,
    /// It was terminated.
    Cancelled,
    /// It ran longer than its time-out.
    TimedOut,
    /// Nobody knows how it ended.
    Lost,
}

impl Phase {
    /// Every phase, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Pending,
        Self::Submitted,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Lost,
    ];

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        self >= Self::Succeeded
    }

    /// Whether a task in this phase may go on to `next`. Phases may be passed over, since an
    /// executor is only observed now and then; none is ever gone back to.
    pub fn may_become(self, next: Self) -> bool {
        !self.is_terminal() && next > self
    }

    /// The word that people and programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Submitted => "submitted",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed-out",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = crate::schedule::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| Self::Err { known: Self::ALL.map(Self::as_str).to_vec(), found: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_phase_is_final_and_no_phase_goes_back() {
        for from in Phase::ALL {
            for to in Phase::ALL {
                let expected = !from.is_terminal() && (from as u8) < (to as u8);
                assert_eq!(from.may_become(to), expected, "{from} to {to}");
            }
        }
    }
}
