use schemars::JsonSchema;
use serde::Serialize;

use super::pod::PodTemplate;
use super::value::{
    ByteSize, CatchUp, Command, Cpu, Cron, Dst, Duration, Env, LogsOnTerminate, Name, Overlap,
};

/// An App with its jobs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AppFile {
    /// Named configuration for runs
    pub app: App,
    /// How what is pushed becomes what its tasks run on
    pub build: Option<AppBuild>,
    /// Named commands on the App, with zero or more schedules each
    pub jobs: Option<Vec<Job>>,
}

/// Named configuration for runs.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct App {
    /// The name, unlike that of any other App
    pub name: Name,
    /// Container image, used by the Tekton executor
    pub image: Option<String>,
    /// Directory that the embedded executor copies for each task; relative to the config directory's parent
    pub path: Option<String>,
    /// The command of a run that names none
    pub command: Option<Command>,
    /// Environment of every task
    pub env: Option<Env>,
    /// CPU of a task, as in `500m` or `2`
    pub cpu: Option<Cpu>,
    /// Memory of a task, as in `256Mi` or `1G`
    pub memory: Option<ByteSize>,
    /// Disk of a task, as in `1Gi`
    pub disk: Option<ByteSize>,
    /// How long a task may run; `0` for no limit
    #[schemars(extend("default" = "1h"))]
    pub timeout: Option<Duration>,
    /// The most of its tasks that run at once; no bound unless set
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_running: Option<u32>,
    /// The group whose limit its tasks count against, declared in `tekcron.toml`
    pub group: Option<Name>,
    /// The newest tasks kept
    #[schemars(extend("default" = 500), range(min = 1, max = 1_000_000))]
    pub keep: Option<u32>,
    /// Finished tasks older than this go as well, as in `30d`
    pub keep_for: Option<Duration>,
    /// Per job, the newest tasks that no other job's noise pushes out
    #[schemars(extend("default" = 1), range(min = 0, max = 1_000_000))]
    pub keep_per_job: Option<u32>,
    /// Names of bound services, declared in `tekcron.toml`
    pub services: Option<Vec<Name>>,
    /// Kubernetes service account
    pub service_account: Option<String>,
    /// Names of security groups, declared in `tekcron.toml`
    pub security_groups: Option<Vec<String>>,
    /// What only a cluster has
    pub pod_template: Option<PodTemplate>,
    /// What becomes of the log of a terminated task
    #[schemars(extend("default" = "keep"))]
    pub logs_on_terminate: Option<LogsOnTerminate>,
    /// Whether the App has one lasting directory, `$TEKCRON_STATE_DIR`
    #[schemars(extend("default" = false))]
    pub state: Option<bool>,
    /// Whether a task's working directory stays after the task
    #[schemars(extend("default" = false))]
    pub keep_workdir: Option<bool>,
}

/// How a source becomes what tasks run on; of an App that is pushed.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AppBuild {
    /// What is executed in the unpacked source
    pub command: Option<Command>,
    /// Environment beside, and over, the App's
    pub env: Option<Env>,
    /// CPU over the App's
    pub cpu: Option<Cpu>,
    /// Memory over the App's
    pub memory: Option<ByteSize>,
    /// Disk over the App's
    pub disk: Option<ByteSize>,
    /// Time-out over the App's
    pub timeout: Option<Duration>,
}

