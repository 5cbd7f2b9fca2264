//! Executors: whoever turns a PipelineRun into a process.
//!
//! [`Executor`] is the one trait; `local` executes the object as processes on this machine. Each
//! method says what it promises when it is repeated, because everything here *is* repeated: after a
//! crash every claimed task is submitted again under the same name.

pub mod cluster;
pub mod local;
mod log;
pub mod pipeline_run;
pub mod tekton;

use std::path::PathBuf;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::log::fuzzing;
use bytes::Bytes;
use futures::future::{self, BoxFuture, FutureExt};
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use self::cluster::{BindingSecret, SourceSecret};
use self::pipeline_run::PipelineRun;
use crate::app::{AppName, ByteSize, Secrets};
use crate::config::Config;
use crate::task::{Outcome, TaskId, TaskName};

/// The object, and what an executor needs beside it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What is executed.
    pub run: PipelineRun,
    /// The values behind the object's `secretKeyRef`s.
    pub secrets: Secrets,
    /// The same as the object that a cluster needs, where the App has such values.
    pub binding: Option<BindingSecret>,
    /// What a build on a cluster fetches its source with.
    pub token: Option<SourceSecret>,
    /// The directory that the embedded executor copies, where the App has one.
    pub source: Option<PathBuf>,
    /// The directory that the embedded executor runs it in, as it is: what a build makes stays there.
    pub in_place: Option<PathBuf>,
    /// Whether the working directory stays after the task.
    pub keep_workdir: bool,
    /// Whether the App's lasting directory is handed to the task.
    pub state: bool,
    /// Between SIGTERM and SIGKILL.
    pub grace: SignedDuration,
    /// The most bytes of log kept.
    pub max_log: ByteSize,
}

/// How a submission went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The object is new.
    Created,
    /// An object of that name and of the same identity was there; its task id wins.
    Adopted {
        /// The task id on the object.
        id: TaskId,
    },
}

/// How a submission failed.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The executor will never take this object: an error of this task.
    #[error("refused: {message}")]
    Refused {
        /// One word for listings.
        reason: String,
        /// The executor's words.
        message: String,
    },
    /// It could not be reached, or has no room: the claim is held and tried again.
    #[error("unavailable: {message}")]
    Unavailable {
        /// What is in the way.
        message: String,
    },
    /// Nobody could take any object now, and surely did not take this one: every claim waits.
    #[error("unreachable: {message}")]
    Unreachable {
        /// What is in the way.
        message: String,
        /// How long it asked to be left alone.
        retry_after: Option<SignedDuration>,
    },
    /// It may or may not have taken the object: the claim stays open.
    #[error("outcome unknown: {message}")]
    Unknown {
        /// What happened.
        message: String,
    },
}

/// Why an executor could not do what it was asked, other than submit.
#[derive(Debug, thiserror::Error)]
#[error("{operation} of `{name}` failed: {message}")]
pub struct ExecutorError {
    /// The verb.
    pub operation: &'static str,
    /// The task.
    pub name: String,
    /// What went wrong.
    pub message: String,
}

/// What an executor saw of one task. A hint: `relist` is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The task.
    pub name: TaskName,
    /// What was seen.
    pub state: Observed,
}

/// The state of a task as an executor sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// Taken, and not running yet.
    Submitted {
        /// Why it waits, in words.
        message: Option<String>,
    },
    /// Its process runs.
    Running {
        /// Since when.
        started: Timestamp,
    },
    /// It has ended.
    Finished(Box<Outcome>),
    /// There is no object of that name.
    Absent,
}

/// Which part of a log is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only the last so many lines.
    pub tail: Option<usize>,
    /// Go on until the task has ended.
    pub follow: bool,
    /// Begin each line with its time (RFC 3339 UTC) and stream.
    pub timestamps: bool,
}

/// A log as bytes: whole lines of the task's output, a cut in the middle stated in words.
pub type LogStream = BoxStream<'static, std::io::Result<Bytes>>;

