//! What became of a slot, as far as lateness goes.

use jiff::{SignedDuration, Timestamp};

use crate::job::JobRef;
use crate::schedule::{Schedule, jitter};
use crate::store::{SkipReason, SlotOutcome};
use crate::task::{Phase, Task, TaskId, Trigger};

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It started, or somebody did not want it to.
    Settled,
    /// Nobody has decided about it.
    Undecided,
    /// Its task has not started.
    Waiting {
        /// The task.
        task: TaskId,
        /// Where that is.
        phase: Phase,
    },
    /// Its task ended, and never started.
    NeverStarted {
        /// The task.
        task: TaskId,
    },
    /// It was skipped, and not because somebody wanted that.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// It was due while tekcron was down.
    Missed,
}

/// The latest slot of a schedule that should have started by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSlot {
    /// Its nominal time.
    pub slot: Timestamp,
    /// When it was due: its jitter later.
    pub due: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

impl Fate {
    /// What became of the slot at `slot`, with the row of the ledger that holds it, and the task of that row where
    /// it is still on record.
    pub fn of(
        slot: Timestamp,
        watermark: Option<Timestamp>,
        row: Option<SlotOutcome>,
        task: Option<&Task>,
    ) -> Self {
        match row {
            // What lies behind the watermark without a row lies before the schedule's time, or the ledger's.
            None if watermark.is_none_or(|watermark| slot <= watermark) => Self::Settled,
            None => Self::Undecided,
            Some(SlotOutcome::Missed) => Self::Missed,
            Some(SlotOutcome::Skipped { reason }) => match reason {
                SkipReason::Deadline | SkipReason::Unreachable => Self::Skipped { reason },
                _ => Self::Settled,
            },
            Some(SlotOutcome::Ran { .. } | SlotOutcome::CaughtUp { .. }) => match task {
                Some(task) if task.started.is_some() => Self::Settled,
                // Whoever runs a slot again knows that it waits.
                Some(task) if task.trigger == Trigger::Backfill && !task.phase.is_terminal() => Self::Settled,
                Some(task) if !task.phase.is_terminal() => Self::Waiting { task: task.id, phase: task.phase },
                Some(Task { phase: Phase::Failed | Phase::Lost | Phase::TimedOut, id, .. }) => {
                    Self::NeverStarted { task: *id }
                }
                // It is on record no longer, or somebody ended it.
                _ => Self::Settled,
            },
        }
    }
}

/// The latest slot of `schedule` that no calendar excludes and that was due at least `late_after` before `now`, and when it was due.
pub fn last_slot(
    schedule: &Schedule,
    job: &JobRef,
    late_after: SignedDuration,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    let until = now.checked_sub(late_after).ok()?;
    let due = |slot: Timestamp| slot + jitter(schedule, job, slot);
    let slot = schedule.last_until(until)?;
    if due(slot) <= until {
        return Some((slot, due(slot)));
    }
    // Jitter never reaches the next slot: the one before is due.
    let before = schedule.last_until(slot - SignedDuration::from_secs(1))?;
    Some((before, due(before)))
}
