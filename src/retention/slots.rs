use jiff::{SignedDuration, Timestamp};

use crate::job::JobRef;
use crate::schedule::{Recurrence, ScheduleKey};
use crate::store::SlotRow;

/// A row of the slot ledger that goes, or becomes shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgottenSlots {
    /// The job.
    pub job: JobRef,
    /// The schedule.
    pub schedule: ScheduleKey,
    /// The first slot of the row.
    pub first: Timestamp,
    /// Its last slot. A row that has grown since is another.
    pub last: Timestamp,
    /// The first slot that stays, where any does.
    pub stays_from: Option<Timestamp>,
}

/// What goes of the rows of one schedule, given those that begin before `horizon`.
///
/// A row goes when all of it lies before the horizon; a range that reaches over it becomes shorter, where the
/// schedule is configured and says where its slots are. What lies ahead of the `watermark` stays whatever
/// its age: it tells which slots a clock that was wrong has run.
pub fn plan_slots(
    job: &JobRef,
    rows: impl IntoIterator<Item = SlotRow>,
    recurrence: Option<&Recurrence>,
    watermark: Option<Timestamp>,
    horizon: Timestamp,
) -> Vec<ForgottenSlots> {
    let decided = |row: &SlotRow| watermark.is_none_or(|watermark| row.last <= watermark);
    let forgotten = |row: SlotRow| {
        let stays_from = if row.last < horizon { None } else { Some(first_from(recurrence?, horizon)?) };
        let is_shorter = stays_from.is_none_or(|first| row.first < first && first <= row.last);
        is_shorter.then(|| ForgottenSlots {
            job: job.clone(),
            schedule: row.schedule,
            first: row.first,
            last: row.last,
            stays_from,
        })
    };
    rows.into_iter().filter(decided).filter_map(forgotten).collect()
}

fn first_from(recurrence: &Recurrence, horizon: Timestamp) -> Option<Timestamp> {
    // Slots are whole seconds.
    recurrence.next_after(horizon.checked_sub(SignedDuration::from_nanos(1)).ok()?)
}
