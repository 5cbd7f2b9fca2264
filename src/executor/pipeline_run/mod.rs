//! The Tekton object that carries a task: `tekton.dev/v1` PipelineRun.
//!
//! [`PipelineRun`] is the part of the schema that tekcron writes and reads, typed; other fields of a
//! cluster's answer are ignored. [`build()`] makes one from App, job and task, purely; [`submission`] adds
//! what an executor needs beside it, credentials among them; [`build_source()`] and [`source_submission`] do the same
//! for the task that makes an image of a source. [`TaskMeta`] reads back whose object it is,
//! and [`same_run`] says whether an object found under a name carries the run that was meant.
//! [`resolve_env`] and [`resolve_command`] are what a cluster would do to the object before the process
//! starts, for executors without one. Nothing here talks to anybody.

mod build;
mod escape;
mod identity;
mod object;
mod pod;
mod resolve;
mod source;

pub use self::build::{BuildError, PIPELINE_TASK, STATE_WORKSPACE, STEP, build, submission};
pub use self::escape::{DOLLAR, escape, unescape};
pub(in crate::executor) use self::identity::MANAGER;
pub use self::identity::{MetaError, Mismatch, TaskMeta, same_run};
pub use self::object::{
    EmbeddedTask, PipelineResult, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask, PodTemplate,
    Step, TaskResult, TaskRunTemplate, Timeouts, Workspace, WorkspaceBinding,
};
pub use self::pod::STATE_PATH;
pub use self::resolve::{ResolveError, resolve_command, resolve_env};
pub use self::source::{FETCH_STEP, IMAGE_DIGEST, build_source, source_submission};
