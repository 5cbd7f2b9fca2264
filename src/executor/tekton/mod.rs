//! The Tekton executor: every task a `tekton.dev/v1` PipelineRun on a Kubernetes cluster.
//!
//! [`TektonExecutor`] places nothing itself: it creates the object under the task's name, watches what becomes
//! of it, copies its log while it runs, and takes it away when it is told to. Guaranteed:
//!
//! - An object of a name is created once, however often that is asked for: the API server refuses a second
//!   one, and one that is there is adopted only where it carries the same run (`submit`). A create whose
//!   answer got lost is never taken for one that failed (`refusal`).
//! - A run is not gone before its end is on record: its finalizer goes when the dispatcher has the outcome on
//!   disk, and an end is told only when the log is here (`board`, `release`).
//! - Watch events are hints. Lists, at start, after every gap and at intervals, are the truth (`watch`).
//! - The log is copied from the start of the container on, into the same store as that of local tasks, each
//!   line once, whatever breaks (`logs`).
//! - No value of a credential is in an object other than the Secret that is made for it, nor in a log line of ours;
//!   and the token of a build is not in the build's log either (`redact`).
//! - A build has an image, by digest, or it has failed (`built`).
//!
//! What it does not do: retry a create by itself. The dispatcher decides how long a claim is held.

mod beside;
mod board;
mod built;
mod by_hand;
mod check;
mod client;
mod copied;
mod emit;
mod executor;
mod logs;
mod object;
mod redact;
mod refusal;
mod release;
mod status;
mod submit;
mod told;
mod watch;
mod word;

pub use self::by_hand::{ReleaseError, release_by_hand};
pub use self::check::{RIGHTS, Right, check};
pub use self::client::ConnectError;
pub use self::executor::{TektonExecutor, TektonOptions};
