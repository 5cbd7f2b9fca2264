use std::collections::BTreeMap;

use jiff::Timestamp;

use super::key;
use super::record::{self, IdempotencyV1, Watermark};
use super::slot::SlotRow;
use crate::app::AppName;
use crate::config::StoredJob;
use crate::job::JobRef;
use crate::schedule::ScheduleKey;
use crate::task::{Task, TaskId};

/// Writes that become durable together or not at all.
#[derive(Debug, Default, Clone)]
pub struct Commit {
    /// By key: the value, or none where it is deleted.
    pub(super) writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Commit {
    /// Nothing yet. An empty commit is durable when all before it are.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many writes it holds.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether it holds no write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Takes over the writes of `later`, which win where both write the same.
    pub fn append(&mut self, mut later: Self) -> &mut Self {
        self.writes.append(&mut later.writes);
        self
    }

    /// A task that did not exist before, and with it its App's counter.
    pub fn create_task(&mut self, task: &Task) -> &mut Self {
        self.put_counter(&task.app, task.id);
        if !task.phase.is_terminal() {
            self.put(key::active(&task.app, task.id), Vec::new());
        }
        self.put(key::task(&task.app, task.id), record::encode_task(task))
    }

    /// The highest id that an App has given away.
    pub fn put_counter(&mut self, app: &AppName, id: TaskId) -> &mut Self {
        self.put(key::counter(app), id.0.to_be_bytes().to_vec())
    }

    /// A task as it is now.
    pub fn update_task(&mut self, task: &Task) -> &mut Self {
        if task.phase.is_terminal() {
            self.delete(key::active(&task.app, task.id));
        }
        self.put(key::task(&task.app, task.id), record::encode_task(task))
    }

    /// A task is forgotten. Its slot's row stays.
    pub fn remove_task(&mut self, task: &Task) -> &mut Self {
        self.delete(key::task(&task.app, task.id));
        self.delete(key::active(&task.app, task.id))
    }

    /// A row of the slot ledger; one that begins at the same instant is replaced.
    pub fn put_slot(&mut self, job: &JobRef, row: &SlotRow) -> &mut Self {
        self.put(key::slot(job, &row.schedule, row.first), record::encode_slot(row.last, row.outcome))
    }

    /// The row that began at `first` is part of another.
    pub fn remove_slot(&mut self, job: &JobRef, schedule: &ScheduleKey, first: Timestamp) -> &mut Self {
        self.delete(key::slot(job, schedule, first))
    }

    /// The nominal time of a job's latest successful run.
    pub fn put_previous_success(&mut self, job: &JobRef, nominal: Timestamp) -> &mut Self {
        self.put(key::previous_success(job), record::encode(&record::micros(nominal)))
    }

    /// A job that was created by command, as it is now.
    pub fn put_job(&mut self, job: &JobRef, stored: &StoredJob) -> &mut Self {
        self.put(key::job(job), record::encode(&stored.toml()))
    }

    /// A job that was created by command is none any more.
    pub fn remove_job(&mut self, job: &JobRef) -> &mut Self {
        self.delete(key::job(job))
    }

    /// A schedule has been decided up to here.
    pub fn put_watermark(
        &mut self,
        job: &JobRef,
        schedule: &ScheduleKey,
        watermark: &Watermark,
    ) -> &mut Self {
        self.put(key::watermark(job, schedule), record::encode_watermark(watermark))
    }

    /// A schedule is no longer configured.
    pub fn remove_watermark(&mut self, job: &JobRef, schedule: &ScheduleKey) -> &mut Self {
        self.delete(key::watermark(job, schedule))
    }

    /// A request's key now stands for this task. `request` is the hash of what was asked.
    pub fn put_idempotency(
        &mut self,
        idempotency_key: &str,
        app: &AppName,
        id: TaskId,
        request: &str,
        created: Timestamp,
    ) -> &mut Self {
        let row = IdempotencyV1 {
            app: app.clone(),
            id,
            request: request.to_owned(),
            created: record::micros(created),
        };
        self.put(key::idempotency(idempotency_key), record::encode(&row))
    }

    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> &mut Self {
        self.writes.insert(key, Some(value));
        self
    }

    pub(super) fn delete(&mut self, key: Vec<u8>) -> &mut Self {
        self.writes.insert(key, None);
        self
    }
}
