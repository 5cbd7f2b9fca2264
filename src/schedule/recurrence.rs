//! From civil time to instants: the slots of an expression in a zone.
//!
//! Guaranteed: [`Recurrence::next_after`] is strictly later than what it was asked from, and
//! [`Recurrence::last_until`] steps through the very same slots backwards.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::civil::CivilSecond;
use super::{DstMode, Expression, Zone};

/// An expression in a time zone, with its rule for daylight-saving transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    expression: Expression,
    timezone: Zone,
    dst: DstMode,
}

/// The expression can never match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a schedule that fires some day, found `{expression}`, which never does\nhint: no month has such a day"
)]
pub struct RecurrenceError {
    expression: String,
}

impl Recurrence {
    /// # Errors
    /// [`RecurrenceError`] where no instant before the year 2101 matches.
    pub fn new(expression: Expression, timezone: Zone, dst: DstMode) -> Result<Self, RecurrenceError> {
        let recurrence = Self { expression, timezone, dst };
        match recurrence.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(recurrence),
            None => Err(RecurrenceError { expression: recurrence.expression.to_string() }),
        }
    }

    /// The expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The zone whose wall clock the expression reads.
    pub fn timezone(&self) -> &Zone {
        &self.timezone
    }

    /// What happens at daylight-saving transitions.
    pub fn dst(&self) -> DstMode {
        self.dst
    }

    /// The first slot after `after`, exclusive. None after the year 2100.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.max(Timestamp::UNIX_EPOCH);
        match self.reading() {
            Reading::EachOnce { in_gap } => self.next_once(after, in_gap),
            Reading::WallClock => self.next_on_wall_clock(after),
        }
    }

    /// The last slot at or before `until`. None before the year 1970.
    pub fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        let last = match self.reading() {
            Reading::EachOnce { in_gap } => self.last_once(until, in_gap),
            Reading::WallClock => self.last_on_wall_clock(until),
        };
        last.filter(|slot| *slot > Timestamp::UNIX_EPOCH)
    }

    fn reading(&self) -> Reading {
        match self.dst {
            DstMode::Vixie if self.expression.is_fixed_time() => {
                Reading::EachOnce { in_gap: InGap::AfterJump }
            }
            DstMode::Skip => Reading::EachOnce { in_gap: InGap::Never },
            DstMode::Vixie | DstMode::Literal => Reading::WallClock,
        }
    }

    fn next_once(&self, after: Timestamp, in_gap: InGap) -> Option<Timestamp> {
        let zone = self.timezone.timezone();
        let mut civil = civil_at(after, zone.to_offset(after));
        loop {
            civil = self.expression.civil().next_after(civil)?;
            match instant_of(zone, civil, in_gap)? {
                At::Instant(slot) if slot > after => return Some(slot),
                // The second pass of a repeated hour: the rest of it has been.
                At::Instant(_) => civil = civil.max(end_of_fold(zone, civil)? - 1),
                At::Never => {}
            }
        }
    }

    fn last_once(&self, until: Timestamp, in_gap: InGap) -> Option<Timestamp> {
        let zone = self.timezone.timezone();
        // In the second pass of a repeated hour all of it has been.
        let now = civil_at(until, zone.to_offset(until));
        let mut civil = end_of_fold(zone, now)?.max(now + 1);
        loop {
            civil = self.expression.civil().last_before(civil)?;
            match instant_of(zone, civil, in_gap)? {
                At::Instant(slot) if slot <= until => return Some(slot),
                At::Instant(_) | At::Never => {}
            }
        }
    }

    /// Walks through the stretches of constant offset, one after another.
    fn next_on_wall_clock(&self, after: Timestamp) -> Option<Timestamp> {
        let zone = self.timezone.timezone();
        let mut civil_after = civil_at(after, zone.to_offset(after));
        let mut within = after;
        loop {
            let offset = zone.to_offset(within);
            let end = zone.following(within).next().map(|transition| transition.timestamp());
            let civil = self.expression.civil().next_after(civil_after);
            let slot = civil.and_then(|civil| instant_at(civil, offset));
            match (slot, end) {
                (Some(slot), Some(end)) if slot >= end => within = end,
                (Some(slot), _) => return Some(slot),
                // The clock may be set back at the end of the calendar, but not out of it.
                (None, _) => return None,
            }
            civil_after = civil_at(within, zone.to_offset(within)) - 1;
        }
    }

    fn last_on_wall_clock(&self, until: Timestamp) -> Option<Timestamp> {
        let zone = self.timezone.timezone();
        let mut within = until;
        let mut civil_before = civil_at(until, zone.to_offset(until)) + 1;
        loop {
            let offset = zone.to_offset(within);
            let just_after = within.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?;
            let begin = zone.preceding(just_after).next().map(|transition| transition.timestamp());
            let slot = instant_at(self.expression.civil().last_before(civil_before)?, offset)?;
            match begin {
                Some(begin) if slot < begin => {
                    within = begin.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
                    civil_before = civil_at(within, zone.to_offset(within)) + 1;
                }
                _ => return Some(slot),
            }
        }
    }
}

/// How wall-clock times become instants.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// Each wall-clock time once, whatever the clock does.
    EachOnce { in_gap: InGap },
    /// Whenever the wall clock shows it.
    WallClock,
}

/// What becomes of a time that the clock jumps over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InGap {
    AfterJump,
    Never,
}

enum At {
    Instant(Timestamp),
    Never,
}

/// The instant of a wall-clock time: in a repeated hour its first pass.
fn instant_of(zone: &TimeZone, civil: CivilSecond, in_gap: InGap) -> Option<At> {
    let instant = match zone.to_ambiguous_timestamp(datetime(civil)?).offset() {
        AmbiguousOffset::Unambiguous { offset } => instant_at(civil, offset)?,
        AmbiguousOffset::Fold { before, .. } => instant_at(civil, before)?,
        AmbiguousOffset::Gap { .. } if in_gap == InGap::Never => return Some(At::Never),
        AmbiguousOffset::Gap { after, .. } => {
            let before_jump = instant_at(civil, after)?;
            zone.following(before_jump).next()?.timestamp()
        }
    };
    Some(At::Instant(instant))
}

/// The first wall-clock second after the repeated stretch that `civil` lies in; 0 where it lies in none.
fn end_of_fold(zone: &TimeZone, civil: CivilSecond) -> Option<CivilSecond> {
    match zone.to_ambiguous_timestamp(datetime(civil)?).offset() {
        AmbiguousOffset::Fold { before, .. } => {
            let turn = zone.following(instant_at(civil, before)?).next()?.timestamp();
            Some(civil_at(turn, before))
        }
        _ => Some(0),
    }
}

/// The wall-clock second at `instant`.
fn civil_at(instant: Timestamp, offset: Offset) -> CivilSecond {
    instant.as_second() + i64::from(offset.seconds())
}

fn instant_at(civil: CivilSecond, offset: Offset) -> Option<Timestamp> {
    Timestamp::from_second(civil - i64::from(offset.seconds())).ok()
}

fn datetime(civil: CivilSecond) -> Option<jiff::civil::DateTime> {
    Some(Offset::UTC.to_datetime(Timestamp::from_second(civil).ok()?))
}
