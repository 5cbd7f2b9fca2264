//! What waits to start, as it is shown, and the wish to move it to the front or to take it out.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::live::{Stage, TaskKey};
use super::queue::Place;
use super::settle::Retry;
use super::submit::never_started;
use super::{Dispatcher, QueueError};
use crate::app::AppName;
use crate::job::GroupName;
use crate::schedule::Blocker;
use crate::store::{Commit, SkipReason, SlotOutcome, SlotRow, StoreError};
use crate::task::{Outcome, Phase, Task, TaskId, Trigger};

/// A task that waits to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The task.
    pub task: Task,
    /// Where it stands: of two, the one with the lesser place goes first where both may start.
    pub place: QueuePlace,
    /// What is in its way; nothing any more where it is about to start.
    pub waits_for: Option<Blocker>,
    /// The group that it counts against.
    pub group: Option<GroupName>,
}

/// Where a task stands in the queue: its rank, since when it may start, and which it is.
pub type QueuePlace = (i64, Timestamp, AppName, TaskId);

/// Which part of the queue to show.
#[derive(Debug, Clone)]
pub struct QueueQuery {
    /// Of this App only.
    pub app: Option<AppName>,
    /// Only what stands behind this place.
    pub after: Option<QueuePlace>,
    /// The most entries.
    pub limit: usize,
}

type Reply = oneshot::Sender<Result<Task, QueueError>>;

impl Dispatcher {
    pub(super) fn show_queue(&self, query: &QueueQuery) -> Vec<QueueEntry> {
        let after = query.after.clone().map(|(rank, since, app, id)| Place { rank, since, app, id });
        let places = self.queue.places(after.as_ref());
        let places = places.filter(|place| query.app.as_ref().is_none_or(|app| place.app == *app));
        let entry = |place: &Place| {
            let key = place.key();
            let live = self.live.get(&key)?;
            Some(QueueEntry {
                task: live.task.clone(),
                place: (place.rank, place.since, place.app.clone(), place.id),
                waits_for: self.waits_for(&key),
                group: live.class.group.clone(),
            })
        };
        places.filter_map(entry).take(query.limit).collect()
    }

    /// Moves a waiting task before all others. Who asked is told when that is on disk.
    pub(super) fn move_to_front(&mut self, key: &TaskKey, reply: Reply) -> Result<(), StoreError> {
        let task = match self.waiting_task(key)? {
            Ok(task) => task,
            Err(error) => {
                // Nobody may wait any more.
                let _ = reply.send(Err(error));
                return Ok(());
            }
        };
        let Some(rank) = self.queue.move_to_front(key) else {
            let error = QueueError::NotYet { app: key.app.clone(), id: key.id, due: task.not_before };
            // Nobody may wait any more.
            let _ = reply.send(Err(error));
            return Ok(());
        };
        let mut commit = Commit::new();
        commit.put_front(&key.app, key.id, rank);
        self.commit(commit, move |durable| {
            // Nobody may wait any more.
            let _ = reply.send(durable.map_err(QueueError::from).map(|()| task));
        });
        Ok(())
    }

    /// Ends a waiting task before it starts; the row of its slot says so.
    pub(super) fn drop_waiting(
        &mut self,
        key: &TaskKey,
        reply: Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let dropped = self.waiting_task(key)?.map(|task| {
            if let Some(row) = dropped_row(&task)
                && let Some(job) = task.job_ref()
            {
                let mut commit = Commit::new();
                commit.put_slot(&job, &row);
                self.commit_later(commit);
            }
            let outcome = Outcome {
                reason: "Dropped".to_owned(),
                ..never_started("it was dropped from the queue", now)
            };
            self.finish(key, outcome, Retry::Never, now).unwrap_or(task)
        });
        self.commit(Commit::new(), move |durable| {
            // Nobody may wait any more.
            let _ = reply.send(durable.map_err(QueueError::from).and(dropped));
        });
        Ok(())
    }

    /// The task at `key`, if it waits to start.
    fn waiting_task(&self, key: &TaskKey) -> Result<Result<Task, QueueError>, StoreError> {
        let (app, id) = (key.app.clone(), key.id);
        if let Some(live) = self.live.get(key) {
            let waits = live.task.phase == Phase::Queued
                && matches!(live.stage, Stage::Claiming | Stage::Waiting | Stage::Queued);
            let task = live.task.clone();
            return Ok(if waits {
                Ok(task)
            } else {
                Err(QueueError::Started { app, id, phase: task.phase })
            });
        }
        let stored = self.store.task(&key.app, key.id)?;
        Ok(Err(match stored {
            None => QueueError::NoTask { app, id },
            Some(task) => QueueError::Ended { app, id, phase: Some(task.phase).filter(|p| p.is_terminal()) },
        }))
    }
}

/// What becomes of the row of a slot whose task is dropped. A retry's says what its first attempt was.
fn dropped_row(task: &Task) -> Option<SlotRow> {
    let of_slot = matches!(task.trigger, Trigger::Schedule | Trigger::CatchUp | Trigger::Backfill);
    let slot = task.scheduled.filter(|_| of_slot)?;
    let outcome = SlotOutcome::Skipped { reason: SkipReason::Dropped { task: task.id } };
    Some(SlotRow {
        schedule: task.schedule.clone()?,
        first: slot,
        last: slot,
        outcome,
        claim: None,
        note: None,
    })
}
