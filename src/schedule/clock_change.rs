use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::calendar::Calendar;
use super::segment::Segment;
use super::{DstMode, Recurrence};

/// How far ahead a change of the clocks is worth a warning: every zone that changes them at all does so
/// within a year.
pub(super) const HORIZON: SignedDuration = SignedDuration::from_hours(400 * 24);

/// A change of the clocks that jumps over, or repeats, a time of day that a schedule names. Displayed
/// as a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChange {
    /// When the clocks change.
    pub at: Timestamp,
    /// The first time on the wall clock that the schedule names and the change concerns.
    pub shown: DateTime,
    /// What the change does to it.
    pub effect: Effect,
    dst: DstMode,
}

/// What a change of the clocks does to a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The clocks never show it.
    Skipped,
    /// The clocks show it twice.
    Repeated,
}

impl Recurrence {
    /// The next change of the clocks after `after` that this schedule meets, within about a year.
    /// None for a schedule that follows the hands of the clock, such as `*/5 * * * *`, or asks none.
    pub fn next_clock_change(&self, after: Timestamp) -> Option<ClockChange> {
        let times = self.fixed_times()?;
        let changes = self.timezone().rules().following(after).map(|change| change.timestamp());
        changes
            .take_while(|change| change.duration_since(after) <= HORIZON)
            .find_map(|at| self.meets(times, at))
    }

    fn meets(&self, times: &Calendar, at: Timestamp) -> Option<ClockChange> {
        let segment = Segment::around(self.timezone(), at.as_second());
        let (first, end, effect) = match segment.high_water < segment.first_shown() {
            true => (segment.high_water, segment.first_shown(), Effect::Skipped),
            false => (segment.first_shown(), segment.high_water, Effect::Repeated),
        };
        let wall = times.next_after(first - 1).filter(|found| *found < end)?;
        let shown = jiff::tz::Offset::UTC.to_datetime(Timestamp::from_second(wall).ok()?);
        Some(ClockChange { at, shown, effect, dst: self.dst() })
    }
}

impl fmt::Display for ClockChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.shown.date(), self.shown.strftime("%H:%M"));
        let outcome = match (self.effect, self.dst) {
            (Effect::Skipped, DstMode::Vixie) => "the clocks jump over it, and it runs right after",
            (Effect::Skipped, _) => "the clocks jump over it, and it does not run",
            (Effect::Repeated, DstMode::Literal) => "the clocks show it twice, and it runs both times",
            (Effect::Repeated, _) => "the clocks show it twice, and it runs the first time",
        };
        write!(f, "on {date} at {time} {outcome}")
    }
}
