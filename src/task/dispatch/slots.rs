//! From due schedules to claimed slots.
//!
//! A burst is decided about in batches, the next one when the one before is on disk: between two of them
//! everybody else's writes have their turn. What was decided is always sent, so that commits reach the
//! store in the order of the decisions; a slot that waits for its batch is only due a little longer.

use jiff::{SignedDuration, Timestamp};

use super::live::{Stage, TaskKey};
use super::table::{NewestRow, place_of, timer_of};
use super::{Dispatcher, Event};
use crate::fault::point;
use crate::schedule::wheel::Wake;
use crate::schedule::{OverlapDecision, Schedule, SlotRange, decided_until, jitter, missed, without};
use crate::store::{Commit, SkipReason, SlotClaim, SlotOutcome, SlotRow, StoreError};
use crate::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskName, Trigger};

/// The most slots of one commit: a larger batch would hold every other writer up.
const SLOTS_PER_COMMIT: usize = 256;

/// Excluded slots that lie closer together are written down together.
const EXCLUDED_AT_ONCE: SignedDuration = SignedDuration::from_mins(1);

/// Slots claimed on their way to the disk together.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) commit: Commit,
    slots: usize,
    tasks: Vec<TaskKey>,
}

/// What becomes of slots, and who or what made it so.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) outcome: SlotOutcome,
    pub(super) note: Option<String>,
}

impl From<SlotOutcome> for Verdict {
    fn from(outcome: SlotOutcome) -> Self {
        Self { outcome, note: None }
    }
}

impl From<SkipReason> for Verdict {
    fn from(reason: SkipReason) -> Self {
        SlotOutcome::Skipped { reason }.into()
    }
}

impl Dispatcher {
    pub(super) fn woken(&mut self, wake: &Wake, now: Timestamp) -> Result<(), StoreError> {
        let places: Vec<_> = wake.due.iter().filter_map(|timer| place_of(*timer)).collect();
        self.look_at_schedules(&places, now)?;
        for timer in &wake.due {
            match self.timers.remove(timer) {
                Some(key) => self.task_due(&key),
                None if self.pause_due(*timer, now)? => {}
                None => self.probe_due(*timer, now)?,
            }
        }
        Ok(())
    }

    /// Claims every slot of these schedules that is due, and arms the wheel for the next ones; those that
    /// are too many at once when the claims before them are on disk.
    pub(super) fn look_at_schedules(&mut self, places: &[usize], now: Timestamp) -> Result<(), StoreError> {
        if self.is_parked(now) {
            self.park(places, now);
            return Ok(());
        }
        self.due.extend(places);
        self.claim_some(now)
    }

    /// Claims the next batch of what is due, unless one is on its way to the disk.
    pub(super) fn claim_some(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.claim_while(now, |dispatcher| dispatcher.claims_under_way == 0)
    }

    /// Claims everything that is due.
    pub(super) fn claim_all(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.claim_while(now, |_| true)
    }

    fn claim_while(&mut self, now: Timestamp, may: impl Fn(&Self) -> bool) -> Result<(), StoreError> {
        let mut claims = Claims::default();
        let mut timers = Vec::new();
        while may(self)
            && let Some(place) = self.due.pop_front()
        {
            if self.is_paused(place) {
                continue;
            }
            self.catch_up(place, now, &mut claims)?;
            if let Some(next) = self.claim_due(place, now, &mut claims)? {
                timers.push((timer_of(place), next));
            }
        }
        self.send_claims(&mut claims);
        if !timers.is_empty() {
            self.wheel.arm(timers);
        }
        Ok(())
    }

    /// Claims what is due of these schedules, before all others. Slots that were parked are decided about as
    /// if the executor were back.
    pub(super) fn claim_of(&mut self, places: &[usize], now: Timestamp) -> Result<(), StoreError> {
        let others = (self.downtime_until, self.given_up.clone());
        if self.is_parked(now) {
            (self.downtime_until, self.given_up) = (now, self.skipped_for_it());
        }
        let mut claims = Claims::default();
        for place in places {
            self.catch_up(*place, now, &mut claims)?;
            self.claim_due(*place, now, &mut claims)?;
        }
        self.send_claims(&mut claims);
        (self.downtime_until, self.given_up) = others;
        Ok(())
    }

    /// Decides about the slots that were due while nobody watched.
    fn catch_up(&mut self, place: usize, now: Timestamp, claims: &mut Claims) -> Result<(), StoreError> {
        let Some(entry) = self.table.get(place) else { return Ok(()) };
        let until = self.downtime_until.min(now);
        let until = decided_until(&entry.schedule, &entry.job, entry.watermark, until);
        let Some(until) = until else { return Ok(()) };
        self.take_skips(place, until, now, claims)?;
        let Some(entry) = self.table.get(place) else { return Ok(()) };
        let missed = missed(&entry.schedule, entry.watermark, until);
        if let Some(range) = missed.given_up {
            tracing::warn!(
                job = %entry.job, schedule = %entry.schedule.key, first = %range.first, last = %range.last,
                "slots were missed while nobody watched, and the catch-up policy leaves them out"
            );
            self.account_given_up(place, range.last, claims)?;
        }
        for slot in missed.run {
            self.account_excluded(place, slot, claims)?;
            self.decide(place, slot, Trigger::CatchUp, now, claims)?;
            self.move_watermark(place, slot, claims);
        }
        self.account_excluded(place, until, claims)?;
        self.move_watermark(place, until, claims);
        Ok(())
    }

