//! The real binary as its users meet it: a daemon, and the command line beside it.

mod harness;
mod kill;
mod life;
mod retention;
mod secrets;
mod tasks;
