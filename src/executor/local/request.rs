//! What the daemon tells a shim, and what it is told back.
//!
//! Both go over one socket, made for the one task, because a request holds credentials: these are in no
//! file, argument vector or environment but the task's own.

use std::path::PathBuf;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::cgroup::Delegated;
use super::limits::Limits;

/// All that a shim needs to know. Not `Debug`, since it holds credentials.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    /// The object, as it is recorded.
    pub(super) run: Box<RawValue>,
    /// What is executed.
    pub(super) program: Program,
    /// Where the task's directory is to be.
    pub(super) task_dir: PathBuf,
    /// The App's lasting directory, where it has one.
    pub(super) state_dir: Option<PathBuf>,
    /// The directory that is copied for the task.
    pub(super) source: Option<PathBuf>,
    /// Whether the copy stays.
    pub(super) keep_workdir: bool,
    /// From taking over to SIGTERM.
    pub(super) timeout: Option<SignedDuration>,
    /// From SIGTERM to SIGKILL.
    pub(super) grace: SignedDuration,
    /// The most bytes of log kept.
    pub(super) max_log: u64,
    /// What it may use.
    pub(super) limits: Limits,
    /// Where the task gets a control group, where there is such a place.
    pub(super) cgroup: Option<Delegated>,
    /// The `NAME=value` that marks its processes.
    pub(super) mark: String,
}

/// What is executed. Not `Debug`, since it holds credentials.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Program {
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// The whole environment.
    pub(super) env: Vec<(String, String)>,
    /// The working directory.
    pub(super) dir: PathBuf,
}

/// What a shim says about taking over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Report {
    /// The task is its own. What happens to it follows as it does in its record, each as soon as it is durable there.
    Created,
    /// The name is taken.
    Exists,
    /// It could not make the task's directory. Nothing is left of it.
    Failed(String),
}