    /// Writes down the slots up to `last` that do not run: those that a calendar excludes as such.
    fn account_given_up(
        &mut self,
        place: usize,
        last: Timestamp,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        loop {
            self.account_excluded(place, last, claims)?;
            let Some(entry) = self.table.get(place) else { return Ok(()) };
            let next = entry.schedule.recurrence.next_after(entry.watermark).filter(|slot| *slot <= last);
            let Some(slot) = next else { return Ok(()) };
            let range = entry.schedule.included_from(slot, last);
            self.write_range(place, range, &self.given_up.clone(), claims)?;
            self.move_watermark(place, range.last, claims);
        }
    }

    /// Writes down the next slots up to `until`, as far as a calendar excludes them.
    pub(super) fn account_excluded(
        &mut self,
        place: usize,
        until: Timestamp,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        loop {
            let Some(entry) = self.table.get(place).filter(|entry| !entry.schedule.rules.exclude.is_empty())
            else {
                return Ok(());
            };
            let next = entry.schedule.recurrence.next_after(entry.watermark);
            let found = next.and_then(|slot| entry.schedule.excluded_from(slot, until));
            let Some((calendar, range)) = found else { return Ok(()) };
            let note = Some(format!("`{}`", calendar.name()));
            self.write_range(place, range, &Verdict { note, ..SkipReason::Excluded.into() }, claims)?;
            self.move_watermark(place, range.last, claims);
        }
    }

    /// Decides about the slots that are due now. Returns when to look again.
    fn claim_due(
        &mut self,
        place: usize,
        now: Timestamp,
        claims: &mut Claims,
    ) -> Result<Option<Timestamp>, StoreError> {
        loop {
            self.account_excluded(place, now, claims)?;
            let Some(entry) = self.table.get(place) else { return Ok(None) };
            let Some(slot) = entry.schedule.recurrence.next_after(entry.watermark) else { return Ok(None) };
            if entry.schedule.excluded_by(slot).is_some() {
                return Ok(Some(look_at_excluded(&entry.schedule, slot, now)));
            }
            let due = slot + jitter(&entry.schedule, &entry.job, slot);
            if due > now {
                return Ok(Some(due));
            }
            metrics::histogram!("tekcron_lateness_seconds").record(now.duration_since(due).as_secs_f64());
            self.decide(place, slot, Trigger::Schedule, now, claims)?;
            self.move_watermark(place, slot, claims);
        }
    }

    /// Gives one slot its row: a task is claimed, or the reason against it is written down. Says whether one was.
    pub(super) fn decide(
        &mut self,
        place: usize,
        slot: Timestamp,
        trigger: Trigger,
        now: Timestamp,
        claims: &mut Claims,
    ) -> Result<bool, StoreError> {
        let Some(entry) = self.table.get(place) else { return Ok(false) };
        let known = entry.ledger_until.is_some_and(|until| slot <= until)
            && self.store.has_run(&entry.job, &entry.schedule.key, slot)?;
        if known {
            return Ok(false);
        }
        let alone = SlotRange { first: slot, last: slot };
        if let Some(skipped) = self.takes_skip(place, claims) {
            return self.write_row(place, alone, &skipped, None, claims).map(|()| false);
        }
        let Some(entry) = self.table.get(place) else { return Ok(false) };
        let due = slot + jitter(&entry.schedule, &entry.job, slot);
        if entry.schedule.rules.start_deadline.is_some_and(|deadline| now.duration_since(due) > deadline) {
            return self.write_row(place, alone, &SkipReason::Deadline.into(), None, claims).map(|()| false);
        }
        let (phase, replaced) = match self.decide_turn(&entry.job, entry.overlap) {
            OverlapDecision::Skip { because } => {
                let reason = SkipReason::Overlap { task: because };
                return self.write_row(place, alone, &reason.into(), None, claims).map(|()| false);
            }
            OverlapDecision::Full => {
                return self
                    .write_row(place, alone, &SkipReason::QueueFull.into(), None, claims)
                    .map(|()| false);
            }
            OverlapDecision::Start { cancel } => (Phase::Pending, cancel),
            OverlapDecision::Wait { cancel, .. } => (Phase::Queued, cancel),
        };
        let mut task = self.slot_task(place, slot, trigger, now);
        task.phase = phase;
        if !replaced.is_empty() {
            // The claim of a run that is replaced goes to the disk before its end does.
            self.send_claims(claims);
        }
        let outcome = match trigger {
            Trigger::CatchUp => SlotOutcome::CaughtUp { task: task.id },
            _ => SlotOutcome::Ran { task: task.id },
        };
        claims.commit.create_task(&task);
        let job = task.job_ref();
        claims.tasks.push(self.enter(task, Stage::Claiming));
        self.write_row(place, alone, &outcome.into(), Some(SlotClaim { due, at: now }), claims)?;
        if let Some(job) = job {
            self.replace(&job, &replaced, now);
        }
        Ok(true)
    }

