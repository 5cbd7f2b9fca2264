//! The HTTP API: its router driven in process on a real store and dispatcher, with an executor that does
//! as it is told; and the server itself on loopback.

mod access;
mod bad_input;
mod executor;
mod health;
mod logs;
mod names;
mod pages;
mod papers;
mod runs;
mod sample;
mod server;
mod slots;
mod world;
