//! The client of the HTTP API: one method a route, as the command line uses it.
//!
//! A [`Client`] speaks to one service. It follows no redirect, so that its token reaches nobody else, and
//! uses no proxy for a service on this machine. Every method either gives what the route promises or a
//! [`ClientError`] in words for people; a service that cannot be reached, a connection that broke and a
//! refusal by the service are told apart. Only a request for a run is ever sent twice, under one key.

mod asked;
mod error;
mod push;
mod pushed;
mod routes;
mod transport;

pub use self::asked::{Listing, Reload, SlotQuery, TaskRef, TasksOf};
pub use self::error::ClientError;

pub use self::transport::{Client, is_this_machine};
