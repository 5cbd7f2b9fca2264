//! The rows of a job's ledger in one sequence: by their first slot, then by schedule, from either end.
//!
//! Each schedule's rows are read only as far as they are wanted, so that the newest thousand cost the same
//! however many there are.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::job::JobRef;
use crate::schedule::{Schedule, ScheduleKey, SlotRange, UnknownWord, decided_until, slots_between, without};
use crate::store::{Fate, SkipReason, SlotOutcome, SlotRow, Store, StoreError};

/// A page that holds anything is looked for in no more rows than these.
const MOST_SCANNED: usize = 20_000;

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Order {
    /// The oldest.
    #[default]
    Oldest,
    /// The newest.
    Newest,
}

impl TryFrom<String> for Order {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, UnknownWord> {
        match text.as_str() {
            "oldest" => Ok(Self::Oldest),
            "newest" => Ok(Self::Newest),
            _ => Err(UnknownWord { known: vec!["oldest", "newest"], found: text }),
        }
    }
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Those that hold a time from here to there.
    pub(super) range: (Timestamp, Timestamp),
    /// Those that ended so.
    pub(super) fate: Option<Fate>,
    /// In which order.
    pub(super) order: Order,
}

/// A place in the sequence.
pub(super) type Position = (Timestamp, String);

/// The rows of a pause that goes on, which are written when it ends.
///
/// # Errors
/// [`StoreError`].
pub(super) fn paused(
    store: &Store,
    job: &JobRef,
    schedules: &[Arc<Schedule>],
    now: Timestamp,
) -> Result<Vec<SlotRow>, StoreError> {
    let Some(pause) = store.steering(job)?.pause else { return Ok(Vec::new()) };
    let end = pause.until.map_or(now, |until| until.min(now));
    let mut rows = Vec::new();
    for schedule in schedules {
        let watermark = store.watermark(job, &schedule.key)?;
        let watermark = watermark.filter(|it| it.fingerprint == schedule.recurrence.fingerprint().as_str());
        let Some(watermark) = watermark.map(|watermark| watermark.at) else { continue };
        let until = decided_until(schedule, job, watermark, end);
        let Some(range) = until.and_then(|until| slots_between(schedule, watermark, until)) else { continue };
        let known = store.slots_of(job, &schedule.key, Timestamp::MIN..=range.last).rev();
        let known = known.take_while(|row| row.as_ref().map_or(true, |row| row.last >= range.first));
        let mut known = known.collect::<Result<Vec<_>, _>>()?;
        known.reverse();
        let known = known.iter().map(|row| SlotRange { first: row.first, last: row.last });
        rows.extend(without(schedule, range, known).into_iter().map(|range| SlotRow {
            schedule: schedule.key.clone(),
            first: range.first,
            last: range.last,
            outcome: SlotOutcome::Skipped { reason: SkipReason::Paused },
            claim: None,
            note: pause.told(),
        }));
    }
    Ok(rows)
}

/// Up to `limit` rows behind `after`, and the position behind which there may be more. Where there may be
/// more, there is at least one.
///
/// # Errors
/// [`StoreError`].
pub(super) fn rows(
    store: &Store,
    job: &JobRef,
    wanted: &Wanted,
    unwritten: Vec<SlotRow>,
    limit: usize,
    after: Option<&Position>,
) -> Result<(Vec<SlotRow>, Option<Position>), StoreError> {
    let mut heads = Vec::new();
    for schedule in store.slot_schedules(job)? {
        heads.extend(Head::following(of_schedule(store, job, schedule, wanted, after)?)?);
    }
    heads.extend(Head::following(of_unwritten(unwritten, wanted, after))?);
    let (mut found, mut last) = (Vec::new(), None);
    for scanned in 0.. {
        let first = heads.iter().enumerate().min_by(|(_, a), (_, b)| wanted.order.of(&a.row, &b.row));
        let Some((index, _)) = first else { return Ok((found, None)) };
        if found.len() == limit || (scanned >= MOST_SCANNED && !found.is_empty()) {
            break;
        }
        let Head { row, rest } = heads.swap_remove(index);
        heads.extend(Head::following(rest)?);
        last = Some((row.first, row.schedule.to_string()));
        if wanted.fate.is_none_or(|fate| row.outcome.fate() == fate) {
            found.push(row);
        }
    }
    Ok((found, last))
}

impl Order {
    fn of(self, a: &SlotRow, b: &SlotRow) -> Ordering {
        self.of_places(place(a), place(b))
    }

    fn of_places(self, a: (Timestamp, &str), b: (Timestamp, &str)) -> Ordering {
        match self {
            Self::Oldest => a.cmp(&b),
            Self::Newest => b.cmp(&a),
        }
    }
}

fn place(row: &SlotRow) -> (Timestamp, &str) {
    (row.first, row.schedule.as_str())
}

type Rows = Box<dyn Iterator<Item = Result<SlotRow, StoreError>>>;

/// A schedule's next row, and those behind it.
struct Head {
    row: SlotRow,
    rest: Rows,
}

impl Head {
    fn following(mut rest: Rows) -> Result<Option<Self>, StoreError> {
        let row = rest.next().transpose()?;
        Ok(row.map(|row| Self { row, rest }))
    }
}

fn of_unwritten(mut rows: Vec<SlotRow>, wanted: &Wanted, after: Option<&Position>) -> Rows {
    let ((from, to), order) = (wanted.range, wanted.order);
    rows.retain(|row| row.first <= to && row.last >= from);
    rows.retain(|row| after.is_none_or(|(first, key)| order.of_places(place(row), (*first, key)).is_gt()));
    rows.sort_unstable_by(|a, b| order.of(a, b));
    Box::new(rows.into_iter().map(Ok))
}

/// The rows of one schedule in the wanted order, of whatever outcome.
fn of_schedule(
    store: &Store,
    job: &JobRef,
    schedule: ScheduleKey,
    wanted: &Wanted,
    after: Option<&Position>,
) -> Result<Rows, StoreError> {
    let ((from, to), order) = (wanted.range, wanted.order);
    let bound = after.map(|(first, _)| *first);
    let after = after.cloned();
    let behind = move |row: &Result<SlotRow, StoreError>| match (row, &after) {
        (Ok(row), Some((first, key))) => order.of_places(place(row), (*first, key)).is_gt(),
        _ => true,
    };
    Ok(match order {
        Order::Oldest => {
            let before = store.slots_of(job, &schedule, Timestamp::MIN..=from).next_back().transpose()?;
            // A row of several slots may begin before `from`.
            let begin = before.filter(|row| row.last >= from).map_or(from, |row| row.first);
            let begin = bound.map_or(begin, |bound| begin.max(bound));
            Box::new(store.slots_of(job, &schedule, begin..=to).filter(behind))
        }
        Order::Newest => {
            let end = bound.map_or(to, |bound| to.min(bound));
            let rows = store.slots_of(job, &schedule, Timestamp::MIN..=end).rev().filter(behind);
            Box::new(rows.take_while(move |row| row.as_ref().map_or(true, |row| row.last >= from)))
        }
    })
}
