//! When a claimed run starts: its job's turn, and room within the limits.
//!
//! A run that starts at once is claimed as `pending`, one that waits as `queued`. From one to the other it
//! goes by a commit of its own, and the executor hears of it when that is on disk: what is `queued` on disk
//! has surely not started, so that a restart, whatever it finds, starts the same ones and no more than the
//! limits allow.

use std::collections::HashMap;
use std::sync::Arc;

use super::limits::{Class, Limits};
use super::live::{Stage, TaskKey};
use super::queue::{IN_TURN, LAST, Lane, Place, Queue};
use super::{Dispatcher, Event};
use crate::app::AppName;
use crate::config::Config;
use crate::job::JobRef;
use crate::schedule::{Blocker, Overlap, OverlapDecision, Runs, blocker, decide_overlap};
use crate::store::{Commit, StoreError};
use crate::task::{Phase, Task, TaskId, Trigger};

impl Dispatcher {
    /// Decides about a run of `job` that is due, by `policy`.
    pub(super) fn decide_turn(&self, job: &JobRef, policy: Overlap) -> OverlapDecision {
        let most = self
            .config
            .job(job)
            .map_or(usize::MAX, |(_, job)| usize::try_from(job.terms.max_queued.0).unwrap_or(usize::MAX));
        let limits = self.limits.of(&class_of(&self.config, &job.app, Some(job)));
        decide_overlap(policy, self.live.runs(job), limits, most)
    }

    /// Takes a task on. It has its place among those that run unless it is `queued`.
    pub(super) fn enter(&mut self, task: Task, stage: Stage) -> TaskKey {
        let class = class_of_task(&self.config, &task);
        let runs = task.phase != Phase::Queued;
        let (job, batch) = (task.job_ref(), batch_of(&task));
        let key = self.live.insert(task, stage, class.clone());
        if runs {
            self.take_place(&class, batch);
        }
        if let Some(job) = job {
            self.reopen(&job);
        }
        key
    }

    /// Lets a task go, which has ended or gets another id. Who waits for it is not started yet.
    pub(super) fn leave(&mut self, key: &TaskKey) -> Option<(Task, Class)> {
        self.queue.remove(key);
        let (task, class) = self.live.remove(key)?;
        if task.phase != Phase::Queued {
            self.limits.free(&class);
            self.queue.set_full(&class.app, !self.limits.app_has_room(&class.app));
            self.free_batch(&task);
        }
        if let Some(job) = task.job_ref() {
            self.reopen(&job);
        }
        Some((task, class))
    }

    /// A durable `queued` task waits from now on, unless it may start at once.
    pub(super) fn wait_for_turn(&mut self, key: &TaskKey) {
        self.enqueue(key, None);
        if let Some(class) = self.live.get(key).map(|live| live.class.clone()) {
            self.start_waiting(&class);
        }
    }

    pub(super) fn enqueue(&mut self, key: &TaskKey, rank: Option<i64>) {
        let Some(live) = self.live.get(key) else { return };
        let (task, class) = (&live.task, live.class.clone());
        let lane = self.lane_of(task);
        let since = task.not_before.unwrap_or(task.created);
        let usual = if task.trigger == Trigger::Backfill { LAST } else { IN_TURN };
        let place = Place { rank: rank.unwrap_or(usual), since, app: key.app.clone(), id: key.id };
        let open = self.is_open(&lane);
        self.live.set_stage(key, Stage::Queued);
        self.queue.insert(place, lane, &class, open);
    }

    /// Starts what waits, as far as the limits of `class` allow.
    pub(super) fn start_waiting(&mut self, class: &Class) {
        while let Some(key) = self.queue.next(class, &self.limits) {
            self.start(&key);
        }
    }

    fn start(&mut self, key: &TaskKey) {
        let rank = self.queue.remove(key).map_or(IN_TURN, |place| place.rank);
        let Some((task, class)) = self.live.start(key) else { return };
        let mut commit = Commit::new();
        commit.update_task(&task);
        if rank < IN_TURN {
            commit.remove_front(&key.app, key.id);
        }
        self.commit_later(commit);
        self.starting.push(key.clone());
        self.take_place(&class, batch_of(&task));
        if let Some(job) = task.job_ref() {
            self.reopen(&job);
        }
    }

    /// Sends what started in this turn on its way to the disk, and then to the executor.
    pub(super) fn send_starting(&mut self) {
        if self.starting.is_empty() {
            return;
        }
        let keys = std::mem::take(&mut self.starting);
        self.commit_then(Commit::new(), move |internal| {
            // The loop may have ended already.
            let _ = internal.send(Event::Claimed(keys, None));
        });
    }

    /// Puts all that runs and waits in its place after an edit of the configuration.
    pub(super) fn place_all(&mut self) {
        let config = Arc::clone(&self.config);
        self.limits = Limits::of_config(&config);
        self.batches.clear();
        let ranks: HashMap<TaskKey, i64> =
            self.queue.places(None).map(|place| (place.key(), place.rank)).collect();
        self.queue = Queue::default();
        let keys: Vec<TaskKey> = self.live.iter().map(|(key, _)| key.clone()).collect();
        let mut waiting = Vec::new();
        for key in keys {
            let Some(live) = self.live.get_mut(&key) else { continue };
            let class = class_of_task(&config, &live.task);
            live.class = class.clone();
            let batch = batch_of(&live.task);
            match (live.task.phase, live.stage) {
                (Phase::Queued, Stage::Queued) => waiting.push(key),
                (Phase::Queued, _) => {}
                _ => self.take_place(&class, batch),
            }
        }
        for key in waiting {
            let rank = ranks.get(&key).copied();
            self.enqueue(&key, rank);
        }
        self.start_all();
    }

