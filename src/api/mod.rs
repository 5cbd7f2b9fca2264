//! The HTTP API: what people and programs see and ask for.
mod stub;
pub mod resources;
pub use self::stub::*;
