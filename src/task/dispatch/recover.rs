//! Taking up where the last run, or the last configuration, left off.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::clock_step::{clamp, reopen};
use super::live::{Live, Stage, TaskKey};
use super::table::{Entry, timer_of};
use super::{Dispatcher, Event};
use crate::config::Config;
use crate::fault::point;
use crate::store::{Commit, Store, StoreError};
use crate::task::Phase;

const WATERMARKS_PER_COMMIT: usize = 2048;

/// A create that got lost on the way is seen, or surely absent, after this time.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

impl Dispatcher {
    /// Every task that had not ended goes on: claimed ones are submitted again under the same name,
    /// confirmed ones are looked at.
    pub(super) fn recover_tasks(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let tasks = self.store.active_tasks().collect::<Result<Vec<_>, _>>()?;
        if !tasks.is_empty() {
            point("recover");
            tracing::info!(tasks = tasks.len(), "taking up the tasks that were in flight");
        }
        let mut waiting = Vec::new();
        for task in tasks {
            match task.phase {
                Phase::Queued if task.not_before.is_some_and(|due| due > now) => {
                    let key = self.enter(task, Stage::Waiting);
                    self.arm_retry(&key, now);
                }
                Phase::Queued => waiting.push(self.enter(task, Stage::Queued)),
                // Its create may have got through: it is looked for before anything is decided.
                Phase::Pending => {
                    let key = self.enter(task, Stage::Held);
                    let until = now + self.executor.create_may_linger();
                    if let Some(live) = self.live.get_mut(&key) {
                        live.maybe_created = Some(until);
                    }
                    self.look(&key);
                }
                _ => {
                    let key = self.enter(task, Stage::Confirmed);
                    self.cancel_if_wanted(&key);
                    self.look(&key);
                }
            }
        }
        self.recover_queue(&waiting)
    }

    /// Every configured schedule goes on from its watermark; what was missed is caught up.
    pub(super) fn recover_schedules(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let config = Arc::clone(&self.config);
        self.table.reserve(config.jobs().map(|(_, job)| job.schedules.len()).sum());
        for (app, job) in config.jobs() {
            for schedule in &job.schedules {
                self.table.insert(Entry::new(app, job, schedule, now));
            }
        }
        let mut commit = Commit::new();
        let mut goes_on = BTreeSet::new();
        for row in self.store.watermarks() {
            let ((job, schedule), watermark) = row?;
            let Some(place) = self.table.place(&job, &schedule) else {
                commit.remove_watermark(&job, &schedule);
                self.spill(&mut commit);
                continue;
            };
            if let Some(entry) = self.table.get_mut(place)
                && entry.fingerprint() == watermark.fingerprint
            {
                entry.watermark = watermark.at;
                goes_on.insert(place);
            }
        }
        let places = self.table.places();
        for place in &places {
            let Some(entry) = self.table.get_mut(*place) else { continue };
            let is_clamped = clamp(entry, now);
            if is_clamped || !goes_on.contains(place) {
                // A new schedule must not be new again after a crash: its first slot may have passed by then.
                commit.put_watermark(&entry.job, &entry.schedule.key, &entry.stored_watermark());
            }
            if let Some(ahead) = ledger_ahead(&self.store, entry)? {
                entry.ledger_until = entry.ledger_until.max(Some(ahead));
                reopen(&self.store, entry, &mut commit)?;
            }
            self.spill(&mut commit);
        }
        self.commit_then(commit, |_| ());
        point("recovered");
        self.recover_steering(now)?;
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
        // An edit moves watermarks: what was due before it is claimed before.
        self.unpark(now)?;
        self.claim_all(now)?;
        self.settle_edited(&config, now)?;
        let mut commit = Commit::new();
        let mut gone = Vec::new();
        for place in self.table.places() {
            let Some(entry) = self.table.get(place) else { continue };
            let (job, schedule) = (entry.job.clone(), entry.schedule.key.clone());
            let still =
                config.job(&job).is_some_and(|(_, job)| job.schedules.iter().any(|s| s.key == schedule));
            if !still {
                commit.remove_watermark(&job, &schedule);
                self.spill(&mut commit);
                gone.push(place);
            }
        }
        for place in &gone {
            self.table.remove(*place);
        }
        point("reload");
        self.wheel.disarm(gone.into_iter().map(timer_of).collect());
        self.enter_schedules(&config, &mut commit, now)?;
        self.executor.configure(&config);
        self.config = config;
        self.place_all();
        self.forget_streaks();
        // Nobody may wait for the answer any more.
        self.commit(commit, move |durable| drop(reply.send(durable)));
        point("reload-sent");
        let places = self.table.places();
        self.look_at_schedules(&places, now)
    }

    /// The first slot of a new or edited schedule lies in the future; another one goes on as it was.
    fn enter_schedules(
        &mut self,
        config: &Config,
        commit: &mut Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (app, job) in config.jobs() {
            for schedule in &job.schedules {
                let mut entry = Entry::new(app, job, schedule, now);
                let place = self.table.place(&entry.job, &schedule.key);
                let before = place.and_then(|place| self.table.get_mut(place));
                let is_same = before.as_ref().is_some_and(|it| it.fingerprint() == entry.fingerprint());
                match &before {
                    Some(before) if is_same => entry.watermark = before.watermark,
                    _ => {
                        commit.put_watermark(&entry.job, &schedule.key, &entry.stored_watermark());
                    }
                }
                let ahead = match before {
                    // Rows of its own may still be on their way to the disk.
                    Some(before) => {
                        entry.newest_row = std::mem::take(&mut before.newest_row);
                        let is_ahead = before.watermark > entry.watermark;
                        entry.ledger_until = before.ledger_until.max(is_ahead.then_some(before.watermark));
                        is_ahead
                    }
                    None => {
                        entry.ledger_until = ledger_ahead(&self.store, &entry)?;
                        entry.ledger_until.is_some()
                    }
                };
                if ahead {
                    reopen(&self.store, &mut entry, commit)?;
                }
                self.table.insert(entry);
                self.spill(commit);
            }
        }
        Ok(())
    }

    /// Writes what has gathered: one commit of many holds everybody else's up.
    pub(super) fn spill(&mut self, commit: &mut Commit) {
        if commit.len() >= WATERMARKS_PER_COMMIT {
            self.commit_later(std::mem::take(commit));
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

    /// Looks at a held task again later.
    pub(super) fn look_later(&mut self, key: &TaskKey, now: Timestamp) {
        if self.live.get(key).is_some_and(|live| live.stage == Stage::Held) {
            self.arm_task(key, now + LOOK_AGAIN);
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

/// The last slot of the ledger, where it lies ahead of the watermark: the clock was wrong once.
fn ledger_ahead(store: &Store, entry: &Entry) -> Result<Option<Timestamp>, StoreError> {
    let newest = store.newest_slot(&entry.job, &entry.schedule.key)?;
    Ok(newest.map(|row| row.last).filter(|last| *last > entry.watermark))
}
