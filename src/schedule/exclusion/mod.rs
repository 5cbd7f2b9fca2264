//! Exclusion calendars: times at which a schedule does not run.
//!
//! An [`ExclusionCalendar`] holds stretches on the wall clock of whichever schedule names it (dates, events
//! without a zone), stretches of instants (events with one), and cron expressions, each of which excludes the
//! minutes that it matches. It is asked about an instant, and answers with the stretch around it in which the
//! answer is the same: neighbours are passed over at once, not slot by slot.

mod intervals;

use std::fmt;
use std::sync::Arc;

use self::intervals::Intervals;
use super::calendar::{Calendar, MINUTE};
use super::days::KnownDays;
use super::expression::Fields;
use super::segment::Segment;
use super::{Expression, Recurrence};

/// A calendar of times at which schedules that name it do not run.
#[derive(Debug, PartialEq, Eq)]
pub struct ExclusionCalendar {
    name: Box<str>,
    on_the_clock: Intervals,
    instants: Intervals,
    crons: Vec<Calendar>,
}

/// What a calendar is made of. Seconds are those since the epoch, or of the wall clock as if every day had 24
/// hours.
#[derive(Debug, Clone, Default)]
pub struct ExcludedTimes {
    /// From the first second to before the second one, on the wall clock.
    pub on_the_clock: Vec<(i64, i64)>,
    /// From the first second to before the second one.
    pub instants: Vec<(i64, i64)>,
    /// Each excludes the minutes that it matches.
    pub crons: Vec<Expression>,
}

/// The calendars that a schedule names. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusion(Arc<[Arc<ExclusionCalendar>]>);

/// Seconds from `first` to before `end` that are excluded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) excluded: bool,
    pub(super) first: i64,
    pub(super) end: i64,
}

/// A cron expression that no calendar can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected five fields that mean the same for each job, found `{0}`\nhint: as in `* * * * SAT,SUN`")]
pub struct NotExcludable(Box<str>);

impl ExclusionCalendar {
    /// A calendar of that name.
    ///
    /// # Errors
    /// Where an expression has no fields, a field for the second, or an `H`.
    pub fn new(name: &str, times: ExcludedTimes) -> Result<Self, NotExcludable> {
        let mut days = KnownDays::default();
        let crons = times.crons.iter().map(|cron| {
            let fields = minutes(cron).ok_or_else(|| NotExcludable(cron.as_str().into()))?;
            Ok(Calendar::new(&fields, &mut days))
        });
        Ok(Self {
            name: name.into(),
            crons: crons.collect::<Result<_, _>>()?,
            on_the_clock: Intervals::new(times.on_the_clock),
            instants: Intervals::new(times.instants),
        })
    }

    /// The name by which schedules call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The stretch around a second since the epoch.
    pub(super) fn stretch(&self, recurrence: &Recurrence, instant: i64) -> Stretch {
        let segment = recurrence.segment(instant);
        self.around(&segment, instant).within(&segment)
    }

    /// The stretch around an instant, within a segment of the zone's clock.
    fn around(&self, segment: &Segment, instant: i64) -> Stretch {
        let wall = instant + segment.offset;
        let by_instant = self.instants.around(instant);
        let on_the_clock = std::iter::once(self.on_the_clock.around(wall))
            .chain(self.crons.iter().map(|cron| matched(cron, wall)))
            .map(|(excluded, first, end)| {
                (excluded, first.saturating_sub(segment.offset), end.saturating_sub(segment.offset))
            });
        let parts = std::iter::once(by_instant).chain(on_the_clock);
        combined(parts.map(|(excluded, first, end)| Stretch { excluded, first, end }))
    }
}

/// The fields of an expression of whole minutes, matching each of their seconds.
fn minutes(cron: &Expression) -> Option<Fields> {
    let five = cron.as_str().split_whitespace().count() == 5;
    let fields = cron.fields().filter(|_| five && !cron.depends_on_job())?;
    Some(Fields { seconds: (0..MINUTE as u8).collect(), ..fields.clone() })
}

/// Whether an expression matches a wall second, and a stretch around it in which that is the same.
fn matched(cron: &Calendar, wall: i64) -> (bool, i64, i64) {
    if let Some((first, end)) = cron.matching_around(wall) {
        return (true, first, end);
    }
    let first = cron.last_until(wall).map_or(i64::MIN, |last| last + 1);
    (false, first, cron.next_after(wall).unwrap_or(i64::MAX))
}

/// Excluded is what any excludes, for as long as one does; else it lasts until the first does.
fn combined(stretches: impl Iterator<Item = Stretch>) -> Stretch {
    let all = Stretch { excluded: false, first: i64::MIN, end: i64::MAX };
    stretches.fold(all, |so_far, other| match (so_far.excluded, other.excluded) {
        (true, false) => so_far,
        (false, true) => other,
        (true, true) if so_far.end >= other.end => so_far,
        (true, true) => other,
        (false, false) => {
            Stretch { first: so_far.first.max(other.first), end: so_far.end.min(other.end), ..so_far }
        }
    })
}

impl Stretch {
    /// Beyond a change of the clocks the same wall seconds are other instants.
    fn within(self, segment: &Segment) -> Self {
        Self { first: self.first.max(segment.start), end: self.end.min(segment.end), ..self }
    }
}

impl Exclusion {
    /// These calendars together.
    pub fn new(calendars: impl IntoIterator<Item = Arc<ExclusionCalendar>>) -> Self {
        Self(calendars.into_iter().collect())
    }

    /// Whether it excludes nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The calendars' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|calendar| calendar.name())
    }

    /// The first calendar that excludes a second since the epoch.
    pub(super) fn excluded_by(&self, recurrence: &Recurrence, instant: i64) -> Option<&ExclusionCalendar> {
        let segment = recurrence.segment(instant);
        self.0.iter().find(|calendar| calendar.around(&segment, instant).excluded).map(|found| &**found)
    }

    /// The stretch around a second since the epoch.
    pub(super) fn around(&self, recurrence: &Recurrence, instant: i64) -> Stretch {
        let segment = recurrence.segment(instant);
        combined(self.0.iter().map(|calendar| calendar.around(&segment, instant))).within(&segment)
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.names().collect::<Vec<_>>().join(", "))
    }
}
