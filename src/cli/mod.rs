//! The command line: one verb, one file.
//!
//! [`main`] parses, runs the verb, and says once what went wrong. What a verb found goes to stdout, what
//! it has to say to stderr, and [`exit_code`] names every way to end. Most verbs speak HTTP to a running
//! service, which `connection` finds; those that need none read the configuration themselves.

mod age;
mod agreed;
mod app;
mod apps;
mod args;
mod backfill;
mod bind_service;
pub mod check;
mod cluster;
mod completions;
mod connection;
mod create_job;
mod create_service;
mod credentials;
mod delete;
mod delete_job;
mod delete_service;
mod detail;
mod entry;
mod env;
mod error;
pub mod exit_code;
mod explain;
mod export;
mod import;
mod job;
mod job_history;
mod job_schedules;
mod jobs;
mod logs;
mod man;
pub mod moment;
pub mod next;
mod offline;
mod openapi;
mod output;
pub mod plan;
mod progress;
mod push;
mod queue;
mod reference;
mod reload;
pub mod render;
mod rerun;
mod revision;
mod run_job;
mod run_options;
mod run_task;
mod schedule_job;
pub mod schema;
mod serve;
mod services;
mod session;
mod slots;
mod status;
mod steer;
mod store;
mod table;
mod task;
mod tasks;
mod terminate_task;
mod token;
mod update_service;
mod wait;

pub use self::entry::main;
