//! Which slots a backfill runs again: found in the ledger, outside the dispatcher's loop.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Phase, Task, TaskId};
use crate::job::{Job, JobRef};
use crate::schedule::{Schedule, ScheduleKey};
use crate::store::{SkipReason, SlotOutcome, SlotRow, Store, StoreError};

/// How far slots are counted beyond the most that are taken.
const COUNTED: usize = 1_000_000;

/// Which slots are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// Those that were missed or skipped, but for what a calendar excludes.
    Missing,
    /// Those whose newest run failed, timed out or was lost.
    Failed,
    /// All, but for those whose newest run has not ended, and what a calendar excludes.
    All,
}

/// A range of a job's slots.
#[derive(Debug, Clone)]
pub struct Backfill {
    /// The job.
    pub job: JobRef,
    /// No slot before this.
    pub from: Timestamp,
    /// No slot after this.
    pub to: Timestamp,
    /// Which of them.
    pub select: Select,
    /// Of this schedule only.
    pub schedule: Option<ScheduleKey>,
}

/// A slot to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSlot {
    /// Its schedule.
    pub schedule: ScheduleKey,
    /// The nominal instant.
    pub slot: Timestamp,
    /// What its row says; none where it has no row.
    pub was: Option<SlotOutcome>,
    /// The newest run of it that is on record: its ordinal and phase.
    pub newest: Option<(u32, Phase)>,
    /// Whether a run of it is no longer on record.
    pub forgotten: bool,
}

