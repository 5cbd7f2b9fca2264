use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::schedule::{ScheduleKey, UnknownWord};
use crate::task::TaskId;

/// One row of the slot ledger: what became of one slot, or of a run of neighbours alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// The schedule.
    pub schedule: ScheduleKey,
    /// The nominal instant, or the first of a range.
    pub first: Timestamp,
    /// The last nominal instant of the range; [`SlotRow::first`] for a single slot.
    pub last: Timestamp,
    /// What became of it.
    pub outcome: SlotOutcome,
    /// The claim of its task; unknown where it was written down by the first format of rows.
    pub claim: Option<SlotClaim>,
    /// Who or what made it so, in words that follow those of the reason: `by ann`, the name of a calendar.
    pub note: Option<String>,
}

/// When a slot's task was claimed. It outlives the task's own record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotClaim {
    /// When it was to start: its nominal time, and its jitter.
    pub due: Timestamp,
    /// When it was claimed.
    pub at: Timestamp,
}

/// What became of a slot, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// See [`SlotOutcome::Ran`].
    Ran,
    /// See [`SlotOutcome::CaughtUp`].
    CaughtUp,
    /// See [`SlotOutcome::Skipped`].
    Skipped,
    /// See [`SlotOutcome::Missed`].
    Missed,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotOutcome {
    /// A task was claimed, on time or late.
    Ran {
        /// The task.
        task: TaskId,
    },
    /// A task was claimed by catch-up.
    CaughtUp {
        /// The task.
        task: TaskId,
    },
    /// A working scheduler decided against it.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// It was due while tekcron was down, and not caught up.
    Missed,
}

/// Why a working scheduler decided against a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Another run of the job was active.
    Overlap {
        /// That run.
        task: TaskId,
    },
    /// It could not start before its `start_deadline`.
    Deadline,
    /// The schedule's catch-up policy left it out.
    CatchUp,
    /// The job was paused.
    Paused,
    /// A calendar excludes it.
    Excluded,
    /// The executor could not be reached for too long.
    Unreachable,
    /// Somebody asked for the next ones to be skipped.
    SkipNext,
    /// As many runs of the job waited as may.
    QueueFull,
    /// A task was claimed, and taken out of the queue before it started.
    Dropped {
        /// That task.
        task: TaskId,
    },
}

impl SlotOutcome {
    /// The same in a word.
    pub fn fate(self) -> Fate {
        match self {
            Self::Ran { .. } => Fate::Ran,
            Self::CaughtUp { .. } => Fate::CaughtUp,
            Self::Skipped { .. } => Fate::Skipped,
            Self::Missed => Fate::Missed,
        }
    }

    /// The word that people and programs read.
    pub fn as_str(self) -> &'static str {
        self.fate().as_str()
    }

    /// The task that was claimed.
    pub fn task(self) -> Option<TaskId> {
        match self {
            Self::Ran { task } | Self::CaughtUp { task } => Some(task),
            Self::Skipped { .. } | Self::Missed => None,
        }
    }
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ran, Self::CaughtUp, Self::Skipped, Self::Missed];

    /// The word that people and programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::CaughtUp => "caught-up",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        }
    }
}

impl FromStr for Fate {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let known = || Self::ALL.map(Self::as_str).to_vec();
        let found = Self::ALL.into_iter().find(|fate| fate.as_str() == text);
        found.ok_or_else(|| UnknownWord { known: known(), found: text.to_owned() })
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { task } => write!(f, "overlap with task {task}"),
            Self::Deadline => f.write_str("start deadline passed"),
            Self::CatchUp => f.write_str("catch-up policy"),
            Self::Paused => f.write_str("paused"),
            Self::Excluded => f.write_str("excluded by calendar"),
            Self::Unreachable => f.write_str("cluster unreachable"),
            Self::SkipNext => f.write_str("skip-next"),
            Self::QueueFull => f.write_str("too many runs waited"),
            Self::Dropped { task } => write!(f, "task {task} was dropped from the queue"),
        }
    }
}
