#![allow(missing_docs, clippy::todo, unused_variables, clippy::allow_attributes)]
//! Placeholder signatures: replaced by the real schedule.
use crate::job::JobRef;
use crate::task::TaskId;
use jiff::{SignedDuration, Timestamp};
use std::{fmt, str::FromStr};

use super::{DstMode, Overlap, Schedule};

/// A parsed cron expression; Display is the author's text, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression(String);
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(String);
impl FromStr for Expression {
    type Err = ExpressionError;
    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self(text.trim().to_owned()))
    }
}
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
/// An IANA time zone; Display is its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(String);
/// Names the nearest real zone in a `hint:` line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ZoneError(String);
impl FromStr for Zone {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Ok(Self(text.to_owned()))
    }
}
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
/// An expression in a zone with a dst mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence(Expression, Zone, DstMode);
/// It can never fire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecurrenceError(String);
impl Recurrence {
    pub fn new(expression: Expression, timezone: Zone, dst: DstMode) -> Result<Self, RecurrenceError> {
        Ok(Self(expression, timezone, dst))
    }
    pub fn expression(&self) -> &Expression {
        &self.0
    }
    pub fn timezone(&self) -> &Zone {
        &self.1
    }
    pub fn dst(&self) -> DstMode {
        self.2
    }
    /// The first slot after `after`, exclusive.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        todo!()
    }
    /// The last slot at or before `until`.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        todo!()
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRange {
    pub first: Timestamp,
    pub last: Timestamp,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// All slots before the first of `run`, as one range.
    pub given_up: Option<SlotRange>,
    pub run: Vec<Timestamp>,
}
/// What is done about the slots in (watermark, until].
pub fn missed(schedule: &Schedule, watermark: Timestamp, until: Timestamp) -> Missed {
    todo!()
}
pub fn jitter(schedule: &Schedule, job: &JobRef, slot: Timestamp) -> SignedDuration {
    todo!()
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlapDecision {
    Start,
    Skip { because: TaskId },
    Replace { cancel: Vec<TaskId> },
}
/// `active`: the active runs of the job, oldest first.
pub fn decide_overlap(policy: Overlap, active: &[TaskId]) -> OverlapDecision {
    todo!()
}
/// For start-up: version and origin of the zone database.
pub fn tzdb_version() -> String {
    todo!()
}
