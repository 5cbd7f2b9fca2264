//! Retention: what is kept of finished tasks, planned purely and swept separately.
//!
//! [`plan`] says which tasks of one App go, [`plan_logs`] which logs of all finished tasks; a [`Sweep`]
//! carries that out through an executor and [`Records`]. Guaranteed: a task that has not ended is never
//! removed; the record goes last, so that whatever fails is found and tried again by the next sweep. When
//! to sweep is decided elsewhere. The slot ledger is kept by its age alone: [`plan_slots`] says which of its rows go, and
//! the dispatcher, which writes them, removes them.

mod policy;
mod slots;
mod sweep;

pub use self::policy::{LoggedTask, Plan, TaskSummary, is_due, plan, plan_logs};
pub use self::slots::{ForgottenSlots, plan_slots};
pub use self::sweep::{Failure, Records, RecordsError, Sweep, SweepReport};

#[cfg(test)]
mod tests;
