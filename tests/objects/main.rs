//! The PipelineRun that carries a task: what stands in it, what it survives, who reads it back.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod cluster;
#[path = "../crd/mod.rs"]
mod crd;
mod credentials;
mod environment;
mod identity;
mod manifest;
mod render;
mod sample;
mod source;
