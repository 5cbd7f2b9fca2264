//! What is read of the cluster's objects: the status, and whose it is. Everything else is passed over.
//!
//! Ten thousand of these are kept: no list has room for more, and what hardly ever is there is behind a pointer.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Deserializer};

use super::word::Word;

/// A PipelineRun as the cluster shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct SeenRun {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) spec: RunSpec,
    #[serde(default)]
    pub(super) status: RunStatus,
}

/// `spec` of a PipelineRun: how long it may take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct RunSpec {
    #[serde(deserialize_with = "or_default")]
    timeouts: TimeOuts,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct TimeOuts {
    #[serde(deserialize_with = "or_default")]
    pipeline: String,
}

impl RunSpec {
    /// The time-out, where there is one that can be read: `0s` is none.
    pub(super) fn timeout(&self) -> Option<SignedDuration> {
        self.timeouts.pipeline.parse().ok().filter(SignedDuration::is_positive)
    }
}

/// A TaskRun as the cluster shows it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct SeenTaskRun {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    pub(super) status: TaskRunStatus,
}

/// `status` of a PipelineRun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RunStatus {
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Box<[Condition]>,
    pub(super) start_time: Option<Timestamp>,
    pub(super) completion_time: Option<Timestamp>,
    #[serde(deserialize_with = "or_default")]
    pub(super) child_references: Box<[Child]>,
    #[serde(deserialize_with = "or_default")]
    pub(super) results: Box<[RunResult]>,
}

/// `status` of a TaskRun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TaskRunStatus {
    #[serde(deserialize_with = "or_default")]
    pub(super) conditions: Box<[Condition]>,
    #[serde(deserialize_with = "or_default")]
    pub(super) pod_name: Arc<str>,
    pub(super) completion_time: Option<Timestamp>,
    /// In the order in which they run.
    #[serde(deserialize_with = "or_default")]
    pub(super) steps: Box<[StepState]>,
    #[serde(deserialize_with = "or_default")]
    pub(super) results: Box<[RunResult]>,
}

/// What a build tells of its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct RunResult {
    pub(super) name: String,
    /// Ours is a text; others may be anything.
    pub(super) value: serde_json::Value,
}

/// One condition; Tekton's are all of type `Succeeded`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Condition {
    pub(super) r#type: Word,
    pub(super) status: Word,
    #[serde(deserialize_with = "or_default")]
    pub(super) reason: Word,
    #[serde(deserialize_with = "or_default")]
    pub(super) message: Word,
    pub(super) last_transition_time: Option<Timestamp>,
}

/// A child of a PipelineRun. Names of children are read here, never built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Child {
    pub(super) kind: Word,
    pub(super) name: Box<str>,
}

/// The step's container: in one of three states, or in none yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct StepState {
    pub(super) name: Word,
    pub(super) container: Word,
    pub(super) running: Option<RunningStep>,
    pub(super) terminated: Option<Box<TerminatedStep>>,
    pub(super) waiting: Option<Box<WaitingStep>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RunningStep {
    pub(super) started_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TerminatedStep {
    pub(super) exit_code: i32,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct WaitingStep {
    pub(super) reason: String,
    pub(super) message: String,
}

/// Go writes an empty list or text as `null` at times.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

macro_rules! tekton_resource {
    ($type:ty, $kind:literal, $plural:literal) => {
        impl kube::Resource for $type {
            type DynamicType = ();
            type Scope = k8s_openapi::NamespaceResourceScope;

            fn kind(&(): &()) -> Cow<'_, str> {
                $kind.into()
            }

            fn group(&(): &()) -> Cow<'_, str> {
                "tekton.dev".into()
            }

            fn version(&(): &()) -> Cow<'_, str> {
                "v1".into()
            }

            fn plural(&(): &()) -> Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

tekton_resource!(SeenRun, "PipelineRun", "pipelineruns");
tekton_resource!(SeenTaskRun, "TaskRun", "taskruns");
