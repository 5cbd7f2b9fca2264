//! From observation to the recorded end, and to the next attempt.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::live::{Stage, TaskKey};
use super::queue::IN_TURN;
use super::run::Why;
use super::submit::never_started;
use super::{Dispatcher, Ended, Event};
use crate::executor::Observed;
use crate::fault::point;
use crate::job::{JobRef, Retries};
use crate::store::{Commit, StoreError};
use crate::task::{LogSize, Outcome, Phase, RunIdentity, Task, TaskName, Trigger};

/// Whether an end may be followed by another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// As the job's `retries` say.
    ByPolicy,
    /// Never: it was refused, or ended on request.
    Never,
}

impl Dispatcher {
    /// What an executor saw of a task.
    pub(super) fn observed(&mut self, key: &TaskKey, observed: Observed, now: Timestamp) {
        let Some(live) = self.live.get(key) else { return };
        let (stage, terminating) = (live.stage, live.task.terminating.is_some());
        match observed {
            Observed::Submitted { message } => self.advance(key, Phase::Submitted, None, message),
            Observed::Running { started } => self.advance(key, Phase::Running, Some(started), None),
            Observed::Finished(outcome) => {
                let retry = if terminating { Retry::Never } else { Retry::ByPolicy };
                self.finish(key, *outcome, retry, now);
            }
            Observed::Absent if stage == Stage::Confirmed => {
                let outcome = vanished(&live.task, now);
                let retry = if terminating { Retry::Never } else { Retry::ByPolicy };
                self.finish(key, outcome, retry, now);
            }
            Observed::Absent if stage == Stage::Held => self.absent(key, terminating, now),
            Observed::Absent => {}
        }
    }

    /// A create that nobody heard of was carried out: so the executor can be reached.
    pub(super) fn came_through(
        &mut self,
        key: &TaskKey,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let unheard = self.live.get(key).is_some_and(|live| live.maybe_created.is_some());
        match unheard && *observed != Observed::Absent {
            true => self.answered(now),
            false => Ok(()),
        }
    }

    /// A held task is not at the executor: it is submitted; or, should it end, looked for once more, since
    /// a create of an earlier run may still be on its way.
    fn absent(&mut self, key: &TaskKey, terminating: bool, now: Timestamp) {
        let until = self.live.get(key).and_then(|live| live.maybe_created);
        match (terminating, until) {
            (true, Some(until)) if now < until => self.arm_task(key, until),
            (true, _) => {
                let outcome = never_started("it was terminated before it started", now);
                self.finish(key, outcome, Retry::Never, now);
            }
            (false, Some(until)) => {
                // Until then a create of before may come through, and only a second one of its name is refused.
                if now >= until
                    && let Some(live) = self.live.get_mut(key)
                {
                    live.maybe_created = None;
                }
                self.make_ready(key);
            }
            // Its timer will come.
            (false, None) => {}
        }
    }

    /// Its end is on disk: the executor need not hold on to it.
    pub(super) fn release(&mut self, name: TaskName) {
        if !self.executor.holds() {
            return;
        }
        let executor = Arc::clone(&self.executor);
        self.calls.push(Box::pin(async move {
            let released = executor.release(&name).await;
            Event::Released(released)
        }));
    }

    /// The executor shows a task that is not in flight. Where its end is on record, that was not heard of yet.
    pub(super) fn observed_unknown(
        &mut self,
        name: &TaskName,
        observed: &Observed,
    ) -> Result<(), StoreError> {
        if !self.executor.holds() || !matches!(observed, Observed::Finished(_)) {
            return Ok(());
        }
        match self.store.task_named(name)? {
            Some(task) if task.phase.is_terminal() => self.release(task.name),
            Some(_) => {}
            None => tracing::warn!(%name, "the executor has a task that is in no record; it is left alone"),
        }
        Ok(())
    }

    /// Moves a task on. Nobody waits for the disk: after a restart it is observed again.
    fn advance(&mut self, key: &TaskKey, phase: Phase, started: Option<Timestamp>, message: Option<String>) {
        let Some(live) = self.live.get(key) else { return };
        let held = live.stage == Stage::Held;
        if held {
            self.live.set_stage(key, Stage::Confirmed);
            self.cancel_if_wanted(key);
        }
        let Some(task) = self.live.task_mut(key) else { return };
        let moves = task.phase.may_become(phase);
        if !moves && !held && task.message == message {
            return;
        }
        if moves {
            task.phase = phase;
        }
        if moves || held {
            task.reason = None;
        }
        if task.terminating.is_none() {
            task.message = message;
        }
        task.started = started.or(task.started);
        let mut commit = Commit::new();
        commit.update_task(task);
        self.commit_later(commit);
    }

    pub(super) fn cancel_if_wanted(&mut self, key: &TaskKey) {
        if self.live.get(key).is_some_and(|live| live.task.terminating.is_some()) {
            self.cancel_at_executor(key);
        }
    }

