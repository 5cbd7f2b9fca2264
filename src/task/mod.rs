//! Tasks: one execution each, from claim to end.
//!
//! A [`Task`] is the record of one execution; its [`Phase`] moves by one transition table; its
//! [`TaskName`] is a function of the slot, so that creating it twice is the same task.

mod backfill;
mod dispatch;
mod name;
mod phase;
mod record;

pub use self::backfill::{Backfill, BackfillError, OldSlot, Select, old_slots, slot_of};
pub use self::dispatch::{
    BackfillRequest, Backfilled, DispatchHandle, Dispatcher, Ended, Parts, QueueEntry, QueueError,
    QueuePlace, QueueQuery, RunError, RunRequest, Steer, SteerError, Steered, TerminateError, Terminated,
};
pub use self::name::{DisplayNameError, RunIdentity, TaskName, base32_hash, check_display_name};
pub use self::phase::Phase;
pub use self::record::{LogSize, Outcome, Overrides, Task, TaskId, Trigger};
