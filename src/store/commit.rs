use std::collections::BTreeMap;

use jiff::Timestamp;

use super::key;
use super::record::{self, IdempotencyV1, Watermark};
use super::slot::SlotRow;
use crate::app::{AppName, ServiceName};
use crate::config::{StoredApp, StoredJob, StoredService};
use crate::job::{JobRef, Steering};
use crate::notify::Notice;
use crate::push::{Revision, RevisionNumber};
use crate::schedule::ScheduleKey;
use crate::task::{Task, TaskId};
use crate::watch::{Standing, Streak};

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

    /// A waiting task was moved to the front: the lower `rank` goes first.
    pub fn put_front(&mut self, app: &AppName, id: TaskId, rank: i64) -> &mut Self {
        self.put(key::front(app, id), record::encode(&rank))
    }

    /// A task that was moved to the front waits no more.
    pub fn remove_front(&mut self, app: &AppName, id: TaskId) -> &mut Self {
        self.delete(key::front(app, id))
    }

    /// A row of the slot ledger; one that begins at the same instant is replaced.
    pub fn put_slot(&mut self, job: &JobRef, row: &SlotRow) -> &mut Self {
        self.put(key::slot(job, &row.schedule, row.first), record::encode_slot(row))
    }

    /// A row of the slot ledger is forgotten, or part of another from now on.
    pub fn remove_slot(&mut self, job: &JobRef, schedule: &ScheduleKey, first: Timestamp) -> &mut Self {
        self.delete(key::slot(job, schedule, first))
    }

    /// The nominal time of a job's latest successful run.
    pub fn put_previous_success(&mut self, job: &JobRef, nominal: Timestamp) -> &mut Self {
        self.put(key::previous_success(job), record::encode(&record::micros(nominal)))
    }

    /// An App that was pushed, as it is now.
    pub fn put_app(&mut self, app: &AppName, stored: &StoredApp) -> &mut Self {
        self.put(key::app(app), record::encode_app(stored))
    }

    /// An App that was pushed is none any more.
    pub fn remove_app(&mut self, app: &AppName) -> &mut Self {
        self.delete(key::app(app))
    }

    /// A revision of a pushed App, as it is now.
    pub fn put_revision(&mut self, app: &AppName, revision: &Revision) -> &mut Self {
        self.put(key::revision(app, revision.number), record::encode_revision(revision))
    }

    /// A revision of a pushed App is forgotten.
    pub fn remove_revision(&mut self, app: &AppName, number: RevisionNumber) -> &mut Self {
        self.delete(key::revision(app, number))
    }

    /// A service that was created by command, as it is now.
    pub fn put_service(&mut self, service: &ServiceName, stored: &StoredService) -> &mut Self {
        self.put(key::service(service), record::encode_service(stored))
    }

    /// A service that was created by command is none any more.
    pub fn remove_service(&mut self, service: &ServiceName) -> &mut Self {
        self.delete(key::service(service))
    }

    /// A job that was created by command, as it is now.
    pub fn put_job(&mut self, job: &JobRef, stored: &StoredJob) -> &mut Self {
        self.put(key::job(job), record::encode(&stored.toml()))
    }

    /// A job that was created by command is none any more.
    pub fn remove_job(&mut self, job: &JobRef) -> &mut Self {
        self.delete(key::job(job))
    }

    /// What somebody decided about a job's slots; no row where that is nothing.
    pub fn put_steering(&mut self, job: &JobRef, steering: &Steering) -> &mut Self {
        match steering.is_nothing() {
            true => self.delete(key::steering(job)),
            false => self.put(key::steering(job), record::encode_steering(steering)),
        }
    }

    /// How the runs of a job that is watched have ended.
    pub fn put_streak(&mut self, job: &JobRef, streak: &Streak) -> &mut Self {
        self.put(key::streak(job), record::encode_streak(streak))
    }

    /// How a job that is watched stands.
    pub fn put_standing(&mut self, job: &JobRef, standing: &Standing) -> &mut Self {
        self.put(key::standing(job), record::encode_standing(standing))
    }

    /// Somebody is to be told.
    pub fn put_notice(&mut self, notice: &Notice) -> &mut Self {
        self.put(key::notice(&notice.id), record::encode_notice(notice))
    }

    /// Somebody was told, or will not be.
    pub fn remove_notice(&mut self, notice: &Notice) -> &mut Self {
        self.delete(key::notice(&notice.id))
    }

    /// A job is no longer watched.
    pub fn remove_standing(&mut self, job: &JobRef) -> &mut Self {
        self.delete(key::standing(job));
        self.delete(key::streak(job))
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
