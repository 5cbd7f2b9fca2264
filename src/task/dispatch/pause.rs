//! What people decide about the slots of a job: pause, resume, skip the next ones.
//!
//! While a job is paused its schedules are left alone, and their watermarks stand still: a pause costs nothing
//! however long it is, a kill in it loses nothing, and whoever lists the slots reckons those behind the
//! watermark as paused. Their rows, one range a schedule, are written when the pause ends, with its end in one
//! commit; a slot of a pause is paused, also where a calendar excludes it. What was due before a pause began is decided as ever; a slot whose jittered start lies in a pause
//! belongs to it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::slots::{Claims, Verdict};
use super::{Dispatcher, SteerError};
use crate::config::Config;
use crate::job::{JobRef, Pause, SkipNext, Steering};
use crate::schedule::wheel::TimerId;
use crate::schedule::{CatchUp, Rules, Schedule, decided_until, missed, slots_between};
use crate::store::{Commit, SkipReason, StoreError};
use crate::task::Trigger;

/// The most slots that may be skipped ahead.
pub(super) const MOST_SKIPPED: u32 = 1000;

/// What is to become of the slots of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Steer {
    /// They are skipped from now on. Asked for again, it changes how the pause ends and what it says.
    Pause {
        /// When it ends by itself.
        until: Option<Timestamp>,
        /// Who asks for it.
        by: Option<String>,
        /// What for.
        note: Option<String>,
    },
    /// They run again.
    Resume {
        /// What is done about those of the pause; they stay skipped where nothing is said.
        catch_up: Option<CatchUp>,
    },
    /// The next ones that would run are skipped. Asked for again, it is the number that is left.
    SkipNext {
        /// How many.
        count: u32,
        /// Who asks for it.
        by: Option<String>,
    },
}

/// A job as it was steered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    /// What holds for its slots now.
    pub steering: Steering,
    /// How many slots of the pause were caught up.
    pub caught_up: usize,
}

type Reply = oneshot::Sender<Result<Steered, SteerError>>;

impl Dispatcher {
    pub(super) fn steer(
        &mut self,
        job: &JobRef,
        steer: Steer,
        reply: Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.end_pause_if_due(job, now)?;
        if let Err(refused) = self.may_steer(job, &steer, now) {
            // Nobody may wait any more.
            drop(reply.send(Err(refused)));
            return Ok(());
        }
        let caught_up = match steer {
            Steer::Pause { until, by, note } => {
                self.pause(job, Pause { since: now, until, by, note }, now)?;
                0
            }
            Steer::Resume { catch_up } => self.end_pause(job, now, catch_up, now)?,
            Steer::SkipNext { count, by } => {
                // What is due by now is not a next one.
                self.claim_of(&self.places_of(job), now)?;
                let mut commit = Commit::new();
                self.set_steering(job, &mut commit, |s| s.skip_next = Some(SkipNext { left: count, by }));
                self.commit_then(commit, |_| ());
                let places = self.places_of(job);
                self.look_at_schedules(&places, now)?;
                0
            }
        };
        let steering = self.steering.get(job).cloned().unwrap_or_default();
        // What was decided is on its way already; an empty commit is durable when that is.
        self.commit(Commit::new(), move |durable| {
            let steered = Steered { steering, caught_up };
            drop(reply.send(durable.map_err(SteerError::from).map(|()| steered)));
        });
        Ok(())
    }

    fn may_steer(&self, job: &JobRef, steer: &Steer, now: Timestamp) -> Result<(), SteerError> {
        let no_job = || SteerError::NoJob { job: job.clone() };
        let (_, configured) = self.config.job(job).ok_or_else(no_job)?;
        let pause = self.steering.get(job).and_then(|steering| steering.pause.as_ref());
        match steer {
            Steer::Pause { until: Some(until), .. } if *until <= now => {
                Err(SteerError::Over { until: *until, now })
            }
            Steer::Pause { .. } => Ok(()),
            Steer::Resume { .. } if pause.is_none() => Err(SteerError::NotPaused { job: job.clone() }),
            Steer::Resume { .. } => Ok(()),
            Steer::SkipNext { count, .. } if *count == 0 || *count > MOST_SKIPPED => {
                Err(SteerError::Count { count: *count })
            }
            Steer::SkipNext { .. } if pause.is_some() => Err(SteerError::Paused { job: job.clone() }),
            Steer::SkipNext { .. } if configured.schedules.is_empty() => {
                Err(SteerError::NoSchedule { job: job.clone() })
            }
            Steer::SkipNext { .. } => Ok(()),
        }
    }