    fn slot_task(&mut self, place: usize, slot: Timestamp, trigger: Trigger, now: Timestamp) -> Task {
        let entry = self.table.get(place).expect("the caller has just looked at it");
        let app = std::sync::Arc::clone(&entry.app);
        let (job, schedule) = (entry.job.job.clone(), entry.schedule.key.clone());
        let settings = &self.config.settings;
        let identity = RunIdentity::Slot { schedule: &schedule, slot, ordinal: 0 };
        let name = TaskName::of(&settings.instance, &settings.namespace, &app.name, Some(&job), identity, 1);
        Task {
            app: app.name.clone(),
            id: self.next_id(&app.name),
            name,
            display_name: job.to_string(),
            job: Some(job),
            schedule: Some(schedule),
            scheduled: Some(slot),
            ordinal: 0,
            trigger,
            attempt: 1,
            first_attempt: None,
            request: None,
            overrides: Overrides::default(),
            revision: self.revision_of(&app.name),
            image: None,
            generation: self.config.generation.clone(),
            created: now,
            not_before: None,
            started: None,
            finished: None,
            phase: Phase::Pending,
            terminating: None,
            logs_on_terminate: app.logs_on_terminate,
            reason: None,
            message: None,
            exit_code: None,
            log: LogSize::default(),
        }
    }

    /// Writes a range down, but for what of it ran already by a clock that was wrong.
    pub(super) fn write_range(
        &mut self,
        place: usize,
        range: SlotRange,
        verdict: &Verdict,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.table.get(place) else { return Ok(()) };
        let mut known = Vec::new();
        if entry.ledger_until.is_some_and(|until| range.first <= until) {
            let rows = self.store.slots_of(&entry.job, &entry.schedule.key, Timestamp::MIN..=range.last);
            for row in rows.rev() {
                let row = row?;
                if row.last < range.first {
                    break;
                }
                // The others ahead of the watermark went when it was set back, or are about to.
                if row.outcome.task().is_some() {
                    known.push(SlotRange { first: row.first, last: row.last });
                }
            }
            known.reverse();
        }
        for range in without(&entry.schedule, range, known) {
            self.write_row(place, range, verdict, None, claims)?;
        }
        Ok(())
    }

    /// Writes a row of the ledger; slots that share a fate with their neighbour extend its row.
    fn write_row(
        &mut self,
        place: usize,
        range: SlotRange,
        Verdict { outcome, note }: &Verdict,
        claim: Option<SlotClaim>,
        claims: &mut Claims,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.table.get_mut(place) else { return Ok(()) };
        let mut first = range.first;
        if outcome.task().is_none() {
            let newest = match std::mem::take(&mut entry.newest_row) {
                NewestRow::Unknown => self.store.newest_slot(&entry.job, &entry.schedule.key)?,
                NewestRow::Ends => None,
                NewestRow::MayGrow(row) => Some(*row),
            };
            let is_alike =
                |row: &SlotRow| row.outcome == *outcome && row.note == *note && row.last < range.first;
            if let Some(row) = newest.filter(is_alike)
                && entry.schedule.recurrence.next_after(row.last) == Some(range.first)
            {
                first = row.first;
            }
        }
        let row = SlotRow {
            schedule: entry.schedule.key.clone(),
            first,
            last: range.last,
            outcome: *outcome,
            claim,
            note: note.clone(),
        };
        claims.commit.put_slot(&entry.job, &row);
        entry.newest_row = row.into();
        claims.slots += 1;
        metrics::counter!("tekcron_slots_total", "outcome" => outcome.as_str()).increment(1);
        Ok(())
    }

    /// The watermark moves in the commit that holds the slots up to it.
    pub(super) fn move_watermark(&mut self, place: usize, at: Timestamp, claims: &mut Claims) {
        let Some(entry) = self.table.get_mut(place) else { return };
        entry.watermark = at;
        claims.commit.put_watermark(&entry.job, &entry.schedule.key, &entry.stored_watermark());
        if claims.slots >= SLOTS_PER_COMMIT {
            self.send_claims(claims);
        }
    }

    pub(super) fn send_claims(&mut self, claims: &mut Claims) {
        let Claims { commit, tasks, .. } = std::mem::take(claims);
        if commit.is_empty() {
            return;
        }
        point("claim");
        self.claims_under_way += 1;
        self.commit_then(commit, move |internal| {
            // The loop may have ended already.
            let _ = internal.send(Event::SlotsClaimed(tasks));
        });
    }
}

/// When to write down a slot ahead that is excluded: when it is due, but of many in a row some at once, and no
/// later than the next one that runs.
fn look_at_excluded(schedule: &Schedule, slot: Timestamp, now: Timestamp) -> Timestamp {
    let soon = now.checked_add(EXCLUDED_AT_ONCE).unwrap_or(now);
    let runs = schedule.next_after(slot).unwrap_or(soon);
    slot.max(soon.min(runs))
}
