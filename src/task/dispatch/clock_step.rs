//! When the wall clock jumps, or nobody looked for a while.
//!
//! The wheel wakes the loop at least every [`LONGEST_SLEEP`], so that a longer pause between two events was
//! a forward step, a suspend, or a stop of the whole process: what was due in it is caught up by policy. A
//! clock that goes back fires nothing again; what it left in the future is pulled back.

use jiff::{SignedDuration, Timestamp};

use super::Dispatcher;
use super::live::{Stage, TaskKey};
use super::table::Entry;
use crate::job::Retries;
use crate::schedule::wheel::LONGEST_SLEEP;
use crate::store::{Commit, SlotOutcome, StoreError};
use crate::task::Task;

/// Longer than any busy machine takes from one wake to the next.
const PAUSE: SignedDuration = SignedDuration::from_secs(2 * LONGEST_SLEEP.as_secs() as i64);

/// Less than this is how clocks are disciplined.
const SET_BACK: SignedDuration = SignedDuration::from_secs(1);

/// A watermark further ahead than this comes from a clock that was wrong.
const FAR_FUTURE: SignedDuration = SignedDuration::from_hours(1);

impl Dispatcher {
    /// Compares the wall clock with what it showed at the event before.
    pub(super) fn look_at_clock(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let passed = now.duration_since(self.seen);
        self.seen = now;
        if passed > PAUSE {
            tracing::warn!(
                seconds = passed.as_secs(),
                "nobody looked at the schedules: a step of the clock, a suspend, or a stop"
            );
            self.downtime_until = now;
            self.given_up = SlotOutcome::Missed;
        } else if passed < -SET_BACK {
            tracing::warn!(seconds = passed.as_secs(), "the wall clock was set back");
            self.set_back(now);
        } else {
            return Ok(());
        }
        let places = self.table.places();
        self.look_at_schedules(&places, now)
    }

    fn set_back(&mut self, now: Timestamp) {
        self.downtime_until = self.downtime_until.min(now);
        for place in self.table.places() {
            if let Some(entry) = self.table.get_mut(place) {
                clamp(entry, now);
            }
        }
        let waiting = |stage| matches!(stage, Stage::Held | Stage::Waiting);
        let keys: Vec<TaskKey> =
            self.live.iter().filter(|(_, live)| waiting(live.stage)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            match self.live.get(&key).map(|live| live.stage) {
                Some(Stage::Held) => self.task_due(&key),
                _ => self.arm_retry(&key, now),
            }
        }
    }

    /// Arms the timer of a task that waits for a retry's due time. A due time that no backoff explains was
    /// reckoned by a clock that was wrong.
    pub(super) fn arm_retry(&mut self, key: &TaskKey, now: Timestamp) {
        let Some(task) = self.live.get(key).map(|live| &live.task) else { return };
        let Some(due) = task.not_before else { return };
        let latest = now + self.longest_backoff(task);
        if due > latest
            && let Some(task) = self.live.task_mut(key)
        {
            task.not_before = Some(latest);
            let mut commit = Commit::new();
            commit.update_task(task);
            self.commit_later(commit);
        }
        self.arm_task(key, due.min(latest));
    }

    fn longest_backoff(&self, task: &Task) -> SignedDuration {
        let job = task.job_ref().and_then(|job| self.config.job(&job).map(|(_, job)| job.terms.retries));
        job.map_or(Retries::default().max_backoff, |retries| retries.max_backoff)
    }
}

/// Sets a watermark in the far future back to now. What the ledger holds until then is never run again.
pub(super) fn clamp(entry: &mut Entry, now: Timestamp) {
    let watermark = entry.watermark;
    if watermark.duration_since(now) <= FAR_FUTURE {
        return;
    }
    tracing::warn!(
        job = %entry.job, schedule = %entry.schedule.key, %watermark,
        "the watermark lies in the far future, so the clock was wrong once; it is set back to now"
    );
    entry.ledger_until = entry.ledger_until.max(Some(watermark));
    entry.watermark = now;
}
