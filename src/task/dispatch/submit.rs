//! From claimed to confirmed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::live::{Stage, TaskKey};
use super::settle::Retry;
use super::{Dispatcher, Event};
use crate::blocking::blocking;
use crate::causes::in_full;
use crate::executor::pipeline_run;
use crate::executor::{SubmitError, Submitted};
use crate::fault::point;
use crate::schedule::jitter;
use crate::store::{Commit, SlotClaim, SlotOutcome, SlotRow, StoreError};
use crate::task::{LogSize, Outcome, Phase, Task, Trigger};

/// The wait before an executor that had no room is asked again; doubled each time.
const FIRST_WAIT: SignedDuration = SignedDuration::from_millis(500);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The reason of a task that cannot become an object: the executor has nothing to do with it.
const INVALID: &str = "InvalidTask";

/// The most submissions of one turn.
const SUBMISSIONS: usize = 64;

impl Dispatcher {
    /// The claims of these tasks are on disk: only now may the executor hear of them.
    pub(super) fn claimed(&mut self, keys: &[TaskKey], now: Timestamp) {
        point("claimed");
        for key in keys {
            let Some(live) = self.live.get(key) else { continue };
            if live.stage != Stage::Claiming {
                continue;
            }
            match (live.task.phase, live.task.not_before) {
                (Phase::Queued, Some(due)) if due > now => {
                    self.live.set_stage(key, Stage::Waiting);
                    self.arm_task(key, due);
                }
                (Phase::Queued, _) => self.wait_for_turn(key),
                _ => self.make_ready(key),
            }
        }
    }

    /// A timer of a task has come: a retry is due, or the executor is asked again.
    pub(super) fn task_due(&mut self, key: &TaskKey) {
        let Some(live) = self.live.get(key) else { return };
        match live.stage {
            // Not asked for again: only whether its create got through after all.
            Stage::Held if live.task.terminating.is_some() || live.maybe_created.is_some() => {
                self.look(key);
            }
            Stage::Waiting => self.wait_for_turn(key),
            Stage::Held => self.make_ready(key),
            _ => {}
        }
    }

    /// A `pending` task waits for room at the executor.
    pub(super) fn make_ready(&mut self, key: &TaskKey) {
        self.live.set_stage(key, Stage::Ready);
        self.ready.push_back(key.clone());
    }

    /// Whether something is ready, and the executor has room for it.
    pub(super) fn may_submit(&self) -> bool {
        !self.ready.is_empty()
            && self.may_ask()
            && self.live.at_executor() < self.executor.capacity()
            && self.live.submitting() < self.executor.submits_at_once()
    }

    /// Submits what is ready while the executor has room; some in each turn, so that claims do not wait.
    pub(super) fn pump(&mut self, now: Timestamp) {
        for _ in 0..SUBMISSIONS {
            if !self.may_submit() {
                return;
            }
            let Some(key) = self.ready.pop_front() else { return };
            if self.live.get(&key).is_some_and(|live| live.stage == Stage::Ready) {
                self.submit(&key, now);
            }
        }
    }

    fn submit(&mut self, key: &TaskKey, now: Timestamp) {
        let Some(live) = self.live.get(key) else { return };
        let task = live.task.clone();
        if self.is_past_deadline(&task, now) {
            let message = "it could not start before its start_deadline".to_owned();
            self.finish(key, refusal("StartDeadlineExceeded", message, now), Retry::Never, now);
            return;
        }
        let previous_success = task.job_ref().and_then(|job| self.previous_success(&job));
        self.live.set_stage(key, Stage::Submitting);
        self.asking();
        let (executor, config, key) = (Arc::clone(&self.executor), Arc::clone(&self.config), key.clone());
        let has_services = config.apps.get(&task.app).is_some_and(|app| !app.services.is_empty());
        let reads_files = has_services || task.built().is_some();
        self.calls.push(Box::pin(async move {
            let build = move || Ok(pipeline_run::submission(&config, &task, previous_success));
            // Credentials, and what tokens are made with, are read from files, which may be slow to answer.
            let built = if reads_files { blocking(build).await } else { build() };
            let result = match built {
                Ok(Ok(submission)) => executor.submit(submission).await,
                Ok(Err(error)) => {
                    Err(SubmitError::Refused { reason: INVALID.to_owned(), message: in_full(&error) })
                }
                Err(broken) => Err(SubmitError::Unavailable { message: broken.to_string() }),
            };
            Event::SubmitDone(key, result)
        }));
    }

