//! Taking up where the last run, or the last configuration, left off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::live::{Live, Stage, TaskKey};
use super::table::{Entry, timer_of};
use super::{Dispatcher, Event};
use crate::config::Config;
use crate::fault::point;
use crate::job::JobRef;
use crate::schedule::ScheduleKey;
use crate::store::{Commit, StoreError, Watermark};
use crate::task::Phase;

/// A watermark further ahead than this comes from a clock that was wrong.
const FAR_FUTURE: SignedDuration = SignedDuration::from_hours(25);

const WATERMARKS_PER_COMMIT: usize = 2048;

type Watermarks = BTreeMap<(JobRef, ScheduleKey), Watermark>;

impl Dispatcher {
    /// Every task that had not ended goes on: claimed ones are submitted again under the same name,
    /// confirmed ones are looked at.
    pub(super) fn recover_tasks(&mut self) -> Result<(), StoreError> {
        let tasks = self.store.active_tasks()?;
        if !tasks.is_empty() {
            point("recover");
            tracing::info!(tasks = tasks.len(), "taking up the tasks that were in flight");
        }
        for task in tasks {
            let phase = task.phase;
            let not_before = task.not_before;
            let terminating = task.terminating.is_some();
            let key = TaskKey::from(&task);
            match phase {
                Phase::Queued => {
                    self.live.insert(task, Stage::Waiting);
                    if let Some(due) = not_before {
                        self.arm_task(&key, due);
                    }
                }
                // Its create may have got through: looked for before its end is declared.
                Phase::Pending if terminating => {
                    self.live.insert(task, Stage::Held);
                    self.look(&key);
                }
                Phase::Pending => {
                    self.live.insert(task, Stage::Ready);
                    self.ready.push_back(key);
                }
                _ => {
                    self.live.insert(task, Stage::Confirmed);
                    self.look(&key);
                }
            }
        }
        let waiting = self.live.iter().filter(|(_, live)| live.stage == Stage::Waiting);
        let jobs: BTreeSet<JobRef> = waiting.filter_map(|(_, live)| live.task.job_ref()).collect();
        for job in jobs {
            self.release_waiting(&job);
        }
        Ok(())
    }

    /// Every configured schedule goes on from its watermark; what was missed is caught up.
    pub(super) fn recover_schedules(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let known = self.store.watermarks()?;
        let config = Arc::clone(&self.config);
        let mut commit = Commit::new();
        self.enter_schedules(&config, &known, &mut commit, now);
        for (job, schedule) in known.keys() {
            if self.table.place(job, schedule).is_none() {
                commit.remove_watermark(job, schedule);
            }
        }
        self.store.commit_later(commit);
        point("recovered");
        let places = self.table.places();
        self.look_at_schedules(&places, now)
    }

    /// Works by `config` from now on: an edit never fires a past slot, a schedule that went takes its
    /// watermark along.
    pub(super) fn reload(
        &mut self,
        config: Arc<Config>,
        reply: oneshot::Sender<Result<(), StoreError>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut known = Watermarks::new();
        let mut commit = Commit::new();
        let mut gone = Vec::new();
        for place in self.table.places() {
            let Some(entry) = self.table.get(place) else { continue };
            let (job, schedule) = (entry.job.clone(), entry.schedule.key.clone());
            let still =
                config.job(&job).is_some_and(|(_, job)| job.schedules.iter().any(|s| s.key == schedule));
            if still {
                let fingerprint = entry.fingerprint.clone();
                known.insert((job, schedule), Watermark { at: entry.watermark, fingerprint });
            } else {
                commit.remove_watermark(&job, &schedule);
                gone.push(place);
            }
        }
        for place in &gone {
            self.table.remove(*place);
        }
        point("reload");
        self.wheel.disarm(gone.into_iter().map(timer_of).collect());
        self.enter_schedules(&config, &known, &mut commit, now);
        self.config = config;
        // Nobody may wait for the answer any more.
        self.store.commit_then(commit, move |durable| drop(reply.send(durable)));
        point("reload-sent");
        let places = self.table.places();
        self.look_at_schedules(&places, now)
    }

    fn enter_schedules(&mut self, config: &Config, known: &Watermarks, commit: &mut Commit, now: Timestamp) {
        for (app, job) in config.jobs() {
            for schedule in &job.schedules {
                let mut entry = Entry::new(app, job, schedule, now);
                let fingerprint = entry.fingerprint.clone();
                let identity = (entry.job.clone(), schedule.key.clone());
                let before = known.get(&identity).filter(|watermark| watermark.fingerprint == fingerprint);
                match before {
                    Some(watermark) if watermark.at.duration_since(now) > FAR_FUTURE => {
                        tracing::warn!(
                            job = %entry.job, schedule = %schedule.key, watermark = %watermark.at,
                            "the watermark lies in the far future, so the clock was wrong once; it is set back to now"
                        );
                        entry.ledger_until = Some(watermark.at);
                    }
                    Some(watermark) => entry.watermark = watermark.at,
                    // The first slot of a new or edited schedule lies in the future.
                    None => {
                        commit.put_watermark(&entry.job, &schedule.key, &Watermark { at: now, fingerprint });
                        if commit.len() >= WATERMARKS_PER_COMMIT {
                            self.store.commit_later(std::mem::take(commit));
                        }
                    }
                }
                self.table.insert(entry);
            }
        }
    }

    /// Asks the executor about every task that it has. What it answers is the truth.
    pub(super) fn relist(&mut self) {
        let wanted = |live: &Live| match live.stage {
            Stage::Confirmed => true,
            Stage::Held => live.task.terminating.is_some(),
            _ => false,
        };
        let keys: Vec<_> =
            self.live.iter().filter(|(_, live)| wanted(live)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.cancel_if_wanted(&key);
            self.look(&key);
        }
    }

    /// Looks at a task now; the answer arrives as an event.
    pub(super) fn look(&mut self, key: &TaskKey) {
        let Some(live) = self.live.get(key) else { return };
        let (executor, name, key) = (Arc::clone(&self.executor), live.task.name.clone(), key.clone());
        self.calls.push(Box::pin(async move {
            let observed = executor.observe(&name).await;
            Event::Looked(key, observed)
        }));
    }
}
