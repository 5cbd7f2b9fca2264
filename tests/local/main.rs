//! The embedded executor, with real processes and the real shim.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod command;
mod delegated;
mod end;
mod log;
mod place;
mod restart;
mod submit;
mod world;
