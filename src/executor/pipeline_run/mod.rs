//! The Tekton object that carries a task: `tekton.dev/v1` PipelineRun.
//!
//! [`PipelineRun`] is the part of the schema that tekcron writes and reads, typed; other fields of a
//! cluster's answer are ignored. Building one from App and task is pure.

mod object;

pub use self::object::{
    EmbeddedTask, PipelineRun, PipelineRunSpec, PipelineSpec, PipelineTask, Step, TaskRunTemplate, Timeouts,
    Workspace, WorkspaceBinding,
};