    fn is_past_deadline(&self, task: &Task, now: Timestamp) -> bool {
        let (Some(job), Some(schedule), Some(slot)) = (task.job_ref(), &task.schedule, task.scheduled) else {
            return false;
        };
        // An old slot that somebody runs again is always late.
        if task.attempt > 1 || task.trigger == Trigger::Backfill {
            return false;
        }
        let Some(entry) = self.table.place(&job, schedule).and_then(|place| self.table.get(place)) else {
            return false;
        };
        let late = now.duration_since(slot + jitter(&entry.schedule, &job, slot));
        entry.schedule.rules.start_deadline.is_some_and(|deadline| late > deadline)
    }

    /// What the executor said to a submission.
    pub(super) fn submitted(
        &mut self,
        key: &TaskKey,
        result: Result<Submitted, SubmitError>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        point("submitted");
        match &result {
            Err(SubmitError::Unreachable { .. } | SubmitError::Unknown { .. }) => {}
            Err(SubmitError::Unavailable { .. }) => self.asked_in_vain(now)?,
            Err(SubmitError::Refused { reason, .. }) if reason == INVALID => self.asked_in_vain(now)?,
            Ok(_) | Err(SubmitError::Refused { .. }) => self.answered(now)?,
        }
        let Some(live) = self.live.get(key) else { return Ok(()) };
        let (app, task) = (live.task.app.clone(), live.task.name.clone());
        let unheard = live.maybe_created.is_some();
        match result {
            // What this answer says is no answer to the create before.
            Err(SubmitError::Refused { message, .. }) if unheard => self.hold(key, &message, now),
            Err(SubmitError::Unreachable { message, retry_after }) if unheard => {
                self.went_away(&message, retry_after, now);
                self.hold(key, &message, now);
                self.give_up_hands(now);
            }
            Ok(Submitted::Created) => self.confirm(key),
            Ok(Submitted::Adopted { id }) => {
                tracing::info!(%app, %task, "the executor had this task already; it is adopted");
                let key = self.rename(key, id)?;
                self.confirm(&key);
                self.look(&key);
            }
            Err(SubmitError::Refused { reason, message }) => {
                tracing::warn!(%app, %task, reason, message, "the executor refused a task");
                self.finish(key, refusal(&reason, message, now), Retry::Never, now);
            }
            Err(SubmitError::Unreachable { message, retry_after }) => {
                self.unreachable(key, &message, retry_after, now);
            }
            Err(SubmitError::Unavailable { message }) => self.hold(key, &message, now),
            Err(SubmitError::Unknown { message }) => {
                self.went_away(&message, None, now);
                let until = now + self.executor.create_may_linger();
                if let Some(live) = self.live.get_mut(key) {
                    live.maybe_created = Some(until);
                }
                self.hold(key, &message, now);
                self.give_up_hands(now);
            }
        }
        Ok(())
    }

    fn confirm(&mut self, key: &TaskKey) {
        self.live.set_stage(key, Stage::Confirmed);
        if let Some(live) = self.live.get_mut(key) {
            live.maybe_created = None;
        }
        let Some(task) = self.live.task_mut(key) else { return };
        let terminating = task.terminating.is_some();
        if task.phase.may_become(Phase::Submitted) {
            task.phase = Phase::Submitted;
            task.reason = None;
            task.message = None;
        }
        let mut commit = Commit::new();
        commit.update_task(task);
        self.commit_later(commit);
        point("confirmed");
        if terminating {
            self.cancel_at_executor(key);
        }
    }