/// Why no slots were found. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The job has no such schedule.
    #[error("job `{job}` has no schedule `{schedule}`\nhint: `tekcron job {job}` lists their keys")]
    NoSchedule {
        /// The job.
        job: JobRef,
        /// The key.
        schedule: ScheduleKey,
    },
    /// The ledger knows nothing of the beginning.
    #[error(
        "what became of the slots of job `{job}` (schedule `{schedule}`) before {} is not known\nhint: {}",
        begins.map_or_else(|| "now".to_owned(), |at| at.to_string()),
        begins.map_or_else(
            || "its ledger is empty; `--all` runs slots whatever became of them".to_owned(),
            |at| format!("begin with `--from {at}`, or `--all` runs slots whatever became of them")
        )
    )]
    Unknown {
        /// The job.
        job: JobRef,
        /// The schedule.
        schedule: ScheduleKey,
        /// Where its ledger begins.
        begins: Option<Timestamp>,
    },
    /// There are more than may be.
    #[error(
        "these are {}{found} slots, and `max_backfill` is {most}\nhint: shorten the range, or raise `max_backfill` in `tekcron.toml`",
        if *found >= COUNTED { "more than " } else { "" }
    )]
    TooMany {
        /// How many there are.
        found: usize,
        /// The most.
        most: usize,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Slots found so far: the first of them, and how many there are.
struct Found {
    slots: Vec<OldSlot>,
    count: usize,
    most: usize,
}

impl Found {
    fn is_full(&self) -> bool {
        self.count >= COUNTED
    }

    fn push(&mut self, slot: impl FnOnce() -> OldSlot) {
        self.count += 1;
        if self.slots.len() < self.most {
            self.slots.push(slot());
        }
    }
}

/// The newest run of each slot that is on record.
type Runs = BTreeMap<(ScheduleKey, Timestamp), Task>;

/// The slots of `backfill`, oldest first.
///
/// # Errors
/// [`BackfillError`]; that there are none is no error.
pub fn old_slots(
    store: &Store,
    job: &Job,
    backfill: &Backfill,
    most: usize,
) -> Result<Vec<OldSlot>, BackfillError> {
    let wanted = |schedule: &&Schedule| backfill.schedule.as_ref().is_none_or(|key| schedule.key == *key);
    let schedules: Vec<&Schedule> = job.schedules.iter().map(AsRef::as_ref).filter(wanted).collect();
    if let (Some(schedule), []) = (&backfill.schedule, schedules.as_slice()) {
        return Err(BackfillError::NoSchedule { job: backfill.job.clone(), schedule: schedule.clone() });
    }
    let runs = newest_runs(store, backfill)?;
    let mut found = Found { slots: Vec::new(), count: 0, most };
    for schedule in schedules {
        of_schedule(store, schedule, backfill, &runs, &mut found)?;
    }
    if found.count > most {
        return Err(BackfillError::TooMany { found: found.count, most });
    }
    found.slots.sort_by(|a, b| (a.slot, &a.schedule).cmp(&(b.slot, &b.schedule)));
    Ok(found.slots)
}

/// A slot that a task ran, to run it again.
///
/// # Errors
/// [`StoreError`].
pub fn slot_of(store: &Store, task: &Task) -> Result<Option<OldSlot>, StoreError> {
    let (Some(job), Some(schedule), Some(slot)) = (task.job_ref(), &task.schedule, task.scheduled) else {
        return Ok(None);
    };
    let backfill = Backfill { job, from: slot, to: slot, select: Select::All, schedule: None };
    let runs = newest_runs(store, &backfill)?;
    let row = store.slot_at(&backfill.job, schedule, slot)?;
    old_slot(store, schedule, slot, row.map(|row| row.outcome), &backfill, &runs).map(Some)
}

fn newest_runs(store: &Store, backfill: &Backfill) -> Result<Runs, StoreError> {
    let mut runs = Runs::new();
    for task in store.tasks(&backfill.job.app, None) {
        let task = task?;
        if task.job.as_ref() == Some(&backfill.job.job)
            && let (Some(schedule), Some(slot)) = (&task.schedule, task.scheduled)
            && (backfill.from..=backfill.to).contains(&slot)
        {
            // They come newest first; the ordinal of a slot's newest run is its highest.
            runs.entry((schedule.clone(), slot)).or_insert(task);
        }
    }
    Ok(runs)
}

fn of_schedule(
    store: &Store,
    schedule: &Schedule,
    backfill: &Backfill,
    runs: &Runs,
    found: &mut Found,
) -> Result<(), BackfillError> {
    let (job, key) = (&backfill.job, &schedule.key);
    let decided = store.watermark(job, key)?.map_or(Timestamp::MIN, |watermark| watermark.at);
    let to = backfill.to.min(decided);
    if backfill.select == Select::Missing {
        let begins = store.slots_of(job, key, Timestamp::MIN..=Timestamp::MAX).next().transpose()?;
        let begins = begins.map(|row| row.first);
        let first = schedule.recurrence.next_after(just_before(backfill.from)).filter(|slot| *slot <= to);
        if first.is_some_and(|first| begins.is_none_or(|begins| first < begins)) {
            return Err(BackfillError::Unknown { job: job.clone(), schedule: key.clone(), begins });
        }
    }
    if backfill.select == Select::All {
        let mut after = just_before(backfill.from);
        while let Some(slot) = schedule.recurrence.next_after(after).filter(|slot| *slot <= to)
            && !found.is_full()
        {
            after = slot;
            let running = runs.get(&(key.clone(), slot)).is_some_and(|task| !task.phase.is_terminal());
            if running || schedule.excluded_by(slot).is_some() {
                continue;
            }
            let row = if found.slots.len() < found.most { store.slot_at(job, key, slot)? } else { None };
            let old = old_slot(store, key, slot, row.map(|row| row.outcome), backfill, runs)?;
            found.push(|| old);
        }
        return Ok(());
    }
    let spanning = store.slot_at(job, key, backfill.from)?.filter(|row| row.first < backfill.from);
    let rows = store.slots_of(job, key, backfill.from..=to.max(backfill.from));
    for row in spanning.map(Ok).into_iter().chain(rows) {
        let row = row?;
        if !is_wanted(&row, backfill.select, runs) {
            continue;
        }
        let mut after = just_before(row.first.max(backfill.from));
        let last = row.last.min(to);
        while let Some(slot) = schedule.recurrence.next_after(after).filter(|slot| *slot <= last)
            && !found.is_full()
        {
            after = slot;
            // A range of a pause holds what a calendar excludes, too.
            if backfill.select == Select::Missing && schedule.excluded_by(slot).is_some() {
                continue;
            }
            let old = match found.slots.len() < found.most {
                true => Some(old_slot(store, key, slot, Some(row.outcome), backfill, runs)?),
                false => None,
            };
            match old {
                Some(old) => found.push(|| old),
                None => found.count += 1,
            }
        }
    }
    Ok(())
}

fn is_wanted(row: &SlotRow, select: Select, runs: &Runs) -> bool {
    match (select, row.outcome) {
        (Select::All, _) | (Select::Missing, SlotOutcome::Missed) => true,
        (Select::Missing, SlotOutcome::Skipped { reason }) => reason != SkipReason::Excluded,
        (Select::Missing, _) => false,
        (Select::Failed, outcome) => {
            let newest = runs.get(&(row.schedule.clone(), row.first)).map(|task| task.phase);
            let failed = matches!(newest, Some(Phase::Failed | Phase::TimedOut | Phase::Lost));
            outcome.task().is_some() && failed
        }
    }
}

fn old_slot(
    store: &Store,
    schedule: &ScheduleKey,
    slot: Timestamp,
    was: Option<SlotOutcome>,
    backfill: &Backfill,
    runs: &Runs,
) -> Result<OldSlot, StoreError> {
    let newest = runs.get(&(schedule.clone(), slot)).map(|task| (task.ordinal, task.phase));
    let told: Option<TaskId> = match was {
        Some(SlotOutcome::Skipped { reason: SkipReason::Dropped { task } }) => Some(task),
        was => was.and_then(SlotOutcome::task),
    };
    let forgotten = match told {
        Some(id) => store.task(&backfill.job.app, id)?.is_none(),
        None => false,
    };
    Ok(OldSlot { schedule: schedule.clone(), slot, was, newest, forgotten })
}

fn just_before(instant: Timestamp) -> Timestamp {
    instant.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN)
}
