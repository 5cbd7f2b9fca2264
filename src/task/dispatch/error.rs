use jiff::Timestamp;

use super::pause::MOST_SKIPPED;
use crate::app::AppName;
use crate::job::{JobName, JobRef};
use crate::schedule::Overlap;
use crate::store::StoreError;
use crate::task::{Phase, TaskId};

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
    /// It was pushed, and nothing of it can run yet.
    #[error(
        "App `{0}` has no revision that is ready\nhint: `tekcron app {0}` shows how far they are; `tekcron push {0} --task` makes another"
    )]
    NoRevision(AppName),
    /// Neither run, job nor App say what to execute.
    #[error(
        "App `{0}` has no start command\nhint: give one with `-c`; `command` in its file, or `-c` of `push`, is for all tasks"
    )]
    NoCommand(AppName),
    /// Another run of the job is active, or waits, and its overlap policy leaves this one out.
    #[error(
        "task {task} of job `{app}.{job}` is still active, and its overlap policy is `{policy}`\nhint: `--overlap allow` starts it beside the other, `--overlap replace` in its place, `--overlap queue-all` after it"
    )]
    Overlap {
        /// The App.
        app: AppName,
        /// The job.
        job: JobName,
        /// The active run.
        task: TaskId,
        /// The policy.
        policy: Overlap,
    },
    /// As many of the job's runs wait as may.
    #[error(
        "too many runs of job `{app}.{job}` wait to start\nhint: `tekcron queue {app}` shows for what, `tekcron queue drop` takes one out; `max_queued` of the job says how many may wait"
    )]
    QueueFull {
        /// The App.
        app: AppName,
        /// The job.
        job: JobName,
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

/// Why nothing was decided about the slots of a job. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SteerError {
    /// No such job.
    #[error("job `{job}` does not exist")]
    NoJob {
        /// The job.
        job: JobRef,
    },
    /// The pause would have ended already.
    #[error(
        "expected `until` after now, found `{until}`, and it is {now:.0}\nhint: leave it out for a pause that `resume` ends"
    )]
    Over {
        /// When it would have ended.
        until: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// There is no pause to end.
    #[error(
        "job `{job}` is not paused\nhint: `tekcron job {job}` shows what holds for it; its pause may have ended by itself"
    )]
    NotPaused {
        /// The job.
        job: JobRef,
    },
    /// All its slots are skipped.
    #[error(
        "job `{job}` is paused, and all its slots are skipped\nhint: `tekcron resume {job}` first, or `tekcron pause {job} --until TIME`"
    )]
    Paused {
        /// The job.
        job: JobRef,
    },
    /// Not a number of slots to skip.
    #[error(
        "expected 1 to {MOST_SKIPPED} slots to skip, found {count}\nhint: `tekcron pause` skips them all until `tekcron resume`"
    )]
    Count {
        /// What was asked for.
        count: u32,
    },
    /// There are no slots to skip.
    #[error(
        "job `{job}` has no schedule, so there is no next slot\nhint: it runs by hand only, with `tekcron run-job {job}`"
    )]
    NoSchedule {
        /// The job.
        job: JobRef,
    },
    /// It could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("the service is stopping")]
    Stopping,
}

/// Why a task was neither moved in the queue nor taken out. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// No such task.
    #[error("task {id} of App `{app}` does not exist")]
    NoTask {
        /// The App.
        app: AppName,
        /// The id that it lacks.
        id: TaskId,
    },
    /// It waits no more.
    #[error(
        "task {id} of App `{app}` has started: it is `{phase}`\nhint: `tekcron terminate-task {app} {id}` ends it"
    )]
    Started {
        /// The App.
        app: AppName,
        /// The task.
        id: TaskId,
        /// Where it is in its life.
        phase: Phase,
    },
    /// It has ended.
    #[error("task {id} of App `{app}` has ended{}", phase.map(|phase| format!(" as `{phase}`")).unwrap_or_default())]
    Ended {
        /// The App.
        app: AppName,
        /// The task.
        id: TaskId,
        /// How, where that is on record already.
        phase: Option<Phase>,
    },
    /// It is a retry whose time has not come.
    #[error(
        "task {id} of App `{app}` does not stand in the queue yet{}",
        due.map(|due| format!(": it is a retry that is due at {due:.0}")).unwrap_or_default()
    )]
    NotYet {
        /// The App.
        app: AppName,
        /// The task.
        id: TaskId,
        /// When it will.
        due: Option<Timestamp>,
    },
    /// It could not be made durable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("the service is stopping")]
    Stopping,
}
