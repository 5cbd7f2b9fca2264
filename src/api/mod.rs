//! The HTTP API: what people and programs see and ask for.
pub mod client;
pub mod resources;
mod stub;
pub use self::stub::*;
