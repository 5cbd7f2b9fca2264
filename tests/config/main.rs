//! The configuration, as its author meets it: what is accepted, and what is said about the rest.

mod harness;
mod precedence;
mod problems;

mod sample;
mod schema;
mod screens;
mod values;