/// A named command on an App.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Job {
    /// The name, unlike that of any other job of the App
    pub name: Name,
    /// When it runs: short for `schedules = [{ cron = "…" }]`
    pub schedule: Option<Cron>,
    /// When it runs; without any it is run by hand
    pub schedules: Option<Vec<Schedule>>,
    /// The time zone of schedules that name none
    #[schemars(extend("default" = "UTC"))]
    pub timezone: Option<String>,
    /// How schedules that do not say so meet daylight saving
    #[schemars(extend("default" = "vixie"))]
    pub dst: Option<Dst>,
    /// What is done about slots missed by schedules that do not say so
    #[schemars(extend("default" = "latest"))]
    pub catch_up: Option<CatchUp>,
    /// Older slots are not caught up; none for `latest`, `24h` for `all` unless set
    pub catch_up_window: Option<Duration>,
    /// The most slots caught up at once
    #[schemars(extend("default" = 100), range(min = 1, max = 1_000_000))]
    pub max_catch_up: Option<u32>,
    /// How late a slot may still start
    pub start_deadline: Option<Duration>,
    /// Starts are spread over this long after the slot, repeatably
    pub jitter: Option<Duration>,
    /// No slot before this: a time as in `2026-12-01T02:00:00Z`, or on the clocks of the time zone
    pub from: Option<String>,
    /// No slot after this; a date alone is included
    pub until: Option<String>,
    /// Names of calendars, declared in `tekcron.toml`, in which it does not run
    pub exclude: Option<Vec<String>>,
    /// The command; the App's where unset
    pub command: Option<Command>,
    /// Environment beside, and over, the App's
    pub env: Option<Env>,
    /// CPU over the App's
    pub cpu: Option<Cpu>,
    /// Memory over the App's
    pub memory: Option<ByteSize>,
    /// Disk over the App's
    pub disk: Option<ByteSize>,
    /// Time-out over the App's
    pub timeout: Option<Duration>,
    /// What happens to a slot that is due while a run of this job is active
    #[schemars(extend("default" = "allow"))]
    pub overlap: Option<Overlap>,
    /// The most of its runs that wait to start
    #[schemars(extend("default" = 1000), range(min = 1, max = 100_000))]
    pub max_queued: Option<u32>,
    /// The group whose limit its runs count against, in place of the App's
    pub group: Option<Name>,
    /// Whether and how a failed run is tried again
    pub retries: Option<Retries>,
    /// A slot is late when its task has not started this long after it was due
    pub late_after: Option<Duration>,
    /// The longest time without a success
    pub max_since_success: Option<Duration>,
    /// A task that has run for this long is too long
    pub max_runtime: Option<Duration>,
    /// Who is told of failures and of whatever else it does not keep
    pub on_failure: Option<OnFailure>,
    /// Who is told that it is over; those who were told of it unless set
    pub on_recovery: Option<OnRecovery>,
}

/// Who is told of failures.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OnFailure {
    /// A webhook, declared in `tekcron.toml`
    pub webhook: Option<Name>,
    /// A mail, declared in `tekcron.toml`
    pub mail: Option<Name>,
    /// After so many failures in a row
    #[schemars(extend("default" = 1), range(min = 1, max = 1000))]
    pub after: Option<u32>,
}

/// Who is told that it is over.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OnRecovery {
    /// A webhook, declared in `tekcron.toml`
    pub webhook: Option<Name>,
    /// A mail, declared in `tekcron.toml`
    pub mail: Option<Name>,
}

/// One schedule of a job.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Schedule {
    /// When it is due
    pub cron: Cron,
    /// Its identity, where expression, time zone and dst mode are not to be it
    #[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"))]
    pub id: Option<String>,
    /// Its time zone
    pub timezone: Option<String>,
    /// How it meets daylight saving
    pub dst: Option<Dst>,
    /// What is done about missed slots
    pub catch_up: Option<CatchUp>,
    /// Older slots are not caught up
    pub catch_up_window: Option<Duration>,
    /// The most slots caught up at once
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_catch_up: Option<u32>,
    /// How late a slot may still start
    pub start_deadline: Option<Duration>,
    /// Starts are spread over this long after the slot, repeatably
    pub jitter: Option<Duration>,
    /// No slot before this: a time as in `2026-12-01T02:00:00Z`, or on the clocks of the time zone
    pub from: Option<String>,
    /// No slot after this; a date alone is included
    pub until: Option<String>,
    /// Names of calendars, declared in `tekcron.toml`, in which it does not run
    pub exclude: Option<Vec<String>>,
    /// The command; the job's where unset
    pub command: Option<Command>,
    /// Environment beside, and over, the job's
    pub env: Option<Env>,
}

/// Whether and how a failed run is tried again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retries {
    /// How many more attempts follow the first
    #[schemars(range(min = 0, max = 1000))]
    pub attempts: u32,
    /// The wait before the first retry; doubled for each further one
    #[schemars(extend("default" = "10s"))]
    pub backoff: Option<Duration>,
    /// The longest wait
    #[schemars(extend("default" = "10m"))]
    pub max_backoff: Option<Duration>,
    /// Whether a lost run is retried too
    #[schemars(extend("default" = false))]
    pub on_lost: Option<bool>,
}
