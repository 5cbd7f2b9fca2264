//! The embedded executor: the very PipelineRun objects, executed as processes on this machine.
#![allow(missing_docs, clippy::todo, unused_variables, clippy::allow_attributes)]
use crate::clock::SharedClock;
use crate::executor::Executor;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// Absolute.
    pub data_dir: PathBuf,
    pub max_children: usize,
    /// The tekcron binary, run as `<shim> shim`.
    pub shim: PathBuf,
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LocalError(String);
pub struct LocalExecutor;
impl LocalExecutor {
    pub fn open(settings: LocalSettings, clock: SharedClock) -> Result<Arc<dyn Executor>, LocalError> {
        todo!()
    }
}
pub mod shim {
    /// The role `tekcron shim`: reads its request from stdin, never returns to the command line.
    pub fn main() -> std::process::ExitCode {
        todo!()
    }
}
