//! Stretches of time in which the clocks of a zone run evenly.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Zone;
use super::calendar::{DAY, LAST};

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

/// The segments of a zone in the years that have slots, one after the other. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Segments(Arc<[Segment]>);

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Segments").field(&self.0.len()).finish()
    }
}

/// Those of the zones that were asked for, by name, with the rules that they follow.
static KNOWN: LazyLock<RwLock<HashMap<String, (TimeZone, Segments)>>> = LazyLock::new(RwLock::default);

impl Segments {
    pub(super) fn of(zone: &Zone) -> Self {
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, segments)) = known.get(zone.name()).filter(|(rules, _)| rules == zone.rules()) {
            return segments.clone();
        }
        drop(known);
        let made = Self::walked(zone);
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(zone.name().to_owned(), (zone.rules().clone(), made.clone()));
        made
    }

    fn walked(zone: &Zone) -> Self {
        let first = Segment::around(zone, -2 * DAY);
        let later =
            |segment: &Segment| (segment.end <= LAST + 2 * DAY).then(|| Segment::around(zone, segment.end));
        Self(std::iter::successors(Some(first), later).collect())
    }

    /// The segment that holds an instant of the years that have slots.
    pub(super) fn around(&self, instant: i64) -> Segment {
        let place = self.0.partition_point(|segment| segment.end <= instant);
        self.0[place.min(self.0.len() - 1)]
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
