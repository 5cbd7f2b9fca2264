//! Claims of old slots: all as tasks that wait, oldest first, behind everybody else.
//!
//! A slot that had no run becomes `caught-up`; one that had keeps its outcome. Either way its row names its
//! newest run, so that the ledger goes on having exactly one row for each slot. A range out of which one
//! slot is taken becomes two. One edit of old rows at a time is carried out, retention's among them, when all
//! before it is on disk: what the ledger says is then what the store says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::live::Stage;
use super::table::NewestRow;
use super::{Dispatcher, Event, RunError};
use crate::app::AppName;
use crate::job::JobRef;
use crate::retention::ForgottenSlots;
use crate::schedule::{Recurrence, ScheduleKey, jitter};
use crate::store::{Commit, SlotClaim, SlotOutcome, SlotRow, StoreError};
use crate::task::{LogSize, OldSlot, Overrides, Phase, RunIdentity, Task, TaskName, Trigger};

/// The most slots of one commit.
const SLOTS_PER_COMMIT: usize = 256;

/// Slots to be run again.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// Their job.
    pub job: JobRef,
    /// The slots, oldest first.
    pub slots: Vec<OldSlot>,
    /// The most of them that run at once.
    pub max_running: u32,
    /// What tells this request from others. The same again is the same.
    pub hash: String,
    /// Whether nothing is claimed while tasks of the same request have not ended.
    pub once: bool,
}

/// What became of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backfilled {
    /// The tasks that were claimed.
    pub claimed: Vec<Task>,
    /// Those of the same request before that have not ended.
    pub under_way: Vec<Task>,
}

pub(super) type Reply = oneshot::Sender<Result<Backfilled, RunError>>;

/// A change of old rows.
#[derive(Debug)]
pub(super) enum LedgerEdit {
    Backfill(BackfillRequest, Reply),
    /// They are kept no longer.
    Forget(Vec<ForgottenSlots>, oneshot::Sender<Result<(), StoreError>>),
    /// Nothing of the App's jobs is kept.
    ForgetApp(AppName, oneshot::Sender<Result<(), StoreError>>),
}

/// Rows of the ledger as this request leaves them, by where they begin.
type Rows = BTreeMap<(ScheduleKey, Timestamp), SlotRow>;

impl Dispatcher {
    pub(super) fn edit_ledger(&mut self, edit: LedgerEdit) {
        self.ledger_edits.push_back(edit);
        if !self.editing_ledger {
            self.next_ledger_edit();
        }
    }

    /// Carries out the next edit when what is before it is on disk.
    pub(super) fn next_ledger_edit(&mut self) {
        self.editing_ledger = !self.ledger_edits.is_empty();
        if self.editing_ledger {
            self.commit_then(Commit::new(), |internal| {
                // The loop may have ended already.
                let _ = internal.send(Event::LedgerEditDue);
            });
        }
    }

