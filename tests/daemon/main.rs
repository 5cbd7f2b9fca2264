//! The real binary as its users meet it: a daemon, and the command line beside it.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod apps;
mod cluster;
mod harness;
mod jobs;
mod kill;
mod life;
mod pipe;
mod push;
mod pushed;
mod retention;
mod secrets;
#[path = "../apps/smtp.rs"]
mod smtp;
mod steer;
mod tasks;
mod watch;
mod wire;
