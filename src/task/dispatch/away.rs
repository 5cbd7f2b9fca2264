//! While the executor cannot be reached.
//!
//! Claims wait, and one of them at a time asks whether it answers again. Once it has been away for longer than
//! `hold`, slots are not claimed any more: an outage of days must not come back as a flood. When it answers,
//! what is older than `hold` is treated like a downtime: the schedule's `catch_up` decides what still runs, and
//! the rest is `skipped: cluster unreachable`, claims that waited among it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Dispatcher;
use super::live::{Stage, TaskKey};
use super::settle::Retry;
use super::slots::Verdict;
use super::submit::{never_started, refusal};
use super::table::NewestRow;
use crate::schedule::missed;
use crate::schedule::wheel::TimerId;
use crate::store::{Commit, SkipReason, SlotRow, StoreError};
use crate::task::{Phase, Trigger};

/// The wait before it is asked again; doubled each time.
const FIRST_WAIT: SignedDuration = SignedDuration::from_millis(500);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// An outage.
#[derive(Debug)]
pub(super) struct Away {
    since: Timestamp,
    tries: u32,
    message: String,
    probe: Probe,
    /// Schedules with slots that are due and not claimed.
    parked: Vec<usize>,
}

/// How it is found out that the executor answers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// This timer will come.
    At(TimerId),
    /// The next claim asks.
    Now,
    /// A claim is asking.
    UnderWay,
}

impl Dispatcher {
    /// What becomes of slots that were due in this outage.
    pub(super) fn skipped_for_it(&self) -> Verdict {
        let note = self.away.as_ref().map(|away| format!("since {:.0}", away.since));
        Verdict { note, ..SkipReason::Unreachable.into() }
    }

    /// Whether the executor may be asked to take a task.
    pub(super) fn may_ask(&self) -> bool {
        self.away.as_ref().is_none_or(|away| away.probe == Probe::Now)
    }

    /// It is being asked.
    pub(super) fn asking(&mut self) {
        if let Some(away) = &mut self.away {
            away.probe = Probe::UnderWay;
        }
    }

