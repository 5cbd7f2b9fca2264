//! The real binary on the command line, against a scripted service.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod access;
mod arguments;
mod backfill;
#[path = "../crd/mod.rs"]
mod crd;
mod explain;
mod fake;
mod import;
mod listings;
mod logs;
mod offline;
mod papers;
mod plan;
mod push;
mod pushed;
mod queue;
mod refusals;
mod runs;
mod sample;
mod tls;
mod waiting;
