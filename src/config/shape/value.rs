use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// A name that Kubernetes takes as a label.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Name(#[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))] pub String);

/// A shell line, or a program with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Command {
    /// A line for `/bin/sh -c`
    Shell(#[schemars(length(min = 1))] String),
    /// A program and its arguments, executed as they are
    Exec(#[schemars(length(min = 1))] Vec<String>),
}

/// Variables by name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Env(
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_.-][A-Za-z0-9_.-]*$" }))]
    pub  BTreeMap<String, String>,
);

/// Cores, as in `500m`, `0.5` or `2`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Cpu {
    /// As in `500m`
    Text(#[schemars(regex(pattern = "^ *[0-9.]+m? *$"))] String),
    /// As in `0.5`
    Number(#[schemars(range(min = 0.001, max = 1024))] f64),
}

/// An amount with its unit, as in `256Mi` or `1G`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ByteSize(#[schemars(regex(pattern = "^ *[0-9.]+([KkMmGgTt][Ii]?[Bb]?|[Bb]) *$"))] pub String);

/// A duration with its units, as in `90s`, `1h 30m` or `7d`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Duration {
    /// As in `1h 30m`
    Text(#[schemars(regex(pattern = "[A-Za-z]|^ *0 *$"))] String),
    /// None at all
    Zero(#[schemars(range(min = 0, max = 0))] u8),
}

/// A cron expression of five fields, of six with the seconds first, or a shorthand as `@daily` or `@every 15m`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Cron(#[schemars(length(min = 1))] pub String);

/// How a schedule meets daylight saving.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dst {
    /// A skipped fixed time runs right after the jump, a repeated one once
    Vixie,
    /// A skipped time is not run, a repeated one once
    Skip,
    /// A skipped time is not run, a repeated one twice
    Literal,
}

/// What is done about slots that were due while nobody watched.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// The latest of them runs
    Latest,
    /// All of them run, within window and maximum
    All,
    /// None runs
    None,
}

/// What happens to a slot that is due while a run of the same job is active. Kf's and Kubernetes' words are
/// known too.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub enum Overlap {
    /// It starts beside the other
    #[serde(rename = "allow")]
    Allow,
    /// It is skipped for good
    #[serde(rename = "skip")]
    Skip,
    /// The other is cancelled; when that has ended, it starts
    #[serde(rename = "replace")]
    Replace,
    /// It waits for the other's end; what is due while it waits is skipped
    #[serde(rename = "queue-one")]
    QueueOne,
    /// It waits for the end of the other, and of all that wait before it
    #[serde(rename = "queue-all")]
    QueueAll,
    /// The other is cancelled, and it starts without waiting for that
    #[serde(rename = "replace-now")]
    ReplaceNow,
    /// Kf's word for `allow`
    Always,
    /// Kubernetes' word for `allow`
    #[serde(rename = "Allow")]
    AllowAsKubernetes,
    /// Kubernetes' word for `skip`
    Forbid,
    /// Kubernetes' word for `replace`
    #[serde(rename = "Replace")]
    ReplaceAsKubernetes,
}

/// What becomes of the log of a terminated task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogsOnTerminate {
    /// It is kept as long as the task
    Keep,
    /// It goes when the task has ended
    Delete,
}

/// How tekcron's own log is written.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// Who runs the tasks.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// This machine, as processes
    Local,
    /// A cluster, as PipelineRuns
    Tekton,
}

/// Where captured lines of tasks go beside the log store.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Nowhere
    None,
    /// The service's own output, as JSON
    Stdout,
}
