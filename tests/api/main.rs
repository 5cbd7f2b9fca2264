//! The HTTP API: its router driven in process on a real store and dispatcher, with an executor that does
//! as it is told; and the server itself on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails")]

mod access;
mod bad_input;
mod executor;
mod health;
mod hostile;
mod limits;
mod logs;
mod names;
mod openapi;
mod pages;
mod papers;
mod pushed;
mod queue;
mod reload;
mod runs;
mod sample;
mod server;
mod slots;
mod sources;
mod steer;
mod world;
