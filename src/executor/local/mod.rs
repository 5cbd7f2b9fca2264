//! The embedded executor: the very PipelineRun objects, executed as processes on this machine.
//!
//! [`LocalExecutor`] starts a [`shim`] for each task: this program in another role, which outlives the
//! daemon. The shim owns the task: its directory, its processes, its log, its time-out. All that the
//! two tell each other later stands in the task's directory:
//!
//! ```text
//! <data>/tasks/<name>/
//!     lock        locked by the shim as long as it lives
//!     run.json    the object; credentials are named in it, never there
//!     started     durable before the command runs: when, which process, since which boot
//!     exit        how it ended; there is no other end than this
//!     terminate   somebody asked for its end
//!     control     a pipe by which the shim is told to look for `terminate`
//!     log/        what it wrote, bounded
//!     work/       its copy of the App's directory, while it runs
//! <data>/state/<app>/
//! ```
//!
//! The directory appears under its name complete and locked, by one rename, so a name is taken once,
//! and whoever finds `started` knows that nobody else may run the command. What happened to a task is
//! read off these files and the lock; there is no other memory.

mod cgroup;
mod executor;
mod limits;
mod lock;
mod log;
mod orphan;
mod place;
mod process;
mod record;
mod request;
pub mod shim;
mod spawn;
mod submit;
mod tree;
mod watch;

pub use self::executor::{LocalError, LocalExecutor, LocalSettings};
