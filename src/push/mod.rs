//! `push`: from source to an App that tasks run on.
//!
//! A pushed App's code is a sequence of [`Revision`]s. Each says where its code comes from, the start command that
//! was pushed with it, and how far it is; the App names its current one. Numbers are never reused.

mod revision;
mod token;

pub use self::revision::{
    Revision, RevisionNumber, RevisionState, Revisions, SourceHash, SourceHashError, revision_dir,
};
pub use self::token::{SourceKey, SourceTokens, TokenError};