    pub(super) fn ledger_edit_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        match self.ledger_edits.pop_front() {
            Some(LedgerEdit::Backfill(request, reply)) => self.backfill(&request, reply, now)?,
            Some(LedgerEdit::Forget(rows, reply)) => self.forget_slots(rows, reply)?,
            Some(LedgerEdit::ForgetApp(app, reply)) => self.forget_app(&app, reply)?,
            None => {}
        }
        self.commit_then(Commit::new(), |internal| {
            // The loop may have ended already.
            let _ = internal.send(Event::LedgerEdited);
        });
        Ok(())
    }

    fn backfill(
        &mut self,
        request: &BackfillRequest,
        reply: Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let under_way: Vec<Task> = {
            let of_request =
                |task: &Task| task.request.as_deref().is_some_and(|name| name.ends_with(&request.hash));
            let tasks = self.live.iter().map(|(_, live)| &live.task).filter(|task| of_request(task));
            tasks.cloned().collect()
        };
        let claimed = match () {
            () if request.once && !under_way.is_empty() => Ok(Vec::new()),
            () if self.config.job(&request.job).is_none() => {
                Err(RunError::NoJob { app: request.job.app.clone(), job: request.job.job.clone() })
            }
            () if !self.live.has_room() => Err(RunError::TooMany),
            () => Ok(self.claim_old(request, now)?),
        };
        self.commit(Commit::new(), move |durable| {
            let answer = durable.map_err(RunError::from).and(claimed);
            // Nobody may wait any more.
            let _ = reply.send(answer.map(|claimed| Backfilled { claimed, under_way }));
        });
        Ok(())
    }

    fn claim_old(&mut self, request: &BackfillRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        let running: BTreeSet<(ScheduleKey, Timestamp)> = {
            let of_job = self.live.iter().map(|(_, live)| &live.task);
            let of_job = of_job.filter(|task| task.job_ref().as_ref() == Some(&request.job));
            of_job.filter_map(|task| Some((task.schedule.clone()?, task.scheduled?))).collect()
        };
        let (mut tasks, mut rows) = (Vec::new(), Rows::new());
        for slots in request.slots.chunks(SLOTS_PER_COMMIT) {
            let (mut commit, mut keys) = (Commit::new(), Vec::new());
            let mut touched = BTreeSet::new();
            for old in slots {
                // Claimed by another request since it was looked up.
                if running.contains(&(old.schedule.clone(), old.slot)) {
                    continue;
                }
                let task = self.old_task(request, old, now);
                touched.extend(self.fill(&request.job, old, &task, &mut rows)?);
                commit.create_task(&task);
                keys.push(self.enter(task.clone(), Stage::Claiming));
                tasks.push(task);
            }
            for row in touched.iter().filter_map(|place| rows.get(place)) {
                commit.put_slot(&request.job, row);
            }
            self.commit_then(commit, move |internal| {
                // The loop may have ended already.
                let _ = internal.send(Event::Claimed(keys, None));
            });
        }
        Ok(tasks)
    }

    fn old_task(&mut self, request: &BackfillRequest, old: &OldSlot, now: Timestamp) -> Task {
        let job = &request.job;
        let id = self.next_id(&job.app);
        // Ids are never given again, and no ordinal is higher than its task's id.
        let unlike_all = u32::try_from(id.0).unwrap_or(u32::MAX);
        let ordinal = match old.newest {
            Some((newest, _)) if !old.forgotten => newest + 1,
            None if !old.forgotten => 1,
            _ => unlike_all,
        };
        let settings = &self.config.settings;
        let identity = RunIdentity::Slot { schedule: &old.schedule, slot: old.slot, ordinal };
        let name =
            TaskName::of(&settings.instance, &settings.namespace, &job.app, Some(&job.job), identity, 1);
        let logs_on_terminate = self.config.apps.get(&job.app).map(|app| app.logs_on_terminate);
        Task {
            app: job.app.clone(),
            id,
            name,
            display_name: job.job.to_string(),
            job: Some(job.job.clone()),
            schedule: Some(old.schedule.clone()),
            scheduled: Some(old.slot),
            ordinal,
            trigger: Trigger::Backfill,
            attempt: 1,
            first_attempt: None,
            request: Some(super::turns::batch_request(request.max_running, &request.hash)),
            overrides: Overrides::default(),
            revision: self.revision_of(&job.app),
            image: None,
            generation: self.config.generation.clone(),
            created: now,
            not_before: None,
            started: None,
            finished: None,
            phase: Phase::Queued,
            terminating: None,
            logs_on_terminate: logs_on_terminate.unwrap_or_default(),
            reason: None,
            message: None,
            exit_code: None,
            log: LogSize::default(),
        }
    }

    /// Makes `task` the newest run of a slot in its row. Returns the rows that change by that.
    fn fill(
        &mut self,
        job: &JobRef,
        old: &OldSlot,
        task: &Task,
        rows: &mut Rows,
    ) -> Result<Vec<(ScheduleKey, Timestamp)>, StoreError> {
        let (key, slot) = (&old.schedule, old.slot);
        let before = rows.range(..=(key.clone(), slot)).next_back().map(|(_, row)| row);
        let covers = |row: &&SlotRow| row.schedule == *key && row.first <= slot && slot <= row.last;
        let row = match before.filter(covers) {
            Some(row) => Some(row.clone()),
            None => {
                let stored = self.store.slot_at(job, key, slot)?;
                stored.filter(|row| !rows.contains_key(&(key.clone(), row.first)))
            }
        };
        let place = self.table.place(job, key);
        let Some(entry) = place.and_then(|place| self.table.get_mut(place)) else { return Ok(Vec::new()) };
        if matches!(entry.newest_row, NewestRow::Unknown)
            && let Some(newest) = self.store.newest_slot(job, key)?
        {
            entry.newest_row = newest.into();
        }
        // It may have grown since: that is on its way to the disk.
        let row = row.map(|row| match &entry.newest_row {
            NewestRow::MayGrow(newest) if newest.first == row.first => (**newest).clone(),
            _ => row,
        });
        let outcome = match row.as_ref().map(|row| row.outcome) {
            Some(SlotOutcome::Ran { .. }) => SlotOutcome::Ran { task: task.id },
            _ => SlotOutcome::CaughtUp { task: task.id },
        };
        let claim = Some(SlotClaim { due: slot + jitter(&entry.schedule, job, slot), at: task.created });
        let mut pieces =
            vec![SlotRow { schedule: key.clone(), first: slot, last: slot, outcome, claim, note: None }];
        if let Some(row) = row {
            let recurrence = &entry.schedule.recurrence;
            let rest = following(recurrence, slot, row.last).map(|first| SlotRow { first, ..row.clone() });
            if let NewestRow::MayGrow(newest) = &entry.newest_row
                && newest.first == row.first
            {
                entry.newest_row = match &rest {
                    Some(rest) => NewestRow::MayGrow(Box::new(rest.clone())),
                    None => NewestRow::Ends,
                };
            }
            pieces.extend(preceding(recurrence, slot, row.first).map(|last| SlotRow { last, ..row }));
            pieces.extend(rest);
        }
        let touched = pieces.iter().map(|row| (key.clone(), row.first)).collect();
        rows.extend(pieces.into_iter().map(|row| ((key.clone(), row.first), row)));
        Ok(touched)
    }
}

/// The slot behind `slot`, up to `last`.
fn following(recurrence: &Recurrence, slot: Timestamp, last: Timestamp) -> Option<Timestamp> {
    recurrence.next_after(slot).filter(|next| *next <= last)
}

/// The slot before `slot`, down to `first`.
fn preceding(recurrence: &Recurrence, slot: Timestamp, first: Timestamp) -> Option<Timestamp> {
    let until = slot.checked_sub(SignedDuration::from_secs(1)).ok()?;
    recurrence.last_until(until).filter(|before| *before >= first)
}
