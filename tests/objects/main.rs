//! The PipelineRun that carries a task: what stands in it, what it survives, who reads it back.

mod credentials;
mod environment;
mod identity;
mod manifest;
mod render;
mod sample;
