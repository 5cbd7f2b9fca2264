use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::TaskName;
use super::phase::Phase;
use crate::app::{AppName, Command, LogsOnTerminate, Resources, Timeout};
use crate::job::{JobName, JobRef};
use crate::schedule::{Overlap, ScheduleKey};

/// A task's number within its App: 1, 2, 3 …; never reused, may skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub u64);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for TaskId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What made a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Its slot was due.
    Schedule,
    /// Its slot had been missed.
    CatchUp,
    /// A repair of old slots.
    Backfill,
    /// Somebody asked.
    Manual,
    /// The attempt before it failed.
    Retry,
}

impl Trigger {
    /// The word that people and programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::CatchUp => "catch-up",
            Self::Backfill => "backfill",
            Self::Manual => "manual",
            Self::Retry => "retry",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a caller changed for one run; unset fields come from the job, then the App.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// The command.
    pub command: Option<Command>,
    /// Further environment.
    pub env: BTreeMap<String, String>,
    /// Limits.
    pub resources: Resources,
    /// The time-out.
    pub timeout: Option<Timeout>,
    /// The overlap policy.
    pub overlap: Option<Overlap>,
}

/// The bytes of a task's log that are kept, and those that were cut out of its middle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogSize {
    /// Bytes on disk.
    pub kept: u64,
    /// Bytes cut.
    pub cut: u64,
}

/// How a task ended, in the executor's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The terminal phase.
    pub phase: Phase,
    /// The exit code, where a process really ended with one.
    pub exit_code: Option<i32>,
    /// One word, as Kubernetes spells it: `Completed`, `Error`, `OOMKilled`, `PipelineRunTimeout` …
    pub reason: String,
    /// The reason in a sentence, for people.
    pub message: String,
    /// When the process started, where it did.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Timestamp,
    /// The size of its log.
    pub log: LogSize,
    /// The image that it made, by digest, where it is a build on a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The App it runs on.
    pub app: AppName,
    /// Its number on that App.
    pub id: TaskId,
    /// Its name, and the PipelineRun's.
    pub name: TaskName,
    /// What people call it: the run's `--name`, else the job, else the App.
    pub display_name: String,
    /// Its job, unless it was run on the App itself.
    pub job: Option<JobName>,
    /// The schedule whose slot it runs.
    pub schedule: Option<ScheduleKey>,
    /// The nominal time of that slot.
    pub scheduled: Option<Timestamp>,
    /// Which run of the slot: 0, then one more for each rerun or backfill.
    pub ordinal: u32,
    /// What made it.
    pub trigger: Trigger,
    /// 1, then one more for each retry.
    pub attempt: u32,
    /// The first attempt, where this is a later one.
    pub first_attempt: Option<TaskId>,
    /// The request that asked for it, where a hand did. Part of the name.
    pub request: Option<String>,
    /// What the caller changed.
    pub overrides: Overrides,
    /// Generation (content hash) of the config at the claim.
    pub generation: String,
    /// When it was claimed.
    pub created: Timestamp,
    /// A retry does not start before this.
    pub not_before: Option<Timestamp>,
    /// When its process started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Where it is in its life.
    pub phase: Phase,
    /// When somebody, or `replace`, asked for its end: an intent beside the phase.
    pub terminating: Option<Timestamp>,
    /// What becomes of the log should it be terminated.
    pub logs_on_terminate: LogsOnTerminate,
    /// One word for its state or end.
    pub reason: Option<String>,
    /// The same in a sentence.
    pub message: Option<String>,
    /// The exit code, where a process ended with one.
    pub exit_code: Option<i32>,
    /// The size of its log.
    pub log: LogSize,
}

impl Task {
    /// `APP.JOB`, where it has a job.
    pub fn job_ref(&self) -> Option<JobRef> {
        self.job.clone().map(|job| JobRef::new(self.app.clone(), job))
    }

    /// Takes over how the executor says it ended. Returns whether that changed anything: a task that
    /// has ended stays as it is.
    pub fn finish(&mut self, outcome: Outcome) -> bool {
        if !self.phase.may_become(outcome.phase) {
            return false;
        }
        self.phase = outcome.phase;
        self.exit_code = outcome.exit_code;
        self.reason = Some(outcome.reason);
        self.message = Some(outcome.message);
        self.started = outcome.started.or(self.started);
        self.finished = Some(outcome.finished);
        self.log = outcome.log;
        true
    }
}