    /// Records a task's end; the next attempt, where there is one, is in the same commit. None where
    /// it had ended.
    pub(super) fn finish(
        &mut self,
        key: &TaskKey,
        outcome: Outcome,
        retry: Retry,
        now: Timestamp,
    ) -> Option<Task> {
        let rank = self.queue.place(key).map(|place| place.rank);
        let (mut task, class) = self.leave(key)?;
        let why = Why::of(&task).filter(|_| outcome.phase == Phase::Cancelled);
        task.finish(outcome);
        if let Some(why) = why {
            // The executor knows that it was to end it, and not why.
            task.message = Some(why.done().to_owned());
        }
        tracing::info!(
            app = %task.app, task = %task.id, name = %task.name, phase = %task.phase,
            exit_code = task.exit_code, reason = task.reason, "a task has ended"
        );
        metrics::counter!("tekcron_tasks_total", "phase" => task.phase.as_str()).increment(1);
        let mut commit = Commit::new();
        commit.update_task(&task);
        if rank.is_some_and(|rank| rank < IN_TURN) {
            commit.remove_front(&key.app, key.id);
        }
        if task.phase == Phase::Succeeded
            && let Some(job) = task.job_ref()
        {
            self.note_success(&job, nominal(&task), &mut commit);
        }
        let next = (retry == Retry::ByPolicy).then(|| self.next_attempt(&task, now)).flatten();
        let next: Vec<TaskKey> = next
            .into_iter()
            .map(|next| {
                commit.create_task(&next);
                self.enter(next, Stage::Claiming)
            })
            .collect();
        self.note_streak(&task, next.is_empty(), &mut commit);
        point("finish");
        let (ended, finished) = (Arc::clone(&self.ended), self.finished.clone());
        let told = Ended { app: task.app.clone(), job: task.job.clone(), log: task.log.kept };
        let name = task.name.clone();
        self.commit_soon_then(commit, move |internal| {
            ended.send_modify(|count| *count += 1);
            // Neither need be there any more.
            let _ = finished.send(told);
            let _ = internal.send(Event::EndRecorded(name, next));
        });
        self.start_waiting(&class);
        Some(task)
    }

    fn next_attempt(&mut self, task: &Task, now: Timestamp) -> Option<Task> {
        let job = task.job_ref()?;
        let retries = self.config.job(&job)?.1.terms.retries;
        let wanted = match task.phase {
            Phase::Failed | Phase::TimedOut => true,
            Phase::Lost => retries.on_lost,
            _ => false,
        };
        if !wanted || task.attempt > retries.attempts {
            return None;
        }
        let attempt = task.attempt + 1;
        let identity = match (&task.schedule, task.scheduled, &task.request) {
            (Some(schedule), Some(slot), _) => RunIdentity::Slot { schedule, slot, ordinal: task.ordinal },
            (_, _, request) => RunIdentity::Request(request.as_deref().unwrap_or_default()),
        };
        let settings = &self.config.settings;
        let (instance, namespace) = (&settings.instance, &settings.namespace);
        let name = TaskName::of(instance, namespace, &task.app, task.job.as_ref(), identity, attempt);
        Some(Task {
            name,
            id: self.next_id(&task.app),
            trigger: Trigger::Retry,
            revision: self.revision_of(&task.app),
            attempt,
            first_attempt: task.first_attempt.or(Some(task.id)),
            created: now,
            not_before: Some(now + backoff(&retries, task.attempt)),
            started: None,
            finished: None,
            phase: Phase::Queued,
            terminating: None,
            reason: Some("Retry".to_owned()),
            message: Some(format!("attempt {} ended as `{}`", task.attempt, task.phase)),
            exit_code: None,
            log: LogSize::default(),
            ..task.clone()
        })
    }

    /// The nominal time of the job's last successful run.
    pub(super) fn previous_success(&mut self, job: &JobRef) -> Option<Timestamp> {
        if let Some(known) = self.previous_success.get(job) {
            return *known;
        }
        let stored = self.store.previous_success(job).unwrap_or_else(|error| {
            tracing::warn!(%job, %error, "nobody knows when this job last succeeded");
            None
        });
        self.previous_success.insert(job.clone(), stored);
        stored
    }

    /// A backfilled run may stand for an earlier time than the latest one does.
    fn note_success(&mut self, job: &JobRef, nominal: Timestamp, commit: &mut Commit) {
        if self.previous_success(job).is_none_or(|latest| latest < nominal) {
            self.previous_success.insert(job.clone(), Some(nominal));
            commit.put_previous_success(job, nominal);
        }
    }
}

/// The time that a run stands for: its slot, or when it was asked for.
fn nominal(task: &Task) -> Timestamp {
    task.scheduled.unwrap_or(task.created)
}

/// The wait after attempt `attempt`, doubled each time.
fn backoff(retries: &Retries, attempt: u32) -> SignedDuration {
    let doublings = attempt.saturating_sub(1).min(30);
    let wait = retries.backoff.checked_mul(1 << doublings).unwrap_or(SignedDuration::MAX);
    wait.min(retries.max_backoff)
}

fn vanished(task: &Task, now: Timestamp) -> Outcome {
    let seen = task.started.unwrap_or(task.created);
    Outcome {
        phase: Phase::Lost,
        exit_code: None,
        reason: "Lost".to_owned(),
        message: format!("the executor no longer knows it; it was last seen at {seen}"),
        started: task.started,
        // When it started may be by the executor's clock.
        finished: task.started.map_or(now, |started| now.max(started)),
        log: LogSize::default(),
        image: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_maximum() {
        let retries = Retries {
            attempts: 9,
            backoff: SignedDuration::from_secs(10),
            max_backoff: SignedDuration::from_secs(60),
            on_lost: false,
        };
        let waits = [1, 2, 3, 4, 40].map(|attempt| backoff(&retries, attempt).as_secs());
        assert_eq!(waits, [10, 20, 40, 60, 60]);
    }
}
