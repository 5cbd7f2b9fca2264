//! When: expressions, zones, occurrences, and the policies about what is due. Pure.
//!
//! A [`Schedule`] is an expression in a time zone with policies. Its nominal instants are *slots*;
//! everything here is a function from values to values, and `now` is always an argument.

mod calendar;
mod clock_change;
mod count;
mod days;
mod every;
mod exclusion;
mod explain;
mod expression;
mod fires;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod held;
mod jitter;
mod key;
mod lint;
mod missed;
mod overlap;
mod policy;
mod recurrence;
mod segment;
pub mod wheel;
mod zone;

use std::sync::Arc;

use jiff::SignedDuration;

pub use self::clock_change::{ClockChange, Effect};
pub use self::count::count_slots;
pub use self::exclusion::{ExcludedTimes, Exclusion, ExclusionCalendar, NotExcludable};
pub use self::explain::{Explanation, FieldAt};
pub use self::expression::{Expression, ExpressionError, OtherReading};
pub use self::held::{decided_until, slots_between, without};
pub use self::jitter::jitter;
pub use self::key::{KeyError, ScheduleKey};
pub use self::lint::{EitherDay, ShortMonths, UnevenStep};
pub use self::missed::{Missed, SlotRange, missed};
pub use self::overlap::{Blocker, Limit, Limits, OverlapDecision, Runs, blocker, decide_overlap};
pub use self::policy::{CatchUp, DstMode, Overlap, UnknownWord};
pub use self::recurrence::{Bounds, BoundsError, Recurrence, RecurrenceError, Recurrences};
pub use self::zone::{Zone, ZoneError, tzdb_version};

use crate::job::Parameters;

/// One schedule of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its identity: never its position.
    pub key: ScheduleKey,
    /// When it is due.
    pub recurrence: Recurrence,
    /// What is done about its slots. Schedules that say the same share it.
    pub rules: Arc<Rules>,
    /// What its runs have otherwise than those of other schedules of the job.
    pub parameters: Option<Arc<Parameters>>,
}

/// What is done about the slots of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// How late a slot may still start; no bound where unset.
    pub start_deadline: Option<SignedDuration>,
    /// What is done about slots that were due while nobody watched.
    pub catch_up: CatchUp,
    /// Slots older than this are not caught up.
    pub catch_up_window: Option<SignedDuration>,
    /// The most slots caught up at once.
    pub max_catch_up: u32,
    /// Starts are spread over this long after the slot, repeatably.
    pub jitter: SignedDuration,
    /// The calendars in which it does not run.
    pub exclude: Exclusion,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            start_deadline: None,
            catch_up: CatchUp::default(),
            catch_up_window: None,
            max_catch_up: 100,
            jitter: SignedDuration::ZERO,
            exclude: Exclusion::default(),
        }
    }
}