    fn pause(&mut self, job: &JobRef, mut pause: Pause, now: Timestamp) -> Result<(), StoreError> {
        match self.steering.get(job).and_then(|steering| steering.pause.as_ref()) {
            Some(before) => pause.since = before.since,
            None => self.claim_of(&self.places_of(job), now)?,
        }
        self.arm_pause(job, pause.until);
        let mut commit = Commit::new();
        self.set_steering(job, &mut commit, |steering| steering.pause = Some(pause));
        self.commit_then(commit, |_| ());
        Ok(())
    }

    fn arm_pause(&mut self, job: &JobRef, until: Option<Timestamp>) {
        let Some(until) = until else { return };
        let timer = TimerId(self.next_timer);
        self.next_timer += 1;
        self.pause_timers.insert(timer, job.clone());
        self.wheel.arm(vec![(timer, until)]);
    }

    /// If this timer is a pause's, and that is over, it ends. A pause may have been changed since.
    pub(super) fn pause_due(&mut self, timer: TimerId, now: Timestamp) -> Result<bool, StoreError> {
        let Some(job) = self.pause_timers.remove(&timer) else { return Ok(false) };
        self.end_pause_if_due(&job, now)?;
        Ok(true)
    }

    fn end_pause_if_due(&mut self, job: &JobRef, now: Timestamp) -> Result<(), StoreError> {
        let until = self.steering.get(job).and_then(|steering| steering.pause.as_ref()?.until);
        if let Some(until) = until.filter(|until| *until <= now) {
            tracing::info!(%job, %until, "the pause of a job is over");
            self.end_pause(job, until, None, now)?;
        }
        Ok(())
    }

    /// Takes up what people had decided before the last end. Pauses that are over by now ended then.
    pub(super) fn recover_steering(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.steering = self.store.steerings().collect::<Result<_, _>>()?;
        let jobs: Vec<JobRef> = self.steering.keys().cloned().collect();
        for job in &jobs {
            let until = self.steering.get(job).and_then(|steering| steering.pause.as_ref()?.until);
            match until {
                Some(until) if until <= now => self.end_pause_if_due(job, now)?,
                _ => self.arm_pause(job, until),
            }
        }
        Ok(())
    }

    /// Whether the slots of a schedule are left alone.
    pub(super) fn is_paused(&self, place: usize) -> bool {
        !self.steering.is_empty()
            && self.table.get(place).is_some_and(|entry| {
                self.steering.get(&entry.job).is_some_and(|steering| steering.pause.is_some())
            })
    }

    /// Ends a pause at `at`. Gives the number of slots that were caught up.
    fn end_pause(
        &mut self,
        job: &JobRef,
        at: Timestamp,
        catch_up: Option<CatchUp>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let places = self.places_of(job);
        let mut claims = Claims::default();
        let mut caught_up = 0;
        for place in &places {
            caught_up += self.settle_paused(*place, at, catch_up, now, &mut claims)?;
        }
        // With the last of its slots: a kill before that leaves a pause whose first slots are decided.
        self.set_steering(job, &mut claims.commit, |steering| steering.pause = None);
        self.send_claims(&mut claims);
        self.look_at_schedules(&places, now)?;
        Ok(caught_up)
    }

    /// Decides about the slots of a pause up to `at`. Gives the number of those that were caught up.
    fn settle_paused(
        &mut self,
        place: usize,
        at: Timestamp,
        catch_up: Option<CatchUp>,
        now: Timestamp,
        claims: &mut Claims,
    ) -> Result<usize, StoreError> {
        let Some(entry) = self.table.get(place) else { return Ok(0) };
        let Some(end) = decided_until(&entry.schedule, &entry.job, entry.watermark, at) else { return Ok(0) };
        let policy = catch_up.unwrap_or(CatchUp::None);
        let rules = Arc::new(Rules { catch_up: policy, ..(*entry.schedule.rules).clone() });
        let schedule = Schedule { rules, ..(*entry.schedule).clone() };
        let mut caught_up = 0;
        for slot in missed(&schedule, entry.watermark, end).run {
            self.write_paused(place, slot - SignedDuration::from_millis(1), claims)?;
            caught_up += usize::from(self.decide(place, slot, Trigger::CatchUp, now, claims)?);
            self.move_watermark(place, slot, claims);
        }
        self.write_paused(place, end, claims)?;
        Ok(caught_up)
    }