    /// What was asked says nothing about the executor: the next claim asks, or a slot that waits unclaimed.
    pub(super) fn asked_in_vain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(away) = self.away.as_mut().filter(|away| away.probe == Probe::UnderWay) else {
            return Ok(());
        };
        away.probe = Probe::Now;
        self.ask_with_what_is_parked(now)
    }

    fn ask_with_what_is_parked(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let parked = self.away.as_ref().is_some_and(|away| !away.parked.is_empty());
        match self.ready.is_empty() && parked {
            true => self.answered(now),
            false => Ok(()),
        }
    }

    /// The executor took nothing: the claim waits with the others.
    pub(super) fn unreachable(
        &mut self,
        key: &TaskKey,
        message: &str,
        retry_after: Option<SignedDuration>,
        now: Timestamp,
    ) {
        self.went_away(message, retry_after, now);
        let Some(task) = self.live.task_mut(key) else { return };
        if task.terminating.is_some() {
            let outcome = never_started("it was terminated before it started", now);
            self.finish(key, outcome, Retry::Never, now);
            return;
        }
        task.reason = Some("Held".to_owned());
        task.message = Some(message.to_owned());
        let mut commit = Commit::new();
        commit.update_task(task);
        self.commit_later(commit);
        self.live.set_stage(key, Stage::Ready);
        self.ready.push_back(key.clone());
        self.give_up_hands(now);
    }

    /// The executor could not be reached.
    pub(super) fn went_away(&mut self, message: &str, retry_after: Option<SignedDuration>, now: Timestamp) {
        let away = self.away.get_or_insert_with(|| {
            tracing::warn!(message, "the executor cannot be reached; claims wait for it");
            Away { since: now, tries: 0, message: String::new(), probe: Probe::UnderWay, parked: Vec::new() }
        });
        message.clone_into(&mut away.message);
        if matches!(away.probe, Probe::At(_)) {
            return;
        }
        let doubled = FIRST_WAIT * 2_i32.saturating_pow(away.tries.min(16));
        away.tries += 1;
        self.probe_after(doubled.min(LONGEST_WAIT).max(retry_after.unwrap_or_default()), now);
    }

    fn probe_after(&mut self, wait: SignedDuration, now: Timestamp) {
        let Some(away) = &mut self.away else { return };
        let timer = TimerId(self.next_timer);
        self.next_timer += 1;
        away.probe = Probe::At(timer);
        self.wheel.arm(vec![(timer, now + wait + spread(timer, wait))]);
    }

    /// If this timer is the probe's, the next claim asks. Where none waits, and slots do, they are decided
    /// about: what then runs asks.
    pub(super) fn probe_due(&mut self, timer: TimerId, now: Timestamp) -> Result<(), StoreError> {
        let Some(away) = self.away.as_mut().filter(|away| away.probe == Probe::At(timer)) else {
            return Ok(());
        };
        away.probe = Probe::Now;
        self.ask_with_what_is_parked(now)
    }

    /// Whether slots that are due now wait unclaimed.
    pub(super) fn is_parked(&self, now: Timestamp) -> bool {
        let hold = self.config.settings.hold;
        self.away.as_ref().is_some_and(|away| now.duration_since(away.since) > hold)
    }

    /// Leaves these schedules alone until the executor answers.
    pub(super) fn park(&mut self, places: &[usize], now: Timestamp) {
        let Some(away) = &mut self.away else { return };
        away.parked.extend(places);
        if away.probe == Probe::Now && self.ready.is_empty() {
            self.probe_after(LONGEST_WAIT, now);
        }
    }

    /// The executor answers.
    pub(super) fn answered(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let verdict = self.skipped_for_it();
        let Some(away) = self.away.take() else { return Ok(()) };
        let lasted = now.duration_since(away.since);
        tracing::info!(seconds = lasted.as_secs(), "the executor answers again");
        let hold = self.config.settings.hold;
        if lasted > hold {
            self.settle_outage(verdict, now - hold, now);
        }
        self.look_at_schedules(&away.parked, now)
    }

    /// Decides about what waits unclaimed as if the executor were back, so that nothing of it is lost when
    /// schedules change.
    pub(super) fn unpark(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(away) = &mut self.away else { return Ok(()) };
        let parked = std::mem::take(&mut away.parked);
        if parked.is_empty() {
            return Ok(());
        }
        self.downtime_until = now;
        self.given_up = self.skipped_for_it();
        self.due.extend(parked);
        self.claim_all(now)
    }

    /// What was due before `until` is a matter of catch-up.
    fn settle_outage(&mut self, verdict: Verdict, until: Timestamp, now: Timestamp) {
        self.downtime_until = self.downtime_until.max(until);
        self.given_up = verdict;
        let mut waiting: BTreeMap<usize, Vec<(Timestamp, TaskKey)>> = BTreeMap::new();
        for key in &self.ready {
            let Some(live) = self.live.get(key).filter(|live| live.stage == Stage::Ready) else { continue };
            let task = &live.task;
            let claimed = matches!(task.trigger, Trigger::Schedule | Trigger::CatchUp);
            if claimed
                && live.maybe_created.is_none()
                && task.created < until
                && let (Some(job), Some(schedule), Some(slot)) =
                    (task.job_ref(), &task.schedule, task.scheduled)
                && let Some(place) = self.table.place(&job, schedule)
            {
                waiting.entry(place).or_default().push((slot, key.clone()));
            }
        }
        for (place, mut claims) in waiting {
            claims.sort();
            let Some(entry) = self.table.get(place) else { continue };
            let Some(first) = claims.iter().map(|(slot, _)| *slot).min() else { continue };
            let before = first - SignedDuration::from_secs(1);
            let run = missed(&entry.schedule, before, until.max(first)).run;
            claims.retain(|(slot, _)| !run.contains(slot));
            self.skip_claimed(place, &claims, now);
        }
    }

    /// Slots that were claimed, and never reached the executor, do not run after all. Neighbours share a row.
    fn skip_claimed(&mut self, place: usize, claims: &[(Timestamp, TaskKey)], now: Timestamp) {
        let verdict = &self.given_up;
        if let Some(entry) = self.table.get_mut(place) {
            let (job, schedule) = (entry.job.clone(), entry.schedule.key.clone());
            let mut commit = Commit::new();
            let mut rows: Vec<SlotRow> = Vec::new();
            for (slot, _) in claims {
                match rows.last_mut() {
                    Some(row) if entry.schedule.recurrence.next_after(row.last) == Some(*slot) => {
                        row.last = *slot;
                        commit.remove_slot(&job, &schedule, *slot);
                    }
                    _ => {
                        let schedule = schedule.clone();
                        rows.push(SlotRow {
                            schedule,
                            first: *slot,
                            last: *slot,
                            outcome: verdict.outcome,
                            claim: None,
                            note: verdict.note.clone(),
                        });
                    }
                }
            }
            rows.iter().for_each(|row| _ = commit.put_slot(&job, row));
            if let Some(row) = rows.pop().filter(|row| row.last == entry.watermark) {
                entry.newest_row = NewestRow::MayGrow(Box::new(row));
            }
            self.commit_later(commit);
        }
        for (_, key) in claims {
            let message = "the cluster could not be reached when it was due";
            let outcome = crate::task::Outcome {
                phase: Phase::Cancelled,
                ..refusal("ClusterUnreachable", message.to_owned(), now)
            };
            self.finish(key, outcome, Retry::Never, now);
        }
    }

    /// Runs that somebody, or a retry, waits for are not held for longer than `hold`.
    pub(super) fn give_up_hands(&mut self, now: Timestamp) {
        let Some(away) = &self.away else { return };
        let hold = self.config.settings.hold;
        let message = format!("the executor could not be reached for {hold:#}: {}", away.message);
        let since = away.since;
        let waits = |key: &&TaskKey| {
            self.live.get(key).is_some_and(|live| {
                let task = &live.task;
                let of_slot = matches!(task.trigger, Trigger::Schedule | Trigger::CatchUp);
                let begun = task.not_before.unwrap_or(task.created).max(since);
                !of_slot && live.stage == Stage::Ready && now.duration_since(begun) > hold
            })
        };
        let given_up: Vec<TaskKey> = self.ready.iter().filter(waits).cloned().collect();
        for key in given_up {
            if let Some(until) = self.live.get(&key).and_then(|live| live.maybe_created) {
                // It is looked for once more: a create of before may have come through.
                self.live.set_stage(&key, Stage::Held);
                self.arm_task(&key, until.max(now));
                continue;
            }
            self.finish(&key, refusal("ExecutorUnavailable", message.clone(), now), Retry::Never, now);
        }
    }
}

/// Up to a quarter of the wait more, so that many who were refused together do not come back together.
fn spread(timer: TimerId, wait: SignedDuration) -> SignedDuration {
    let quarter = wait.as_millis() / 4 + 1;
    let hash = u128::from(timer.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32);
    SignedDuration::from_millis(i64::try_from(hash % quarter.unsigned_abs()).unwrap_or_default())
}
