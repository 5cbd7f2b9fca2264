//! Cron expressions as people write them, and what is wrong with those that are none.
//!
//! An [`Expression`] is the author's text and the [`Fields`] read from it: five fields as in Unix
//! cron, six with the seconds first, or a shorthand such as `@daily`. Lists, ranges (that may wrap
//! around: `FRI-MON`), steps, names and `H` stand in any field; weekdays count from Sunday, 0 or 7.
//! `@every` and `@at` name instants without any fields.
//!
//! The day fields follow Debian's cron: where either starts with `*` or is `?`, or the weekday
//! starts with `+`, a day must match both; else it may match either.
//!
//! What other crons know and this one does not is refused by name (see `refused.rs`), never read
//! as something else. Time zones and the search for matching times are not here.

mod advice;
mod by_month;
mod day_set;
mod elsewhere;
mod error;
mod field;
mod fields;
mod hash;
mod instants;
mod piece;
mod read;
mod refused;
mod shorthand;
mod text;
mod values;
mod written;

pub(super) use self::day_set::{DaySet, nth};
pub use self::elsewhere::OtherReading;
pub use self::error::ExpressionError;
pub(super) use self::field::{Field, WEEKDAYS};
pub(super) use self::fields::{Dates, DayRule, Fields};
pub use self::text::Expression;
pub(super) use self::text::When;
pub(super) use self::values::Values;
