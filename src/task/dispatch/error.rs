use crate::app::AppName;
use crate::job::JobName;
use crate::store::StoreError;
use crate::task::TaskId;

/// Why a run was not taken on. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// No such App.
    #[error("App `{0}` does not exist")]
    NoApp(AppName),
    /// No such job on it.
    #[error("job `{app}.{job}` does not exist")]
    NoJob {
        /// The App.
        app: AppName,
        /// The job that it lacks.
        job: JobName,
    },
    /// Neither run, job nor App say what to execute.
    #[error("App `{0}` has no start command\nhint: give one with `-c`, or set `command` in its file")]
    NoCommand(AppName),
    /// Another run of the job is active, and its overlap policy is `skip`.
    #[error(
        "task {task} of job `{app}.{job}` is still active, and its overlap policy is `skip`\nhint: `--overlap allow` starts it beside the other, `--overlap replace` in its place"
    )]
    Overlap {
        /// The App.
        app: AppName,
        /// The job.
        job: JobName,
        /// The active run.
        task: TaskId,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request\nhint: send a new key with each new request")]
    IdempotencyMismatch,
    /// The same request was answered by a task that retention has removed since.
    #[error(
        "this request was answered by task {task} of App `{app}`, which retention has removed since\nhint: send a new key to run it again"
    )]
    Forgotten {
        /// The App.
        app: AppName,
        /// The task.
        task: TaskId,
    },
    /// What has not ended takes all the memory that there is for it.
    #[error(
        "too many runs have not ended: there is no room for another\nhint: ask again when some have; `tekcron tasks` lists them"
    )]
    TooMany,
    /// It could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// Why a task was not terminated.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TerminateError {
    /// No such task.
    #[error("task {id} of App `{app}` does not exist")]
    NoTask {
        /// The App.
        app: AppName,
        /// The id that it lacks.
        id: TaskId,
    },
    /// The intent could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("the service is stopping")]
    Stopping,
}
