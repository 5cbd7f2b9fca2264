//! The HTTP API: what people and programs see and ask for.
//!
//! [`Server`] listens; `router` holds every route in one list. Guaranteed: without a valid [`Token`]
//! nothing but `/livez`, a bare `/readyz` and a bare `/healthz/schedules` is answered, unknown paths included; a browser's page from
//! elsewhere is refused; every answer that is an error is one [`resources::ErrorEnvelope`]. Reads come
//! from the store, wishes go to the dispatcher: nothing is decided here. [`Probes`] answers those three, bare,
//! at another address, whatever host is asked for.

mod admin;
mod apps;
mod auth;
mod backfill;
mod body;
mod bounds;
pub mod client;
mod connections;
mod error;
mod extract;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod health;
mod jobs;
mod ledger;
mod listing;
mod logs;
mod lookup;
mod metrics;
mod observe;
mod openapi;
mod page;
mod pushed;
mod queue;
pub mod resources;
mod revisions;
mod router;
mod run;
mod server;
mod service;
mod services;
mod slots;
mod sources;
mod status;
mod steer;
mod stored;
mod stream;
mod tasks;
mod terminate;
pub(crate) mod tls;
mod token;
mod wait;
mod wording;

pub use self::error::ApiError;
pub use self::openapi::openapi;
pub use self::router::{Access, probes, router, routes};
pub use self::server::{Probes, Server, Tls, check_listen, publish_address, withdraw_address};
pub use self::service::Service;
pub use self::token::Token;
