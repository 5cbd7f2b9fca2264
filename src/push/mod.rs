//! `push`: from source to an App that tasks run on.
//!
//! A pushed App's code is a sequence of [`Revision`]s. Each says where its code comes from, the start command that
//! was pushed with it, and how far it is; the App names its current one. Numbers are never reused. [`source`] receives
//! what is pushed, checks it, keeps it and unpacks it; [`Pushes`] makes revisions, and [`Builds`] brings them to their
//! end.

mod builds;
mod error;
mod kept;
mod revision;
pub mod source;
mod token;

pub use self::builds::{Builds, Parts, Pushes};
pub use self::error::PushError;
pub(crate) use self::revision::REVISIONS;
pub use self::revision::{Revision, RevisionNumber, RevisionState, Revisions, revision_dir};
pub use self::source::{HashError, SourceHash};
pub use self::token::{SourceKey, SourceTokens, TokenError};
