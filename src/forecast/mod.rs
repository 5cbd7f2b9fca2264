//! What a configuration will start: the fires of all its schedules, before any of them is due. Pure.
//!
//! A [`Timetable`] holds every schedule of a configuration. [`Timetable::fires`] merges them in order of
//! their slots and holds one slot of each at a time, so that a long range takes no more memory than a short
//! one. [`Load`] gathers what starts in each minute and says which jobs meet there. A fire is what a
//! schedule asks for: whether it starts is up to overlap, limits and whoever pauses the job.

mod difference;
mod fires;
mod load;

pub use self::difference::{Change, Difference, Instants, differences};
pub use self::fires::{Entry, Fire, Fires, Span, Timetable};
pub use self::load::{Load, Minute, Summary, Together};
