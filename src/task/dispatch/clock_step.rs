//! When the wall clock jumps, or nobody looked for a while.
//!
//! The wheel wakes the loop at least every [`LONGEST_SLEEP`], so that a longer pause between two events was
//! a forward step, a suspend, or a stop of the whole process: what was due in it is caught up by policy. A
//! clock that goes back fires nothing again; what it left in the future is pulled back: watermarks, and with
//! them the rows of slots that did not run, which come again.

use jiff::{SignedDuration, Timestamp};

use super::Dispatcher;
use super::live::{Stage, TaskKey};
use super::table::{Entry, NewestRow};
use crate::job::Retries;
use crate::schedule::wheel::LONGEST_SLEEP;
use crate::store::{Commit, SlotOutcome, SlotRow, Store, StoreError};
use crate::task::Task;

/// Longer than any busy machine takes from one wake to the next.
const PAUSE: SignedDuration = SignedDuration::from_secs(2 * LONGEST_SLEEP.as_secs() as i64);

/// Less than this is how clocks are disciplined.
const SET_BACK: SignedDuration = SignedDuration::from_secs(1);

/// A watermark further ahead than this comes from a clock that was wrong.
const FAR_FUTURE: SignedDuration = SignedDuration::from_hours(1);

impl Dispatcher {
    /// Compares the wall clock with what it showed at the event before.
    pub(super) async fn look_at_clock(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let passed = now.duration_since(self.seen);
        self.seen = now;
        if passed > PAUSE {
            tracing::warn!(
                seconds = passed.as_secs(),
                "nobody looked at the schedules: a step of the clock, a suspend, or a stop"
            );
            self.downtime_until = now;
            self.given_up = SlotOutcome::Missed.into();
        } else if passed < -SET_BACK {
            tracing::warn!(seconds = passed.as_secs(), "the wall clock was set back");
            // The rows ahead are looked for on the disk.
            self.send_gathered();
            self.store.commit(Commit::new()).await?;
            self.set_back(now)?;
        } else {
            return Ok(());
        }
        let places = self.table.places();
        self.look_at_schedules(&places, now)
    }

    fn set_back(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.downtime_until = self.downtime_until.min(now);
        let mut commit = Commit::new();
        for place in self.table.places() {
            if let Some(entry) = self.table.get_mut(place)
                && clamp(entry, now)
            {
                reopen(&self.store, entry, &mut commit)?;
                commit.put_watermark(&entry.job, &entry.schedule.key, &entry.stored_watermark());
                self.spill(&mut commit);
            }
        }
        self.commit_then(commit, |_| ());
        let waiting = |stage| matches!(stage, Stage::Held | Stage::Waiting);
        let keys: Vec<TaskKey> =
            self.live.iter().filter(|(_, live)| waiting(live.stage)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            match self.live.get(&key).map(|live| live.stage) {
                Some(Stage::Held) => self.task_due(&key),
                _ => self.arm_retry(&key, now),
            }
        }
        Ok(())
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

/// Sets a watermark in the far future back to now, and says whether it did. What ran until then is never run
/// again.
pub(super) fn clamp(entry: &mut Entry, now: Timestamp) -> bool {
    let watermark = entry.watermark;
    if watermark.duration_since(now) <= FAR_FUTURE {
        return false;
    }
    tracing::warn!(
        job = %entry.job, schedule = %entry.schedule.key, %watermark,
        "the watermark lies in the far future, so the clock was wrong once; it is set back to now"
    );
    entry.ledger_until = entry.ledger_until.max(Some(watermark));
    entry.watermark = now;
    true
}

/// Removes the rows ahead of the watermark but for those of tasks, and cuts one that reaches over it: their slots
/// are still to be decided about. Belongs to the commit of that watermark.
pub(super) fn reopen(store: &Store, entry: &mut Entry, commit: &mut Commit) -> Result<(), StoreError> {
    entry.newest_row = NewestRow::Ends;
    let rows = store.slots_of(&entry.job, &entry.schedule.key, Timestamp::MIN..=Timestamp::MAX);
    for row in rows.rev() {
        let row = row?;
        let has_task = row.outcome.task().is_some();
        if row.last <= entry.watermark {
            if !has_task {
                entry.newest_row = NewestRow::MayGrow(Box::new(row));
            }
            break;
        }
        if has_task {
            continue;
        }
        commit.remove_slot(&entry.job, &row.schedule, row.first);
        if row.first <= entry.watermark {
            let last = entry.schedule.recurrence.last_until(entry.watermark);
            let last = last.map_or(row.first, |last| last.max(row.first));
            let row = SlotRow { last, ..row };
            commit.put_slot(&entry.job, &row);
            entry.newest_row = NewestRow::MayGrow(Box::new(row));
            break;
        }
    }
    Ok(())
}
