//! The configuration, as its author meets it: what is accepted, and what is said about the rest.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod calendars;
mod cluster;
mod docs;
mod harness;
mod hostile;
mod lint;
mod outside;
mod precedence;
mod problems;

mod sample;
mod schema;
mod screens;
mod stored;
mod values;
