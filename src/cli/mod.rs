//! The command line: one verb, one file.

pub mod next;
pub mod render;
