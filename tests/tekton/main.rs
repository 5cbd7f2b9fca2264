//! Tasks as PipelineRuns, against a scripted API server: whatever it answers, and whenever it does not, no task
//! is lost, none runs twice, and what is wrong is said.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod cluster;
mod creates;
mod ends;
mod outage;
mod runs;
mod watches;
mod world;
