//! Sources: trees of files, each a tar that is named after its content.
//!
//! [`Sources`] are those on this machine: `sources/<hash>.tar`, or `.part` while one arrives. Guaranteed: what bears
//! the name of a source has its hash, and each entry of it lies within the tree and is a directory, a file or a link
//! that leads nowhere else; it was on disk before it got its name. What was refused leaves nothing behind; what was cut
//! off goes on where it stopped. Neither takes more memory where the source is larger.

mod archive;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hash;
mod keep;
mod names;
mod share;
#[cfg(test)]
mod tests;
mod tree;
mod unpack;

pub use self::archive::{MOST_ENTRIES, Refusal, TarError};
pub use self::hash::{HashError, SourceHash};
pub use self::keep::{Receiving, SourceError, Sources, Standing};
pub(super) use self::names::Names;
pub(super) use self::share::share_tree;
pub(super) use self::unpack::remove as remove_tree;
pub use self::unpack::{UnpackError, unpack};
