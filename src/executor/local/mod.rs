//! The embedded executor: PipelineRuns as processes of this machine.
