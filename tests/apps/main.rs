//! The Apps that are shipped do what they say: each one is run for real, and what it leaves is looked at.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod backup;
#[path = "../crd/mod.rs"]
mod crd;
mod daylight;
mod db_migrate;
mod etl;
mod http;
mod mail;
mod papers;
mod sandbox;
mod shells;
mod shipped;
mod smtp;
mod transfer;