    /// Writes the slots up to `until` down as paused, those that a calendar excludes among them.
    fn write_paused(
        &mut self,
        place: usize,
        until: Timestamp,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.table.get(place) else { return Ok(()) };
        let Some(range) = slots_between(&entry.schedule, entry.watermark, until) else { return Ok(()) };
        let pause = self.steering.get(&entry.job).and_then(|steering| steering.pause.as_ref());
        let verdict = Verdict { note: pause.and_then(Pause::told), ..SkipReason::Paused.into() };
        self.write_range(place, range, &verdict, claims)?;
        self.move_watermark(place, until, claims);
        Ok(())
    }

    /// Writes down the paused slots of schedules that `config` no longer has as they are.
    pub(super) fn settle_edited(&mut self, config: &Arc<Config>, now: Timestamp) -> Result<(), StoreError> {
        let paused = self.steering.iter().filter(|(_, steering)| steering.pause.is_some());
        let jobs: Vec<JobRef> = paused.map(|(job, _)| job.clone()).collect();
        let mut claims = Claims::default();
        for place in jobs.iter().flat_map(|job| self.places_of(job)).collect::<Vec<_>>() {
            let Some(entry) = self.table.get(place) else { continue };
            let stays = |schedule: &Arc<Schedule>| {
                schedule.key == entry.schedule.key
                    && schedule.recurrence.fingerprint() == entry.schedule.recurrence.fingerprint()
            };
            if !config.job(&entry.job).is_some_and(|(_, job)| job.schedules.iter().any(stays)) {
                self.settle_paused(place, now, None, now, &mut claims)?;
            }
        }
        self.send_claims(&mut claims);
        Ok(())
    }

    /// If the next slot of a job is to be skipped, it is one less.
    pub(super) fn takes_skip(&mut self, place: usize, claims: &mut Claims) -> Option<Verdict> {
        if self.steering.is_empty() {
            return None;
        }
        let job = self.table.get(place)?.job.clone();
        let skip = self.steering.get(&job)?.skip_next.clone()?;
        let note = skip.by.as_ref().map(|by| format!("by {by}"));
        self.set_steering(&job, &mut claims.commit, |steering| {
            steering.skip_next = (skip.left > 1).then(|| SkipNext { left: skip.left - 1, ..skip });
        });
        Some(Verdict { note, ..SkipReason::SkipNext.into() })
    }

    /// Of the slots up to `until`, skips those that are to be skipped.
    pub(super) fn take_skips(
        &mut self,
        place: usize,
        until: Timestamp,
        now: Timestamp,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        loop {
            let Some(entry) = self.table.get(place) else { return Ok(()) };
            if self.steering.get(&entry.job).is_none_or(|steering| steering.skip_next.is_none()) {
                return Ok(());
            }
            // What a calendar excludes would not have run, and is not what was to be skipped.
            self.account_excluded(place, until, claims)?;
            let Some(entry) = self.table.get(place) else { return Ok(()) };
            let next = entry.schedule.recurrence.next_after(entry.watermark);
            let Some(slot) = next.filter(|slot| *slot <= until) else { return Ok(()) };
            self.decide(place, slot, Trigger::CatchUp, now, claims)?;
            self.move_watermark(place, slot, claims);
        }
    }

    fn set_steering(&mut self, job: &JobRef, commit: &mut Commit, set: impl FnOnce(&mut Steering)) {
        let steering = self.steering.entry(job.clone()).or_default();
        set(steering);
        commit.put_steering(job, steering);
        if steering.is_nothing() {
            self.steering.remove(job);
        }
    }

    fn places_of(&self, job: &JobRef) -> Vec<usize> {
        let configured = self.config.job(job).map(|(_, job)| job.schedules.as_slice()).unwrap_or_default();
        configured.iter().filter_map(|schedule| self.table.place(job, &schedule.key)).collect()
    }
}
