//! Runs by hand, and the wish to end one.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::live::{Stage, TaskKey};
use super::settle::Retry;
use super::submit::never_started;
use super::turns::class_of;
use super::{Dispatcher, Event, RunError, TerminateError, Terminated};
use crate::app::{App, AppName};
use crate::job::{Job, JobName, JobRef};
use crate::push::RevisionNumber;
use crate::schedule::{Overlap, OverlapDecision, blocker};
use crate::store::{Commit, StoreError};
use crate::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger, base32_hash};

/// Why a task is to end before it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Terminated,
    Replaced,
}

impl Why {
    fn under_way(self) -> &'static str {
        match self {
            Self::Terminated => "it is being terminated",
            Self::Replaced => "it is being replaced by a newer run",
        }
    }

    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Terminated => "it was terminated",
            Self::Replaced => "it was replaced by a newer run",
        }
    }

    /// Why `task` was to end, as far as its record says so.
    pub(super) fn of(task: &Task) -> Option<Self> {
        let message = task.message.as_deref()?;
        [Self::Terminated, Self::Replaced].into_iter().find(|why| why.under_way() == message)
    }
}

/// A run asked for by hand.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The App.
    pub app: AppName,
    /// A job on it, or none for a run on the App itself.
    pub job: Option<JobName>,
    /// What people call it.
    pub display_name: Option<String>,
    /// What is different this time.
    pub overrides: Overrides,
    /// The revision that it is to build, of an App that was pushed.
    pub builds: Option<RevisionNumber>,
    /// A repeated request with the same key is the same task, for 24 hours.
    pub idempotency_key: Option<String>,
}

impl RunRequest {
    /// The hash that tells a repeated request from another one under the same key.
    fn hash(&self) -> String {
        let job = self.job.as_ref().map_or("", JobName::as_str);
        let display_name = self.display_name.as_deref().unwrap_or_default();
        let overrides = serde_json::to_string(&self.overrides).expect("they have texts for keys");
        let parts = [self.app.as_str(), job, display_name, &overrides];
        match self.builds {
            None => base32_hash(&parts),
            Some(number) => base32_hash(&[&parts[..], &[&number.to_string()]].concat()),
        }
    }
}

type RunReply = oneshot::Sender<Result<Task, RunError>>;
type TerminateReply = oneshot::Sender<Result<Terminated, TerminateError>>;

impl Dispatcher {
    pub(super) fn run_by_hand(
        &mut self,
        request: RunRequest,
        reply: RunReply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(key) = &request.idempotency_key
            && let Some((first, hash)) = self.task_of_key(key)?
        {
            let answer = match self.task(&first)? {
                _ if hash != request.hash() => Err(RunError::IdempotencyMismatch),
                Some(task) => Ok(task),
                None => Err(RunError::Forgotten { app: first.app, task: first.id }),
            };
            // The first request's commit may be under way: this one is durable when that is.
            self.commit(Commit::new(), |durable| {
                // Nobody may wait any more.
                let _ = reply.send(durable.map_err(RunError::from).and(answer));
            });
            return Ok(());
        }
        match self.claim_by_hand(&request, now) {
            Ok((task, replaced)) => self.commit_run(request, task, &replaced, reply, now),
            // Nobody may wait any more.
            Err(error) => drop(reply.send(Err(error))),
        }
        Ok(())
    }

    /// The task, and the runs that are to end in its favour.
    fn claim_by_hand(
        &mut self,
        request: &RunRequest,
        now: Timestamp,
    ) -> Result<(Task, Vec<TaskId>), RunError> {
        let config = std::sync::Arc::clone(&self.config);
        let app = config.apps.get(&request.app).ok_or_else(|| RunError::NoApp(request.app.clone()))?;
        let job = match &request.job {
            Some(name) => Some(
                app.jobs
                    .get(name)
                    .ok_or_else(|| RunError::NoJob { app: app.name.clone(), job: name.clone() })?,
            ),
            None => None,
        };
        // A build waits for no other run, and no other run for it.
        let (phase, replaced) = match request.builds {
            Some(_) => (Phase::Pending, Vec::new()),
            None => self.turn_by_hand(app, job, request)?,
        };
        Ok((self.manual_task(app, job, request, phase, now), replaced))
    }

