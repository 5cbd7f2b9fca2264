//! tekcron: a cron-style batch scheduler that accounts for every slot.
//!
//! Data flows one way: [`config`] makes [`app::App`]s with [`job::Job`]s; [`schedule`] says which
//! slots are due; [`task`] claims each slot in the [`store`], submits it to an [`executor`] and
//! follows it to its end; [`push`] makes Apps of source; [`retention`] forgets the oldest; [`watch`] says what
//! should have run and has not, and [`notify`] tells somebody. [`forecast`] says what will run. [`api`] and [`cli`] show them.

pub mod api;
pub mod app;
mod blocking;
mod causes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
mod durable;
pub mod executor;
mod fault;
pub mod forecast;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod heap;
mod hint;
pub mod job;
pub mod maintenance;
pub mod notify;
pub mod push;
mod readiness;
pub mod retention;
pub mod schedule;
pub mod store;
pub mod task;
pub mod telemetry;
pub mod watch;