/// Whoever turns a PipelineRun into a process.
pub trait Executor: Send + Sync + 'static {
    /// The most tasks it takes at once; what is beyond waits as `pending`.
    fn capacity(&self) -> usize;

    /// The most submissions that it does something about at once: others would wait in it, each with its object.
    fn submits_at_once(&self) -> usize {
        usize::MAX
    }

    /// Takes the object for execution, exactly once for its name, however often it is called.
    ///
    /// # Errors
    /// [`SubmitError`]; an object of the same name and identity is not an error.
    fn submit(&self, submission: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>>;

    /// Asks for the task's end; how it ended is observed later. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`ExecutorError`]; a task that has ended or does not exist is not an error.
    fn cancel<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>>;

    /// Removes all that is left of a finished task: object, log, working copy.
    ///
    /// # Errors
    /// [`ExecutorError`], also for a task that still runs; "not found" is done.
    fn delete<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>>;

    /// Removes the log of a finished task and nothing else.
    ///
    /// # Errors
    /// [`ExecutorError`]; no log is done.
    fn delete_log<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>>;

    /// What became of the task, by looking now. Also begins to watch it, so that after a restart
    /// its end is observed.
    ///
    /// # Errors
    /// [`ExecutorError`] where nobody could look; [`Observed::Absent`] is an answer.
    fn observe<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>>;

    /// Where observations arrive from now on. Taken once.
    fn observations(&self) -> Option<mpsc::Receiver<Observation>>;

    /// The task's log.
    ///
    /// # Errors
    /// [`ExecutorError`]; a task without output has an empty log.
    fn logs<'a>(
        &'a self,
        name: &'a TaskName,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, ExecutorError>>;

    /// Limits that this executor cannot keep here, in words for `task`, `app` and start-up.
    fn caveats(&self) -> Vec<String>;

    /// Where tasks run, where that is not here.
    fn site(&self) -> Option<String> {
        None
    }

    /// Whether it holds on to tasks until they are [released](Self::release).
    fn holds(&self) -> bool {
        false
    }

    /// The task's end is on disk: nothing need be held for it any more. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`ExecutorError`]; an object that is not there is not an error.
    fn release<'a>(&'a self, _name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        future::ready(Ok(())).boxed()
    }

    /// Removes what stands beside tasks for an App that is gone. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`ExecutorError`].
    fn forget<'a>(&'a self, _app: &'a AppName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        future::ready(Ok(())).boxed()
    }

    /// Works by `config` from now on, as far as it says what stands beside tasks.
    fn configure(&self, _config: &Config) {}

    /// What is in the way of every task now, in words; nothing where all is well.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// How long a create of unknown outcome may still be carried out.
    fn create_may_linger(&self) -> SignedDuration {
        SignedDuration::from_secs(5)
    }
}

/// Names of the object's labels and annotations that say whose it is.
pub mod label {
    /// The App.
    pub const APP: &str = "app.kubernetes.io/name";
    /// The tekcron instance.
    pub const INSTANCE: &str = "app.kubernetes.io/instance";
    /// Always `tekcron`.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// Always `task`.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// The task id.
    pub const TASK_ID: &str = "app.kubernetes.io/version";
    /// The job.
    pub const JOB: &str = "tekcron.dev/job";
    /// The schedule key.
    pub const SCHEDULE: &str = "tekcron.dev/schedule";
    /// The trigger.
    pub const TRIGGER: &str = "tekcron.dev/trigger";
    /// The revision of a pushed App.
    pub const REVISION: &str = "tekcron.dev/revision";
    /// Annotation: the nominal slot, RFC 3339 UTC.
    pub const SLOT: &str = "tekcron.dev/slot";
    /// Annotation: the run ordinal.
    pub const ORDINAL: &str = "tekcron.dev/run-ordinal";
    /// Annotation: the attempt.
    pub const ATTEMPT: &str = "tekcron.dev/attempt";
    /// Annotation: the id of the first attempt.
    pub const FIRST_ATTEMPT: &str = "tekcron.dev/first-attempt";
    /// Annotation: what people call it.
    pub const DISPLAY_NAME: &str = "tekcron.dev/display-name";
    /// Annotation: generation of the config.
    pub const GENERATION: &str = "tekcron.dev/config-generation";
    /// Annotation: the request that asked for a manual run.
    pub const REQUEST: &str = "tekcron.dev/request";
    /// Label: the end of this run is on record.
    pub const RECORDED: &str = "tekcron.dev/recorded";
    /// Annotation: why tekcron had a run cancelled that nobody took.
    pub const UNSCHEDULABLE: &str = "tekcron.dev/unschedulable";
    /// Prefix of one label for each security group of the App, which a NetworkPolicy may select.
    pub const SECURITY_GROUP: &str = "security-group.tekcron.dev/";
    /// Annotation of a build: the hash of its source.
    pub const SOURCE: &str = "tekcron.dev/source";
    /// Annotation of a build: the repository of its image.
    pub const IMAGE: &str = "tekcron.dev/image";
    /// Finalizer that stays until outcome and log are recorded.
    pub const FINALIZER: &str = "tekcron.dev/outcome";
}

/// The name of the Secret that holds an App's bindings.
pub fn binding_secret(app: &AppName) -> String {
    format!("tekcron-env-{app}")
}

/// The name of the Secret with the token that a build fetches its source with.
pub fn source_secret(build: &TaskName) -> String {
    format!("tekcron-source-{build}")
}

/// The label of the runs of every App that names security group `name`, by which its NetworkPolicy selects.
pub fn security_group_label(name: &str) -> String {
    format!("{}{name}", label::SECURITY_GROUP)
}

/// The name of the volume claim that holds an App's lasting directory.
pub fn state_claim(app: &AppName) -> String {
    format!("tekcron-state-{app}")
}