    fn turn_by_hand(
        &self,
        app: &App,
        job: Option<&Job>,
        request: &RunRequest,
    ) -> Result<(Phase, Vec<TaskId>), RunError> {
        if app.stored && app.revision.is_none() {
            return Err(RunError::NoRevision(app.name.clone()));
        }
        let command = request.overrides.command.as_ref();
        if command.or(job.and_then(|job| job.terms.command.as_ref())).or(app.command.as_ref()).is_none() {
            return Err(RunError::NoCommand(app.name.clone()));
        }
        if !self.live.has_room() {
            return Err(RunError::TooMany);
        }
        self.overlap_by_hand(app, job, request)
    }

    fn overlap_by_hand(
        &self,
        app: &App,
        job: Option<&Job>,
        request: &RunRequest,
    ) -> Result<(Phase, Vec<TaskId>), RunError> {
        let Some(job) = job else {
            let limits = self.limits.of(&class_of(&self.config, &app.name, None));
            let waits = blocker(Overlap::Allow, None, limits).is_some();
            return Ok((if waits { Phase::Queued } else { Phase::Pending }, Vec::new()));
        };
        let policy = request.overrides.overlap.unwrap_or(job.terms.overlap);
        match self.decide_turn(&JobRef::of(app, job), policy) {
            OverlapDecision::Start { cancel } => Ok((Phase::Pending, cancel)),
            OverlapDecision::Wait { cancel, .. } => Ok((Phase::Queued, cancel)),
            OverlapDecision::Skip { because } => {
                Err(RunError::Overlap { app: app.name.clone(), job: job.name.clone(), task: because, policy })
            }
            OverlapDecision::Full => {
                Err(RunError::QueueFull { app: app.name.clone(), job: job.name.clone() })
            }
        }
    }

    fn manual_task(
        &mut self,
        app: &App,
        job: Option<&Job>,
        request: &RunRequest,
        phase: Phase,
        now: Timestamp,
    ) -> Task {
        // Never the idempotency key: that may be used again when its time is over.
        let asked = uuid::Uuid::new_v4().to_string();
        let settings = &self.config.settings;
        let job_name = job.map(|job| job.name.clone());
        let identity = RunIdentity::Request(&asked);
        let name =
            TaskName::of(&settings.instance, &settings.namespace, &app.name, job_name.as_ref(), identity, 1);
        let called = job_name.as_ref().map_or_else(|| app.name.to_string(), ToString::to_string);
        Task {
            app: app.name.clone(),
            id: self.next_id(&app.name),
            name,
            display_name: request.display_name.clone().unwrap_or(called),
            job: job_name,
            schedule: None,
            scheduled: None,
            ordinal: 0,
            trigger: if request.builds.is_some() { Trigger::Build } else { Trigger::Manual },
            attempt: 1,
            first_attempt: None,
            request: Some(asked),
            overrides: request.overrides.clone(),
            revision: request.builds.or(app.revision),
            image: None,
            generation: self.config.generation.clone(),
            created: now,
            not_before: None,
            started: None,
            finished: None,
            phase,
            terminating: None,
            logs_on_terminate: app.logs_on_terminate,
            reason: None,
            message: None,
            exit_code: None,
            log: LogSize::default(),
        }
    }

