//! Looking at the jobs that are watched, when something may have changed.
//!
//! A job is looked at when its moment has come, when a task of it has ended, while it has tasks that have not, and
//! while it breaks a promise; everybody else waits in an ordered set, so that a look costs what has changed and
//! not what there is. What is found is computed from store and clock alone: a look too many changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{Timestamp, Unit};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::breach::{Breach, BreachKind, Facts, breaches, next_look};
use super::fate::{Fate, LastSlot, last_slot};
use super::terms::{OpenBreach, Standing, Watch};
use crate::blocking::blocking;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::job::{Job, JobRef, Pause};
use crate::notify::{Event, Notice, Outbox};
use crate::store::{Commit, Store, StoreError};
use crate::task::Task;

/// Between two looks at least: a burst of ends is one look.
const AT_LEAST: Duration = Duration::from_secs(1);

/// And at most: so late a start, an end of a breach or a changed configuration may be seen.
const AT_MOST: Duration = Duration::from_secs(10);

/// The most writes of one commit.
const WRITES: usize = 1024;

/// Whether everything that should have run, has run, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// That moment.
    pub at: Timestamp,
    /// How many jobs are watched.
    pub watched: usize,
    /// What is wrong, by job and kind.
    pub breaches: Vec<(JobRef, Breach)>,
}

/// The jobs that are watched.
pub struct Watching {
    store: Store,
    config: Arc<ArcSwap<Config>>,
    clock: SharedClock,
    state: Mutex<State>,
    /// Jobs of which a task has ended since the last look.
    ended: Mutex<BTreeSet<JobRef>>,
    more: Notify,
    current: ArcSwap<Status>,
    outbox: Arc<Outbox>,
}

#[derive(Default)]
struct State {
    /// The configuration that the rest is of.
    config: Option<Arc<Config>>,
    jobs: HashMap<JobRef, Watched>,
    /// When each has to be looked at.
    due: BTreeSet<(Timestamp, JobRef)>,
    broken: BTreeMap<JobRef, Vec<Breach>>,
    looked: Timestamp,
}

struct Watched {
    standing: Standing,
    next: Option<Timestamp>,
}

impl Watching {
    /// Nothing has been looked at yet.
    pub fn new(
        store: Store,
        config: Arc<ArcSwap<Config>>,
        clock: SharedClock,
        outbox: Arc<Outbox>,
    ) -> Arc<Self> {
        let status = Status { at: clock.now(), watched: 0, breaches: Vec::new() };
        Arc::new(Self {
            store,
            config,
            clock,
            state: Mutex::default(),
            ended: Mutex::default(),
            more: Notify::new(),
            current: ArcSwap::from_pointee(status),
            outbox,
        })
    }

