//! The slots of a schedule that run, and those that a calendar excludes.

use jiff::{SignedDuration, Timestamp};

use super::{ExclusionCalendar, Schedule, SlotRange};

/// How many stretches of excluded time are passed over in search of a slot that runs. Excluded days in a row
/// are fewer in all the years that have slots; only slots that are excluded one by one can be more.
const STRETCHES: usize = 100_000;

const NANOSECOND: SignedDuration = SignedDuration::from_nanos(1);

impl Schedule {
    /// The first slot after `after`, exclusive, that no calendar excludes.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut slot = self.recurrence.next_after(after)?;
        for _ in 0..STRETCHES {
            let Some((_, end)) = self.excluded_around(slot) else { return Some(slot) };
            slot = self.recurrence.next_after(end.checked_sub(NANOSECOND).ok()?)?;
        }
        None
    }

    /// The last slot at or before `until` that no calendar excludes.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        let mut slot = self.recurrence.last_until(until)?;
        for _ in 0..STRETCHES {
            let Some((first, _)) = self.excluded_around(slot) else { return Some(slot) };
            slot = self.recurrence.last_until(first.checked_sub(NANOSECOND).ok()?)?;
        }
        None
    }

    /// The calendar that excludes a slot.
    pub fn excluded_by(&self, slot: Timestamp) -> Option<&ExclusionCalendar> {
        if self.rules.exclude.is_empty() {
            return None;
        }
        self.rules.exclude.excluded_by(&self.recurrence, slot.as_second())
    }

    /// The slots from `slot` on, up to and with `until`, that one calendar excludes with none between them that it does
    /// not, and that calendar; none where `slot` itself runs.
    pub fn excluded_from(
        &self,
        slot: Timestamp,
        until: Timestamp,
    ) -> Option<(&ExclusionCalendar, SlotRange)> {
        let calendar = self.excluded_by(slot).filter(|_| slot <= until)?;
        let mut range = SlotRange { first: slot, last: slot };
        let mut next = Some(slot);
        while let Some(slot) = next.filter(|slot| *slot <= until) {
            let stretch = calendar.stretch(&self.recurrence, slot.as_second());
            if !stretch.excluded {
                break;
            }
            let end = Timestamp::from_second(stretch.end).unwrap_or(Timestamp::MAX);
            let within = end.checked_sub(NANOSECOND).unwrap_or(until).min(until);
            range.last = self.recurrence.last_until(within).unwrap_or(slot);
            next = self.recurrence.next_after(range.last);
        }
        Some((calendar, range))
    }

    /// The slots from `slot` on, which runs, up to and with `until`, with none between them that is excluded.
    pub(crate) fn included_from(&self, slot: Timestamp, until: Timestamp) -> SlotRange {
        let (first, mut slot) = (slot, slot);
        loop {
            let stretch = self.rules.exclude.around(&self.recurrence, slot.as_second());
            let within =
                Timestamp::from_second(stretch.end).map_or(until, |end| (end - NANOSECOND).min(until));
            let last = self.recurrence.last_until(within).unwrap_or(slot).max(slot);
            match self.recurrence.next_after(last) {
                Some(next) if next <= until && self.excluded_around(next).is_none() => slot = next,
                _ => return SlotRange { first, last },
            }
        }
    }

    /// A stretch of excluded time around a slot, from its first instant to before its end.
    fn excluded_around(&self, slot: Timestamp) -> Option<(Timestamp, Timestamp)> {
        if self.rules.exclude.is_empty() {
            return None;
        }
        let stretch = self.rules.exclude.around(&self.recurrence, slot.as_second());
        let instant = |second: i64, beyond| Timestamp::from_second(second).unwrap_or(beyond);
        let (first, end) = (instant(stretch.first, Timestamp::MIN), instant(stretch.end, Timestamp::MAX));
        stretch.excluded.then_some((first, end))
    }
}
