//! `push`: from source to an App that tasks run on.
//!
//! A pushed App's code is a sequence of [`Revision`]s. Each says where its code comes from, the start command that
//! was pushed with it, and how far it is; the App names its current one. Numbers are never reused. [`source`] receives
//! what is pushed, checks it, keeps it and unpacks it; [`Pushes`] makes revisions, and [`Builds`] brings them to their
//! end.
//!
//! Whoever pushes needs no service for the first steps: a [`Tree`] is what a directory holds, without what its ignore
//! files name; as a tar it is always the same bytes for the same content, and its SHA-256 is its name ([`Packed`]).
//! [`manifest`] reads what Cloud Foundry's command line would read beside it.

mod builds;
mod error;
mod kept;
pub mod manifest;
mod pack;
mod revision;
pub mod source;
mod sweep;
mod token;
mod tree;

pub use self::builds::{Builds, Parts, Pushes};
pub use self::error::PushError;
pub use self::pack::{PackError, Packed};
pub(crate) use self::revision::REVISIONS;
pub use self::revision::{Revision, RevisionNumber, RevisionState, Revisions, revision_dir};
pub use self::source::{HashError, MOST_ENTRIES, SourceHash};
pub use self::token::{SourceKey, SourceTokens, TokenError};
pub use self::tree::{Entry, Kind, Stamp, Tree, TreeError};