    /// The id on the object wins where it is free: the store was older than the executor.
    fn rename(&mut self, key: &TaskKey, id: crate::task::TaskId) -> Result<TaskKey, StoreError> {
        let wanted = TaskKey { app: key.app.clone(), id };
        if *key == wanted || self.live.get(&wanted).is_some() || self.store.task(&wanted.app, id)?.is_some() {
            return Ok(key.clone());
        }
        let Some((mut task, _)) = self.leave(key) else { return Ok(key.clone()) };
        let mut commit = Commit::new();
        commit.remove_task(&task);
        task.id = id;
        commit.create_task(&task);
        let counter = self.counters.entry(task.app.clone()).or_insert(id);
        *counter = (*counter).max(id);
        commit.put_counter(&task.app, *counter);
        if let (Some(job), Some(row)) = (task.job_ref(), self.slot_row(&task)) {
            commit.put_slot(&job, &row);
        }
        self.commit_later(commit);
        Ok(self.enter(task, Stage::Submitting))
    }

    /// The row of the slot that a task was claimed for.
    fn slot_row(&self, task: &Task) -> Option<SlotRow> {
        let outcome = match task.trigger {
            Trigger::Schedule => SlotOutcome::Ran { task: task.id },
            Trigger::CatchUp | Trigger::Backfill => SlotOutcome::CaughtUp { task: task.id },
            _ => return None,
        };
        let (job, schedule, slot) = (task.job_ref()?, task.schedule.clone()?, task.scheduled?);
        let entry = self.table.place(&job, &schedule).and_then(|place| self.table.get(place));
        let due = slot + entry.map(|entry| jitter(&entry.schedule, &job, slot)).unwrap_or_default();
        let claim = Some(SlotClaim { due, at: task.created });
        Some(SlotRow { schedule, first: slot, last: slot, outcome, claim, note: None })
    }

    /// The claim is held, and the executor asked again later, for as long as `hold` allows. A claim
    /// whose create may have got through is never given up.
    fn hold(&mut self, key: &TaskKey, message: &str, now: Timestamp) {
        let Some(live) = self.live.get_mut(key) else { return };
        let surely_not_created = live.maybe_created.is_none();
        live.refusals += 1;
        let (tries, since) = (live.refusals, *live.refused_since.get_or_insert(now));
        if surely_not_created && live.task.terminating.is_some() {
            let outcome = never_started("it was terminated before it started", now);
            self.finish(key, outcome, Retry::Never, now);
            return;
        }
        let hold = self.config.settings.hold;
        if surely_not_created && now.duration_since(since) > hold {
            let message = format!("the executor could not be reached for {hold:#}: {message}");
            self.finish(key, refusal("ExecutorUnavailable", message, now), Retry::Never, now);
            return;
        }
        tracing::warn!(app = %key.app, task = %key.id, tries, message, "the executor did not take a task; it is held and asked again");
        self.live.set_stage(key, Stage::Held);
        if let Some(task) = self.live.task_mut(key) {
            task.reason = Some("Held".to_owned());
            task.message = Some(message.to_owned());
            let mut commit = Commit::new();
            commit.update_task(task);
            self.commit_later(commit);
        }
        let doubled = FIRST_WAIT * 2_i32.saturating_pow(tries.saturating_sub(1).min(16));
        self.arm_task(key, now + doubled.min(LONGEST_WAIT));
    }

    /// Tells the executor of a durable intent to end a task, once it has the task.
    pub(super) fn cancel_at_executor(&mut self, key: &TaskKey) {
        let Some(live) = self.live.get(key).filter(|live| live.stage == Stage::Confirmed) else { return };
        let (executor, name, key) = (Arc::clone(&self.executor), live.task.name.clone(), key.clone());
        self.calls.push(Box::pin(async move {
            let result = executor.cancel(&name).await;
            Event::CancelDone(key, result)
        }));
    }
}

/// The end of a task that was no longer wanted before the executor had it.
pub(super) fn never_started(message: &str, now: Timestamp) -> Outcome {
    Outcome { phase: Phase::Cancelled, ..refusal("Cancelled", message.to_owned(), now) }
}

/// The end of a task that the executor never took.
pub(super) fn refusal(reason: &str, message: String, now: Timestamp) -> Outcome {
    Outcome {
        phase: Phase::Failed,
        exit_code: None,
        reason: reason.to_owned(),
        message,
        started: None,
        finished: now,
        log: LogSize::default(),
        image: None,
    }
}