    /// Starts everything that may.
    pub(super) fn start_all(&mut self) {
        for class in self.queue.classes() {
            self.start_waiting(&class);
        }
    }

    /// What waited before a restart waits again, in the same order.
    pub(super) fn recover_queue(&mut self, waiting: &[TaskKey]) -> Result<(), StoreError> {
        let fronts = match waiting {
            [] => HashMap::new(),
            _ => {
                self.store.fronts()?.into_iter().map(|(app, id, rank)| (TaskKey { app, id }, rank)).collect()
            }
        };
        for key in waiting {
            self.enqueue(key, fronts.get(key).copied());
        }
        self.start_all();
        Ok(())
    }

    /// What a task waits for; none where it does not wait, or is about to start.
    pub(super) fn waits_for(&self, key: &TaskKey) -> Option<Blocker> {
        let lane = self.queue.lane(key)?;
        let live = self.live.get(key)?;
        let runs = lane.job_ref().map_or(Runs::NONE, |job| self.live.runs(&job));
        let before = runs.waiting.first().filter(|_| lane.batch.is_some());
        let ahead = runs.running.first().or(before).copied();
        let first = self.queue.first_of(lane).filter(|first| *first != key.id);
        let policy = if lane.alone { Overlap::QueueAll } else { Overlap::Allow };
        blocker(policy, ahead.or(first), self.limits.of(&live.class))
            .or_else(|| self.batch_head(lane).or(first).map(Blocker::Run))
    }

    fn take_place(&mut self, class: &Class, batch: Option<(Arc<str>, u32)>) {
        self.limits.take(class);
        self.queue.set_full(&class.app, !self.limits.app_has_room(&class.app));
        if let Some((batch, most)) = batch {
            let limit = self.batches.entry(batch).or_insert(crate::schedule::Limit { most, running: 0 });
            limit.running += 1;
        }
    }

    fn free_batch(&mut self, task: &Task) {
        let Some((batch, _)) = batch_of(task) else { return };
        if let Some(limit) = self.batches.get_mut(&batch) {
            limit.running -= 1;
            if limit.running == 0 {
                self.batches.remove(&batch);
            }
        }
    }

    /// Opens and closes the lanes of a job as its runs allow.
    fn reopen(&mut self, job: &JobRef) {
        for lane in self.queue.lanes_of(job) {
            let open = self.is_open(&lane);
            self.queue.set_open(&lane, open);
        }
    }

    fn is_open(&self, lane: &Lane) -> bool {
        let turn = lane.job_ref().filter(|_| lane.alone);
        let turn = turn.is_none_or(|job| {
            let runs = self.live.runs(&job);
            // A backfill stands behind everybody, also behind whom the commit of a claim is under way for.
            runs.running.is_empty() && (lane.batch.is_none() || runs.waiting.is_empty())
        });
        let batch = lane.batch.as_ref().and_then(|batch| self.batches.get(batch));
        turn && batch.is_none_or(|limit| limit.has_room())
    }

    /// Of a backfill that runs as many as it may: one of them.
    fn batch_head(&self, lane: &Lane) -> Option<TaskId> {
        let limit = lane.batch.as_ref().and_then(|batch| self.batches.get(batch))?;
        let running = lane.job_ref().and_then(|job| self.live.runs(&job).running.first().copied());
        running.filter(|_| !limit.has_room())
    }

    /// The lane that a queued task waits in. A retry has its job's turn already.
    fn lane_of(&self, task: &Task) -> Lane {
        let job = task.job_ref();
        let configured = job.as_ref().and_then(|job| self.config.job(job)).map(|(_, job)| job.terms.overlap);
        let policy = task.overrides.overlap.or(configured).unwrap_or_default();
        let alone = match task.trigger {
            Trigger::Retry => false,
            Trigger::Backfill => policy != Overlap::Allow,
            _ => policy.is_alone(),
        };
        let batch = batch_of(task).map(|(batch, _)| batch);
        Lane { app: task.app.clone(), job: task.job.clone(), alone: alone && job.is_some(), batch }
    }
}

/// What a task of `app` and `job` counts against.
pub(super) fn class_of(config: &Config, app: &AppName, job: Option<&JobRef>) -> Class {
    let group = config.apps.get(app).and_then(|app| {
        let job = job.and_then(|job| app.jobs.get(&job.job));
        job.and_then(|job| job.terms.group.as_ref()).or(app.group.as_ref())
    });
    Class { app: app.clone(), group: group.cloned(), counts: true }
}

/// The same of a task. A build counts against nothing: it is no run of its App.
fn class_of_task(config: &Config, task: &Task) -> Class {
    let class = class_of(config, &task.app, task.job_ref().as_ref());
    Class { counts: task.trigger != Trigger::Build, ..class }
}

const BACKFILL: &str = "backfill";

/// The name of a request for a backfill that runs at most so many at once. It stands in each task's record.
pub(super) fn batch_request(most: u32, hash: &str) -> String {
    format!("{BACKFILL}:{most}:{hash}")
}

/// The backfill that a task belongs to, and the most of it that run at once.
pub(super) fn batch_of(task: &Task) -> Option<(Arc<str>, u32)> {
    let request = task.request.as_deref()?;
    let most = request.strip_prefix(BACKFILL)?.strip_prefix(':')?.split(':').next()?;
    Some((request.into(), most.parse().ok()?))
}
