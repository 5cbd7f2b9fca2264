//! Cloud Foundry's application manifests, as far as they mean something for an App that tasks run on.
//!
//! [`read`] gives the applications of a manifest with their variables filled in. What stands for routes, for
//! instances that stay and for what keeps them alive has no counterpart here: those keys are listed, so that they
//! can be told. A key that nobody knows is refused, as is one that has slipped out of its application by its
//! indent: each problem comes with line and column. The key `tekcron` is ours: what it holds are keys of an
//! App's file, and Cloud Foundry passes it over.

mod application;
mod place;
mod reader;
mod variables;

pub use self::application::{Application, Manifest, read};
pub use self::variables::Variables;
