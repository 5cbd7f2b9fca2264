//! The embedded executor, with real processes and the real shim.

mod command;
mod end;
mod log;
mod place;
mod restart;
mod submit;
mod world;
