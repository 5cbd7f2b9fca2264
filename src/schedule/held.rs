//! The slots of a pause: those that would have started in it, less those that the ledger knows.

use jiff::{SignedDuration, Timestamp};

use super::{Schedule, SlotRange, jitter};
use crate::job::JobRef;

/// The end of a stretch of time whose slots after `watermark` are to be decided about together. A slot whose
/// jittered start lies behind `until` is not among them. None where there is no slot.
pub fn decided_until(
    schedule: &Schedule,
    job: &JobRef,
    watermark: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    if watermark >= until {
        return None;
    }
    let last = schedule.recurrence.last_until(until).filter(|last| *last > watermark)?;
    let due = last + jitter(schedule, job, last);
    let end = if due > until { last - SignedDuration::from_millis(1) } else { until };
    (end > watermark).then_some(end)
}

/// The slots after `watermark`, up to and with `until`.
pub fn slots_between(schedule: &Schedule, watermark: Timestamp, until: Timestamp) -> Option<SlotRange> {
    let recurrence = &schedule.recurrence;
    let last = recurrence.last_until(until).filter(|last| *last > watermark)?;
    Some(SlotRange { first: recurrence.next_after(watermark)?, last })
}

/// What of `range` none of the `known` ranges holds; those are given in order, and do not overlap.
pub fn without(
    schedule: &Schedule,
    range: SlotRange,
    known: impl IntoIterator<Item = SlotRange>,
) -> Vec<SlotRange> {
    let mut left = Vec::new();
    let mut from = Some(range.first);
    for known in known {
        let Some(first) = from.filter(|first| *first <= known.last && known.first <= range.last) else {
            continue;
        };
        let before = known.first - SignedDuration::from_millis(1);
        let last = schedule.recurrence.last_until(before).filter(|last| *last >= first);
        left.extend(last.map(|last| SlotRange { first, last }));
        from = schedule.recurrence.next_after(known.last);
    }
    left.extend(from.filter(|first| *first <= range.last).map(|first| SlotRange { first, last: range.last }));
    left
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{DstMode, Recurrence, Zone};

    fn every_minute() -> Schedule {
        let recurrence = Recurrence::new("* * * * *".parse().unwrap(), Zone::UTC, DstMode::Vixie).unwrap();
        Schedule {
            key: recurrence.key().clone(),
            recurrence,
            rules: Arc::default(),
            parameters: Default::default(),
        }
    }

    fn range((first, last): (i64, i64)) -> SlotRange {
        let at = |minute: i64| Timestamp::from_second(60 * minute).unwrap();
        SlotRange { first: at(first), last: at(last) }
    }

    #[test]
    fn what_is_known_is_cut_out_wherever_it_lies() {
        for (known, expected) in [
            (vec![], vec![(10, 20)]),
            (vec![(1, 9), (21, 30)], vec![(10, 20)]),
            (vec![(1, 10)], vec![(11, 20)]),
            (vec![(20, 20)], vec![(10, 19)]),
            (vec![(10, 20)], vec![]),
            (vec![(1, 30)], vec![]),
            (vec![(5, 12), (14, 14), (19, 40)], vec![(13, 13), (15, 18)]),
            (vec![(10, 14), (15, 19)], vec![(20, 20)]),
        ] {
            let found = without(&every_minute(), range((10, 20)), known.clone().into_iter().map(range));
            assert_eq!(found, expected.into_iter().map(range).collect::<Vec<_>>(), "{known:?}");
        }
    }
}
