//! Stretches of time in which the clocks of a zone run evenly.

use jiff::Timestamp;

use super::Zone;

/// A change of the clocks that lies further back than this cannot have shown a time that they show
/// again: no two offsets are further apart.
const FURTHEST: i64 = 26 * 3600;

/// A stretch between two changes of the clocks. Instants are seconds since the epoch; wall seconds
/// are as in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its first instant.
    pub(super) start: i64,
    /// The first instant that is no longer in it.
    pub(super) end: i64,
    /// What the wall clock shows beyond the instant.
    pub(super) offset: i64,
    /// Every wall second before this had been shown, or jumped over, when the segment began. What lies
    /// between this and the wall clock's first reading was jumped over by the change at the start, or,
    /// the other way round, is shown again.
    pub(super) high_water: i64,
}

impl Segment {
    /// The segment that holds an instant.
    pub(super) fn around(zone: &Zone, instant: i64) -> Self {
        let rules = zone.rules();
        let offset = offset_at(zone, instant);
        let end =
            rules.following(timestamp(instant)).next().map_or(i64::MAX, |change| seconds(change.timestamp()));
        // The earlier changes come strictly before what is asked for.
        let mut changes =
            rules.preceding(timestamp(instant + 1)).map(|change| seconds(change.timestamp())).peekable();
        let start = changes.peek().copied().unwrap_or(i64::MIN);
        let high_water = changes
            .take_while(|change| start - change <= FURTHEST)
            .map(|change| change + offset_at(zone, change - 1))
            .max();
        Self { start, end, offset, high_water: high_water.unwrap_or(i64::MIN) }
    }

    /// What the wall clock shows when it begins.
    pub(super) fn first_shown(&self) -> i64 {
        self.start.saturating_add(self.offset)
    }
}

fn offset_at(zone: &Zone, instant: i64) -> i64 {
    zone.rules().to_offset(timestamp(instant)).seconds().into()
}

fn timestamp(instant: i64) -> Timestamp {
    Timestamp::from_second(instant).expect("years 1969 to 2101 are within every bound")
}

fn seconds(timestamp: Timestamp) -> i64 {
    timestamp.as_second()
}
