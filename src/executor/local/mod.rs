//! The embedded executor: the very PipelineRun objects, executed as processes on this machine.
//!
//! [`LocalExecutor`] has a [`shim`] started for each task, which outlives the daemon: by `spawn`, which
//! asks a small process of this program to fork one. The shim owns the task: its directory, its processes,
//! its log, its time-out. All that shim and daemon tell each other later stands in the task's directory:
//!
//! ```text
//! <data>/tasks/<name>/
//!     record      the object, in which credentials are named and never there; that it started: when, which
//!                 process, since which boot, durable before the command runs; how it ended. Locked by the
//!                 shim as long as it lives
//!     terminate   somebody asked for its end; the shim is told by a signal to look for it
//!     log/        what it wrote, bounded; not there before it has written
//!     work/       its copy of the App's directory, while it runs
//! <data>/state/<app>/
//! ```
//!
//! The directory appears under its name with its record, locked, by one rename, so a name is taken once,
//! and whoever finds a start on record knows that nobody else may run the command. What happened to a task
//! is read off these files and the lock; there is no other memory.

mod cgroup;
mod executor;
mod limits;
mod lock;
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
pub(crate) use self::tree::remove as remove_tree;
