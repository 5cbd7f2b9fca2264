//! Tasks as PipelineRuns, against a scripted API server: whatever it answers, and whenever it does not, no task
//! is lost, none runs twice, and what is wrong is said.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

#[expect(dead_code, reason = "not every test needs all of it")]
#[path = "../daemon/harness.rs"]
mod harness;

mod builds;
mod cluster;
mod creates;
mod daemon;
mod ends;
mod outage;
mod runs;
mod watches;
mod world;
