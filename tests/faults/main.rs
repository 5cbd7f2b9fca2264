//! The real binary, hurt in every way that a machine can think of: it may stop, and it may refuse to
//! start, but what it acknowledged is there, and every slot has one row and at most one run.
//!
//! `cargo test --features fault-points --test faults` has it killed at named places too;
//! `-- --ignored --nocapture` takes the long way, a thousand kills, with their summary.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "summaries, and what was skipped")]

#[expect(dead_code, reason = "not every test needs all of it")]
#[path = "../daemon/harness.rs"]
mod harness;

#[cfg(feature = "fault-points")]
#[expect(dead_code, reason = "here Apps are killed in the middle of leaving")]
#[path = "../daemon/pushed.rs"]
mod pushed;

mod account;
#[cfg(feature = "fault-points")]
mod apps;
mod clock;
mod damage;
mod io;
mod kills;
mod overload;
#[cfg(feature = "fault-points")]
mod points;
mod power;
#[cfg(feature = "fault-points")]
mod pushes;
mod scarce;
mod store;
mod unruly;
#[path = "../daemon/wire.rs"]
mod wire;
mod world;
