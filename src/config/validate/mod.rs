//! From trees to checked values, one file an idea. Nothing here stops at the first problem.

mod app;
mod build;
mod calendar;
mod env;
mod group;
mod job;
mod lint;
mod notify;
mod outside;
mod place;
mod pod;
mod schedule;
mod security_group;
mod service;
mod settings;
mod watch;

pub(super) use self::app::app;
pub(super) use self::job::jobs;
pub(super) use self::lint::{Lints, crowd};
pub(super) use self::notify::ReceiverNames;
pub(super) use self::outside::warn_of_credentials;
pub(super) use self::place::Surroundings;
pub(super) use self::service::{hide_secrets, services};
pub(super) use self::settings::{FromFile, settings};
