use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::app::App;
use crate::job::{Job, JobRef};
use crate::schedule::wheel::TimerId;
use crate::schedule::{Overlap, Schedule, ScheduleKey};
use crate::store::SlotRow;

/// Timers below this are schedules, by their place in the [`Table`].
pub(super) const FIRST_TASK_TIMER: u64 = 1 << 32;

/// One schedule as the dispatcher works by it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) job: JobRef,
    pub(super) app: Arc<App>,
    pub(super) schedule: Arc<Schedule>,
    pub(super) overlap: Overlap,
    /// Every slot at or before this is decided.
    pub(super) watermark: Timestamp,
    /// Up to here the ledger is asked before a slot is claimed: the watermark was set back.
    pub(super) ledger_until: Option<Timestamp>,
    pub(super) newest_row: NewestRow,
}

/// What the newest row of a schedule's ledger means for the next.
#[derive(Debug, Default)]
pub(super) enum NewestRow {
    /// It has not been needed yet.
    #[default]
    Unknown,
    /// It is a run's, which no further slot shares.
    Ends,
    /// A slot of the same fate extends it.
    MayGrow(Box<SlotRow>),
}

impl Entry {
    pub(super) fn new(app: &Arc<App>, job: &Job, schedule: &Arc<Schedule>, watermark: Timestamp) -> Self {
        Self {
            job: JobRef::of(app, job),
            app: Arc::clone(app),
            schedule: Arc::clone(schedule),
            overlap: job.overlap,
            watermark,
            ledger_until: None,
            newest_row: NewestRow::Unknown,
        }
    }

    /// Tells an edited schedule from an unchanged one under the same key.
    pub(super) fn fingerprint(&self) -> String {
        self.schedule.recurrence.key().to_string()
    }
}

/// All schedules, each at a place of its own for as long as it is configured.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    places: HashMap<(JobRef, ScheduleKey), usize>,
}

impl Table {
    /// Takes the room for as many more at once: what grows by doubling takes up to twice as much.
    pub(super) fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
        self.places.reserve(more);
    }

    pub(super) fn insert(&mut self, entry: Entry) -> usize {
        let identity = (entry.job.clone(), entry.schedule.key.clone());
        let place = self.places.get(&identity).copied().or_else(|| self.free.pop());
        let place = place.unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.entries[place] = Some(entry);
        self.places.insert(identity, place);
        place
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<Entry> {
        let entry = self.entries.get_mut(place)?.take()?;
        self.places.remove(&(entry.job.clone(), entry.schedule.key.clone()));
        self.free.push(place);
        Some(entry)
    }

    pub(super) fn place(&self, job: &JobRef, schedule: &ScheduleKey) -> Option<usize> {
        self.places.get(&(job.clone(), schedule.clone())).copied()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place)?.as_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn places(&self) -> Vec<usize> {
        (0..self.entries.len()).filter(|place| self.entries[*place].is_some()).collect()
    }
}

pub(super) fn timer_of(place: usize) -> TimerId {
    TimerId(place as u64)
}

pub(super) fn place_of(timer: TimerId) -> Option<usize> {
    (timer.0 < FIRST_TASK_TIMER).then_some(timer.0 as usize)
}
