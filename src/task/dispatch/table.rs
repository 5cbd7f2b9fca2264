use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use jiff::Timestamp;

use crate::app::App;
use crate::job::{Job, JobRef};
use crate::schedule::wheel::TimerId;
use crate::schedule::{Overlap, Schedule, ScheduleKey};
use crate::store::{SlotRow, Watermark};

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

impl From<SlotRow> for NewestRow {
    fn from(row: SlotRow) -> Self {
        match row.outcome.task() {
            Some(_) => Self::Ends,
            None => Self::MayGrow(Box::new(row)),
        }
    }
}

impl Entry {
    pub(super) fn new(app: &Arc<App>, job: &Job, schedule: &Arc<Schedule>, watermark: Timestamp) -> Self {
        Self {
            job: JobRef::of(app, job),
            app: Arc::clone(app),
            schedule: Arc::clone(schedule),
            overlap: job.terms.overlap,
            watermark,
            ledger_until: None,
            newest_row: NewestRow::Unknown,
        }
    }

    /// Tells an edited schedule from an unchanged one under the same key.
    pub(super) fn fingerprint(&self) -> &str {
        self.schedule.recurrence.fingerprint().as_str()
    }

    /// How far it has been decided, for the store.
    pub(super) fn stored_watermark(&self) -> Watermark {
        Watermark { at: self.watermark, fingerprint: self.fingerprint().to_owned() }
    }
}

/// All schedules, each at a place of its own for as long as it is configured.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// By job and key, which stand in the entries.
    places: HashTable<usize>,
    hasher: RandomState,
}

impl Table {
    /// Takes the room for as many more at once: what grows by doubling takes up to twice as much.
    pub(super) fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.places.reserve(more, |place| hash_of(hasher, entries, *place));
    }

    pub(super) fn insert(&mut self, entry: Entry) -> usize {
        if let Some(place) = self.place(&entry.job, &entry.schedule.key) {
            self.entries[place] = Some(entry);
            return place;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.entries[place] = Some(entry);
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash = |place: &usize| hash_of(hasher, entries, *place);
        self.places.insert_unique(hash(&place), place, hash);
        place
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<Entry> {
        self.get(place)?;
        let hash = hash_of(&self.hasher, &self.entries, place);
        if let Ok(found) = self.places.find_entry(hash, |other| *other == place) {
            found.remove();
        }
        self.free.push(place);
        self.entries[place].take()
    }

    pub(super) fn place(&self, job: &JobRef, schedule: &ScheduleKey) -> Option<usize> {
        let is_it = |place: &usize| {
            self.get(*place).is_some_and(|entry| entry.job == *job && entry.schedule.key == *schedule)
        };
        self.places.find(self.hasher.hash_one((job, schedule)), is_it).copied()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place)?.as_mut()
    }

    pub(super) fn places(&self) -> Vec<usize> {
        (0..self.entries.len()).filter(|place| self.entries[*place].is_some()).collect()
    }
}

fn hash_of(hasher: &RandomState, entries: &[Option<Entry>], place: usize) -> u64 {
    let entry = entries[place].as_ref().expect("a place that can be found has an entry");
    hasher.hash_one((&entry.job, &entry.schedule.key))
}

pub(super) fn timer_of(place: usize) -> TimerId {
    TimerId(place as u64)
}

pub(super) fn place_of(timer: TimerId) -> Option<usize> {
    (timer.0 < FIRST_TASK_TIMER).then_some(timer.0 as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Entries of `count` jobs, each with two schedules.
    fn entries(count: usize) -> Vec<Entry> {
        let job = |n| {
            format!(
                "[[jobs]]\nname = \"j{n:03}\"\nschedules = [{{ cron = \"0 1 * * *\" }}, {{ id = \"x\", cron = \"0 2 * * *\" }}]\n"
            )
        };
        let jobs: String = (0..count).map(job).collect();
        let app = format!("[app]\nname = \"etl\"\ncommand = \"true\"\n{jobs}");
        let config = Config::from_toml("", &[&app]).unwrap();
        let entries = config.jobs().flat_map(|(app, job)| {
            job.schedules.iter().map(|schedule| Entry::new(app, job, schedule, Timestamp::UNIX_EPOCH))
        });
        entries.collect()
    }

    fn found(table: &Table, entry: &Entry) -> Option<usize> {
        table.place(&entry.job, &entry.schedule.key)
    }

    #[test]
    fn a_schedule_keeps_its_place_and_a_place_that_is_left_is_used_again() {
        let mut table = Table::default();
        let all = entries(200);
        let places: Vec<_> = entries(200).into_iter().map(|entry| table.insert(entry)).collect();
        assert_eq!(places, (0..400).collect::<Vec<_>>());
        assert!(all.iter().zip(&places).all(|(entry, place)| found(&table, entry) == Some(*place)));
        assert_eq!(table.insert(entries(8).pop().unwrap()), 15);
        assert!(table.remove(15).is_some() && table.remove(15).is_none() && table.remove(999).is_none());
        assert_eq!((found(&table, &all[15]), found(&table, &all[14])), (None, Some(14)));
        assert_eq!(table.places().len(), 399);
        assert_eq!(table.insert(entries(201).pop().unwrap()), 15);
        assert_eq!((found(&table, &all[15]), found(&table, &all[399])), (None, Some(399)));
    }
}