    /// Looks until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let this = Arc::clone(&self);
            if let Err(error) = blocking(move || this.look().map_err(std::io::Error::other)).await {
                tracing::warn!(%error, "nobody could look whether all that should have run, has");
            }
            let rest = self.pause().saturating_sub(AT_LEAST);
            let pause = async {
                self.clock.sleep(AT_LEAST).await;
                tokio::select! {
                    () = self.more.notified() => {}
                    () = self.clock.sleep(rest) => {}
                }
            };
            if stop.run_until_cancelled(pause).await.is_none() {
                return;
            }
        }
    }

    /// How long nothing need be looked at, as far as time alone goes.
    fn pause(&self) -> Duration {
        let next = self.lock().due.first().map(|(at, _)| *at);
        let until = next.and_then(|next| Duration::try_from(next.duration_since(self.clock.now())).ok());
        match (next, until) {
            (None, _) => AT_MOST,
            (Some(_), until) => until.unwrap_or_default().clamp(AT_LEAST, AT_MOST),
        }
    }

    /// A task of the App's `job` has ended: a hint to look.
    pub fn ended(&self, job: JobRef) {
        if self.config.load().is_watched(&job) {
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(job);
            self.more.notify_one();
        }
    }

    /// What the last look found.
    pub fn current(&self) -> Arc<Status> {
        self.current.load_full()
    }

    /// Looks now. Reads the store, and may take a while.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn look(&self) -> Result<Arc<Status>, StoreError> {
        let mut state = self.lock();
        // As the store keeps it: what is shown is the same after a restart.
        let now = self.clock.now().round(Unit::Microsecond).unwrap_or_default();
        let config = self.config.load_full();
        let mut commit = Commit::new();
        let mut wanted = std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner));
        if state.config.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &config)) {
            self.take_up(&mut state, &config, now, &mut commit)?;
            wanted.extend(state.jobs.keys().cloned());
        }
        if now < state.looked {
            // What was reckoned by a clock that was ahead is reckoned again.
            wanted.extend(state.jobs.keys().cloned());
        }
        state.looked = now;
        while let Some((_, job)) = state.due.first().filter(|(at, _)| *at <= now).cloned() {
            state.put_off(&job, None);
            wanted.insert(job);
        }
        wanted.extend(state.broken.keys().cloned());
        let mut active = if state.jobs.is_empty() { HashMap::new() } else { self.active(&state)? };
        wanted.extend(active.keys().cloned());
        for job in wanted {
            let active = active.remove(&job).unwrap_or_default();
            self.look_at(&mut state, &config, &job, active, now, &mut commit)?;
            self.spill(&mut commit);
        }
        if !commit.is_empty() {
            let outbox = Arc::clone(&self.outbox);
            self.store.commit_then(commit, move |_| outbox.wake());
        }
        Ok(self.publish(&state, now))
    }

    /// Works by `config` from now on. What is watched goes on as it stood, also over a restart.
    fn take_up(
        &self,
        state: &mut State,
        config: &Arc<Config>,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<(), StoreError> {
        let mut before: HashMap<JobRef, Standing> = match state.config {
            None => self.store.standings().collect::<Result<_, _>>()?,
            Some(_) => state.jobs.drain().map(|(job, watched)| (job, watched.standing)).collect(),
        };
        *state = State { looked: state.looked, config: Some(Arc::clone(config)), ..State::default() };
        for (app, job) in config.jobs() {
            let Some(watch) = job.terms.watch.as_deref() else { continue };
            let name = JobRef::of(app, job);
            let mut standing = before.remove(&name).unwrap_or_else(|| {
                let new = Standing { since: now, open: Vec::new() };
                commit.put_standing(&name, &new);
                new
            });
            // What is no longer promised is not broken, and nobody has kept it.
            standing.open.retain(|open| watch.promises(open.kind));
            state.jobs.insert(name, Watched { standing, next: None });
            self.spill(commit);
        }
        for gone in before.keys() {
            commit.remove_standing(gone);
            self.spill(commit);
        }
        Ok(())
    }

    /// The tasks that have not ended, of the jobs that are watched, oldest first.
    fn active(&self, state: &State) -> Result<HashMap<JobRef, Vec<Task>>, StoreError> {
        let mut active: HashMap<JobRef, Vec<Task>> = HashMap::new();
        for task in self.store.active_tasks() {
            let task = task?;
            if let Some(job) = task.job_ref().filter(|job| state.jobs.contains_key(job)) {
                active.entry(job).or_default().push(task);
            }
        }
        Ok(active)
    }

    fn look_at(
        &self,
        state: &mut State,
        config: &Config,
        job: &JobRef,
        active: Vec<Task>,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<(), StoreError> {
        let Some(watched) = state.jobs.get_mut(job) else { return Ok(()) };
        let Some((_, configured)) = config.job(job) else { return Ok(()) };
        let Some(watch) = configured.terms.watch.as_deref() else { return Ok(()) };
        // The clock was ahead when it was first watched.
        let ahead = watched.standing.since > now;
        watched.standing.since = watched.standing.since.min(now);
        let facts = self.facts(job, configured, watch, watched.standing.since, active, now)?;
        let mut found = breaches(job, &configured.schedules, watch, &facts, now);
        let tell = |event, open: &OpenBreach, breach: Option<&Breach>, commit: &mut Commit| {
            self.tell(config, job, watch, event, open, breach, now, commit)
        };
        if note(job, &mut watched.standing, &mut found, commit, tell) || ahead {
            commit.put_standing(job, &watched.standing);
        }
        match found.is_empty() {
            true => drop(state.broken.remove(job)),
            false => drop(state.broken.insert(job.clone(), found)),
        }
        let next = next_look(job, &configured.schedules, watch, &facts, now);
        state.put_off(job, next);
        Ok(())
    }

    fn facts(
        &self,
        job: &JobRef,
        configured: &Job,
        watch: &Watch,
        since: Timestamp,
        active: Vec<Task>,
        now: Timestamp,
    ) -> Result<Facts, StoreError> {
        let mut streak = self.store.streak(job)?;
        if streak.last_success.is_none() {
            // From before it was watched the nominal time is all that is kept.
            streak.last_success = self.store.previous_success(job)?;
        }
        let mut slots = Vec::new();
        // Slots of a pause have no rows before it ends, and nobody wants them to run.
        let paused = self.store.steering(job)?.pause;
        for schedule in watch.late_after.iter().flat_map(|_| &configured.schedules) {
            let late_after = watch.late_after.unwrap_or_default();
            let Some((slot, due)) = last_slot(schedule, job, late_after, now) else { continue };
            let within = |pause: &Pause| pause.since <= due && pause.until.is_none_or(|until| due <= until);
            if paused.as_ref().is_some_and(within) {
                continue;
            }
            let outcome = self.store.slot_at(job, &schedule.key, slot)?.map(|row| row.outcome);
            let watermark = match outcome {
                None => self.store.watermark(job, &schedule.key)?.map(|watermark| watermark.at),
                Some(_) => None,
            };
            let task = match outcome.and_then(|outcome| outcome.task()) {
                Some(task) => self.store.task(&job.app, task)?,
                None => None,
            };
            slots.push(LastSlot { slot, due, fate: Fate::of(slot, watermark, outcome, task.as_ref()) });
        }
        Ok(Facts { since, streak, slots, active })
    }

    /// Whether there is anybody to be told, and room.
    #[expect(clippy::too_many_arguments, reason = "a notice says all of it")]
    fn tell(
        &self,
        config: &Config,
        job: &JobRef,
        watch: &Watch,
        event: Event,
        open: &OpenBreach,
        breach: Option<&Breach>,
        now: Timestamp,
        commit: &mut Commit,
    ) -> bool {
        let mut told = false;
        for to in watch.told(event, &config.receivers.default).receivers() {
            if !self.outbox.has_room() {
                tracing::error!(%job, kind = %open.kind, %to, "too many notices wait already: nobody is told of this one");
                metrics::counter!("tekcron_notices_total", "result" => "dropped").increment(1);
                continue;
            }
            let notice = Notice {
                id: Notice::new_id(),
                to,
                event,
                job: job.clone(),
                kind: open.kind,
                since: open.since,
                at: now,
                task: breach.and_then(|breach| breach.task),
                what: breach
                    .map_or_else(|| "it is as it should be again".to_owned(), |breach| breach.what.clone()),
                hint: breach.map(|breach| breach.hint.clone()),
            };
            self.outbox.put(&notice, commit);
            told = true;
        }
        told
    }

    fn publish(&self, state: &State, now: Timestamp) -> Arc<Status> {
        let broken = state.broken.iter();
        let breaches: Vec<(JobRef, Breach)> = broken
            .flat_map(|(job, found)| found.iter().map(|breach| (job.clone(), breach.clone())))
            .collect();
        for kind in BreachKind::ALL {
            let count = breaches.iter().filter(|(_, breach)| breach.kind == kind).count();
            metrics::gauge!("tekcron_breaches", "kind" => kind.as_str()).set(count as f64);
            if kind == BreachKind::Late {
                metrics::gauge!("tekcron_jobs_late").set(count as f64);
            }
        }
        let status = Arc::new(Status { at: now, watched: state.jobs.len(), breaches });
        self.current.store(Arc::clone(&status));
        status
    }

    /// Writes what has gathered: one commit of many holds everybody else's up.
    fn spill(&self, commit: &mut Commit) {
        if commit.len() >= WRITES {
            self.store.commit_later(std::mem::take(commit));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Looks at `job` at that time, and not before, as far as time alone goes.
    fn put_off(&mut self, job: &JobRef, next: Option<Timestamp>) {
        let Some(watched) = self.jobs.get_mut(job) else { return };
        if let Some(before) = std::mem::replace(&mut watched.next, next) {
            self.due.remove(&(before, job.clone()));
        }
        if let Some(next) = next {
            self.due.insert((next, job.clone()));
        }
    }
}

/// Brings what is open into line with what was found; one that goes on keeps its beginning. Whether anything changed.
/// `tell` says whether anybody will be told.
fn note(
    job: &JobRef,
    standing: &mut Standing,
    found: &mut [Breach],
    commit: &mut Commit,
    tell: impl Fn(Event, &OpenBreach, Option<&Breach>, &mut Commit) -> bool,
) -> bool {
    let mut changed = false;
    for breach in found.iter_mut() {
        match standing.open.iter().find(|open| open.kind == breach.kind) {
            Some(open) => breach.since = open.since,
            None => {
                let Breach { kind, since, what, .. } = &*breach;
                tracing::warn!(%job, %kind, %since, what, "a job breaks its promise");
                metrics::counter!("tekcron_breaches_total", "kind" => kind.as_str()).increment(1);
                let mut open = OpenBreach { kind: *kind, since: *since, told: false };
                open.told = tell(Event::Broken, &open, Some(breach), commit);
                standing.open.push(open);
                changed = true;
            }
        }
    }
    standing.open.retain(|open| {
        let goes_on = found.iter().any(|breach| breach.kind == open.kind);
        if !goes_on {
            tracing::info!(%job, kind = %open.kind, since = %open.since, "a job keeps its promise again");
            // Who was not told of the beginning need not be told of the end.
            let _ = open.told && tell(Event::Recovered, open, None, commit);
            changed = true;
        }
        goes_on
    });
    changed
}

#[cfg(test)]
mod tests;