    fn commit_run(
        &mut self,
        request: RunRequest,
        task: Task,
        replaced: &[TaskId],
        reply: RunReply,
        now: Timestamp,
    ) {
        let mut commit = Commit::new();
        commit.create_task(&task);
        let key = self.enter(task.clone(), Stage::Claiming);
        // Not before it is here: a backfill that waits would take the turn of what ends.
        if let Some(job) = task.job_ref() {
            self.replace(&job, replaced, now);
        }
        if let Some(idempotency_key) = &request.idempotency_key {
            let hash = request.hash();
            commit.put_idempotency(idempotency_key, &task.app, task.id, &hash, now);
            self.fresh_keys.insert(idempotency_key.clone(), (key.clone(), hash));
        }
        let internal = self.internal.clone();
        self.commit(commit, move |durable| {
            let event = match &durable {
                Ok(()) => Event::Claimed(vec![key], request.idempotency_key),
                Err(error) => Event::StoreFailed(error.clone()),
            };
            // Neither the loop nor the caller need be there any more.
            let _ = internal.send(event);
            let _ = reply.send(durable.map_err(RunError::from).map(|()| task));
        });
    }

    fn task_of_key(&self, idempotency_key: &str) -> Result<Option<(TaskKey, String)>, StoreError> {
        if let Some(fresh) = self.fresh_keys.get(idempotency_key) {
            return Ok(Some(fresh.clone()));
        }
        let stored = self.store.idempotency(idempotency_key)?;
        Ok(stored.map(|(app, id, hash)| (TaskKey { app, id }, hash)))
    }

    fn task(&self, key: &TaskKey) -> Result<Option<Task>, StoreError> {
        match self.live.get(key) {
            Some(live) => Ok(Some(live.task.clone())),
            None => self.store.task(&key.app, key.id),
        }
    }

    pub(super) fn terminate(&mut self, key: TaskKey, reply: TerminateReply, now: Timestamp) {
        let Some(ending) = self.end(&key, Why::Terminated, now) else {
            let store = self.store.clone();
            // Its end may be on its way to the disk: it is read behind that.
            self.commit(Commit::new(), move |durable| {
                let found = durable.and_then(|()| store.task(&key.app, key.id)).map_err(TerminateError::from);
                let answer = found.and_then(|task| {
                    task.map(Terminated::AlreadyEnded)
                        .ok_or(TerminateError::NoTask { app: key.app.clone(), id: key.id })
                });
                // Nobody may wait any more.
                let _ = reply.send(answer);
            });
            return;
        };
        // The end or the intent is on its way already; an empty commit is durable when that is.
        self.commit(Commit::new(), move |durable| {
            // Nobody may wait any more.
            let _ = reply.send(durable.map_err(TerminateError::from).map(|()| ending));
        });
    }

    /// Ends runs of a job in favour of a newer one.
    pub(super) fn replace(&mut self, job: &JobRef, runs: &[TaskId], now: Timestamp) {
        for id in runs {
            let key = TaskKey { app: job.app.clone(), id: *id };
            self.end(&key, Why::Replaced, now);
        }
    }

    /// Ends a task at once where it has not reached the executor; else writes the intent down, and
    /// tells the executor when that is on disk. None where it had ended.
    fn end(&mut self, key: &TaskKey, why: Why, now: Timestamp) -> Option<Terminated> {
        let stage = self.live.get(key)?.stage;
        if matches!(stage, Stage::Claiming | Stage::Waiting | Stage::Queued | Stage::Ready) {
            let outcome = never_started(&format!("{} before it started", why.done()), now);
            return self.finish(key, outcome, Retry::Never, now).map(Terminated::Ended);
        }
        let task = self.live.task_mut(key)?;
        task.terminating.get_or_insert(now);
        task.message = Some(why.under_way().to_owned());
        let task = task.clone();
        let mut commit = Commit::new();
        commit.update_task(&task);
        let key = key.clone();
        self.commit_then(commit, move |internal| {
            // The loop may have ended already.
            let _ = internal.send(Event::TerminateDurable(key));
        });
        Some(Terminated::Requested(task))
    }
}
