//! What goes over the wire: JSON shapes of `/v1`, used by the server and by its client.
//!
//! Times are RFC 3339 UTC. Fields that have no value are `null`, never left out, so that a program
//! can rely on every key.

mod revision;
mod stored;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::revision::{
    OffsetEnvelope, PushBody, RestageBody, RevisionResource, RevisionWord, RollbackBody, SourceResource,
};
pub use self::stored::{
    BindBody, DeletedAppResource, EnvBody, EnvResource, ServiceBody, ServiceEditBody, ServiceResource,
    StoredAppResource,
};
use crate::app::{App, Command, Timeout};
use crate::job::{Job, JobRef, Pause, Steering};
use crate::schedule::{Schedule, jitter};
use crate::task::{LogSize, Phase, Task, TaskId, Trigger};
use crate::watch::{Breach, Status};

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskResource {
    /// The App it runs on.
    pub app: String,
    /// Its number on that App.
    #[schema(value_type = u64, minimum = 1)]
    pub id: TaskId,
    /// Its name, and the PipelineRun's.
    pub name: String,
    /// What people call it.
    pub display_name: String,
    /// Its job as `APP.JOB`.
    pub job: Option<String>,
    /// The key of the schedule whose slot it runs.
    pub schedule: Option<String>,
    /// The revision of its App that it runs, or builds; none where the App was never pushed.
    pub revision: Option<u32>,
    /// What made it.
    pub trigger: Trigger,
    /// 1, then one more for each retry.
    pub attempt: u32,
    /// The id of the first attempt, where this is a later one.
    #[schema(value_type = Option<u64>)]
    pub first_attempt: Option<TaskId>,
    /// The nominal time of its slot.
    pub scheduled: Option<Timestamp>,
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
    /// When its end was asked for.
    pub terminating: Option<Timestamp>,
    /// One word for its state or end.
    pub reason: Option<String>,
    /// The same in a sentence.
    pub message: Option<String>,
    /// The exit code, where a process ended with one.
    pub exit_code: Option<i32>,
    /// The bytes of its log that are kept, and that were cut.
    pub log: LogSize,
}

impl From<&Task> for TaskResource {
    fn from(task: &Task) -> Self {
        Self {
            app: task.app.to_string(),
            id: task.id,
            name: task.name.to_string(),
            display_name: task.display_name.clone(),
            job: task.job_ref().map(|job| job.to_string()),
            schedule: task.schedule.as_ref().map(ToString::to_string),
            revision: task.revision.map(|revision| revision.0),
            trigger: task.trigger,
            attempt: task.attempt,
            first_attempt: task.first_attempt,
            scheduled: task.scheduled.map(as_recorded),
            created: as_recorded(task.created),
            not_before: task.not_before.map(as_recorded),
            started: task.started.map(as_recorded),
            finished: task.finished.map(as_recorded),
            phase: task.phase,
            terminating: task.terminating.map(as_recorded),
            reason: task.reason.clone(),
            message: task.message.clone(),
            exit_code: task.exit_code,
            log: task.log,
        }
    }
}

/// In microseconds, as the store has it: the first answer about a task is no other than the later ones.
pub(super) fn as_recorded(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// A request for a run: `POST /v1/apps/{app}/tasks` and `POST /v1/jobs/{job}/tasks`. What is unset
/// comes from the job, then the App.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunBody {
    /// A shell line, or an array that is executed as it is.
    pub command: Option<CommandBody>,
    /// What people will call it.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub display_name: Option<String>,
    /// Further environment.
    pub env: BTreeMap<String, String>,
    /// CPU, as in `500m` or `0.5`.
    pub cpu: Option<String>,
    /// Memory, as in `256M` or `256Mi`.
    pub memory: Option<String>,
    /// Disk, as in `1G` or `1Gi`.
    pub disk: Option<String>,
    /// Time-out, as in `90s` or `1h 30m`; `0` for none.
    pub timeout: Option<String>,
    /// Overlap policy of this run.
    #[schema(pattern = "^(allow|skip|queue-one|queue-all|replace|replace-now)$")]
    pub overlap: Option<String>,
}

/// A command on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a shell line or an array of words")]
pub enum CommandBody {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments.
    Exec(Vec<String>),
}

impl From<&Command> for CommandBody {
    fn from(command: &Command) -> Self {
        match command {
            Command::Shell(line) => Self::Shell(line.clone()),
            Command::Exec(words) => Self::Exec(words.clone()),
        }
    }
}

/// As one line, for people.
impl fmt::Display for CommandBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Exec(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// What became of a wish to end a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminateResource {
    /// How it went.
    pub result: TerminateResult,
    /// The task as it is now.
    pub task: TaskResource,
}

/// How a wish to end a task went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TerminateResult {
    /// The intent is on disk; the end follows.
    Requested,
    /// It had not started, and has ended.
    Ended,
    /// It had ended before; nothing was changed.
    AlreadyEnded,
}

/// An App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppResource {
    /// The name.
    pub name: String,
    /// Whether it was pushed; else it stands in a file, and is read-only.
    #[serde(default)]
    pub stored: bool,
    /// The file that it stands in.
    #[serde(default)]
    pub file: Option<String>,
    /// The revision that its tasks run, where it was pushed.
    #[serde(default)]
    pub revision: Option<u32>,
    /// Container image.
    pub image: Option<String>,
    /// The directory that each task gets a copy of.
    pub path: Option<String>,
    /// The start command, as it was written.
    pub command: Option<CommandBody>,
    /// CPU limit, as in `500m`.
    pub cpu: Option<String>,
    /// Memory limit, as in `256Mi`.
    pub memory: Option<String>,
    /// Disk limit.
    pub disk: Option<String>,
    /// Time-out in seconds; none for no limit.
    pub timeout_seconds: Option<i64>,
    /// Names of its environment variables. Values may be private, and are not shown.
    pub env: Vec<String>,
    /// Names of bound services.
    pub services: Vec<String>,
    /// How many finished tasks are kept.
    pub keep: u32,
    /// Whether it has a lasting directory.
    pub state: bool,
    /// Its jobs.
    pub jobs: Vec<JobResource>,
    /// Its task that was claimed last.
    pub last_task: Option<TaskResource>,
    /// Limits that the executor cannot keep here, in words.
    pub caveats: Vec<String>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobResource {
    /// `APP.JOB`.
    pub name: String,
    /// The App.
    pub app: String,
    /// The command as it was written, the App's where it has none of its own.
    pub command: Option<CommandBody>,
    /// Its schedules.
    pub schedules: Vec<ScheduleResource>,
    /// Overlap policy.
    pub overlap: String,
    /// Whether it was created by command; else it stands in a file, and is read-only.
    pub stored: bool,
    /// The file of its App.
    pub file: String,
    /// The earliest next slot of all schedules that is not skipped.
    pub next: Option<Timestamp>,
    /// The pause in which its slots are skipped.
    pub paused: Option<PauseResource>,
    /// How many of its next slots are skipped.
    pub skip_next: u32,
    /// Its task that was claimed last.
    pub last_task: Option<TaskResource>,
}

impl AppResource {
    /// An App as it is shown, with its jobs as they are.
    pub fn new(app: &App, jobs: Vec<JobResource>, last_task: Option<&Task>, caveats: &[String]) -> Self {
        Self {
            name: app.name.to_string(),
            stored: app.stored,
            file: (!app.stored).then(|| app.file.clone()),
            revision: app.revision.map(|number| number.0),
            image: app.image.clone(),
            path: app.path.as_ref().map(|path| path.display().to_string()),
            command: app.command.as_ref().map(CommandBody::from),
            cpu: app.resources.cpu.map(|cpu| cpu.to_string()),
            memory: app.resources.memory.map(|memory| memory.to_string()),
            disk: app.resources.disk.map(|disk| disk.to_string()),
            timeout_seconds: match app.timeout {
                Timeout::None => None,
                Timeout::After(limit) => Some(limit.as_secs()),
            },
            env: app.env.keys().cloned().collect(),
            services: app.services.iter().map(ToString::to_string).collect(),
            keep: app.retention.keep,
            state: app.state,
            jobs,
            last_task: last_task.map(TaskResource::from),
            caveats: caveats.to_vec(),
        }
    }
}

impl JobResource {
    /// A job as it is shown, with what somebody decided about its slots, and the task of it that was claimed last.
    pub fn new(app: &App, job: &Job, steering: &Steering, last_task: Option<&Task>, now: Timestamp) -> Self {
        let name = JobRef::of(app, job);
        let next = steering.next_slots(&job.schedules, now);
        let schedules = job.schedules.iter().zip(&next);
        Self {
            name: name.to_string(),
            app: app.name.to_string(),
            command: job.terms.command.as_ref().or(app.command.as_ref()).map(CommandBody::from),
            schedules: schedules
                .map(|(schedule, next)| ScheduleResource::new(&name, schedule, *next))
                .collect(),
            overlap: job.terms.overlap.to_string(),
            stored: job.stored,
            file: app.file.clone(),
            next: next.into_iter().flatten().min(),
            paused: steering.pause_at(now).map(PauseResource::from),
            skip_next: steering.left_to_skip(),
            last_task: last_task.map(TaskResource::from),
        }
    }
}

/// A pause of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PauseResource {
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who asked for it, as they call themselves.
    pub by: Option<String>,
    /// What for.
    pub note: Option<String>,
}

impl From<&Pause> for PauseResource {
    fn from(pause: &Pause) -> Self {
        Self {
            since: as_recorded(pause.since),
            until: pause.until,
            by: pause.by.clone(),
            note: pause.note.clone(),
        }
    }
}

/// A wish to pause: `POST /v1/jobs/{job}/pause`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PauseBody {
    /// When the pause ends by itself.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Who asks. It is written down, and opens nothing.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
    /// What for.
    #[schema(min_length = 1, max_length = 1000)]
    pub note: Option<String>,
}

/// A wish to end a pause: `POST /v1/jobs/{job}/resume`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResumeBody {
    /// What is done about the slots of the pause; they stay skipped unless it is said.
    #[schema(pattern = "^(latest|all|none)$")]
    pub catch_up: Option<String>,
}

/// A wish to skip slots: `POST /v1/jobs/{job}/skip-next`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SkipNextBody {
    /// How many; 1 unless it is said.
    #[schema(minimum = 1, maximum = 1000)]
    pub count: Option<u32>,
    /// Who asks. It is written down, and opens nothing.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
}

/// A job whose pause has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResumeResource {
    /// The job.
    pub job: JobResource,
    /// How many slots of the pause are caught up.
    pub caught_up: u64,
}

impl ScheduleResource {
    /// A schedule of `job` as it is shown, with its next slot.
    pub fn new(job: &JobRef, schedule: &Schedule, next: Option<Timestamp>) -> Self {
        let recurrence = &schedule.recurrence;
        let bounds = recurrence.bounds();
        Self {
            key: schedule.key.to_string(),
            cron: recurrence.expression().to_string(),
            resolved: recurrence.expression().resolved().map(ToOwned::to_owned),
            timezone: recurrence.timezone().to_string(),
            dst: recurrence.dst().to_string(),
            catch_up: schedule.rules.catch_up.to_string(),
            from: bounds.from,
            until: bounds.until,
            exclude: schedule.rules.exclude.names().map(ToOwned::to_owned).collect(),
            command: schedule
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.command.as_ref())
                .map(CommandBody::from),
            next,
            starts: next.map(|slot| slot + jitter(schedule, job, slot)),
        }
    }
}

/// A job that was created by command, as the text that it would be in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredJobResource {
    /// `APP.JOB`.
    pub name: String,
    /// The App.
    pub app: String,
    /// The file of its App; none where the App is not configured.
    pub file: Option<String>,
    /// Whether it is in effect: a file may name a job of the same name, or its App be gone.
    pub runs: bool,
    /// Its `[[jobs]]` table.
    pub toml: String,
}

/// A schedule of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleResource {
    /// Its key within the job.
    pub key: String,
    /// The expression as it was written.
    pub cron: String,
    /// The expression with what stands for each `H` in it.
    #[serde(default)]
    pub resolved: Option<String>,
    /// Time zone.
    pub timezone: String,
    /// How it meets daylight-saving transitions.
    pub dst: String,
    /// Catch-up policy.
    pub catch_up: String,
    /// From when on it has slots.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Until when it has slots.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The calendars in which it does not run.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Its own command.
    #[serde(default)]
    pub command: Option<CommandBody>,
    /// Its next slot that no calendar excludes.
    pub next: Option<Timestamp>,
    /// When the task of that slot starts: the slot, and its jitter.
    pub starts: Option<Timestamp>,
}

/// A row of the slot ledger: one slot, or neighbours that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotResource {
    /// `APP.JOB`.
    pub job: String,
    /// Key of the schedule.
    pub schedule: String,
    /// The first slot.
    pub first: Timestamp,
    /// The last slot.
    pub last: Timestamp,
    /// How many slots these are, where they can be counted: the schedule is configured, and they are few enough.
    pub slots: Option<u64>,
    /// `ran`, `caught-up`, `skipped` or `missed`.
    pub outcome: String,
    /// Why it was skipped, in words.
    pub reason: Option<String>,
    /// Who or what made it so, in words that follow: `by ann`, a calendar, since when the cluster was not to be
    /// reached.
    pub note: Option<String>,
    /// The task, where one was claimed.
    #[schema(value_type = Option<u64>)]
    pub task: Option<TaskId>,
    /// When the task was claimed; null in rows of before this was written down.
    pub claimed: Option<Timestamp>,
    /// When the task started; where its record is gone by retention, when it was claimed.
    pub actual: Option<Timestamp>,
    /// How long that is after the slot and its jitter, in milliseconds.
    pub lateness_ms: Option<i64>,
}

impl SlotResource {
    /// Why it was skipped, as in `paused by ann`.
    pub fn why(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        let note = self.note.as_ref().map(|note| format!(" {note}")).unwrap_or_default();
        Some(format!("{reason}{note}"))
    }
}

/// A task that waits to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueResource {
    /// The task.
    pub task: TaskResource,
    /// What kind of thing is in its way.
    pub blocked: Blocked,
    /// The run of its job that goes first, where that is it.
    #[schema(value_type = Option<u64>)]
    pub behind: Option<TaskId>,
    /// The group that it counts against.
    pub group: Option<String>,
    /// What is in its way, in words.
    pub waits_for: String,
}

/// A request for old slots to run again: `POST /v1/jobs/{job}/backfill`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackfillBody {
    /// No slot before this; required.
    pub from: Option<Timestamp>,
    /// No slot after this; required, and in the past.
    pub to: Option<Timestamp>,
    /// Which slots of these.
    pub select: BackfillSelect,
    /// Only of the schedule with this key.
    pub schedule: Option<String>,
    /// The most of them that run at once; one unless set.
    #[schema(minimum = 1)]
    pub max_running: Option<u32>,
    /// Whether nothing is to be claimed.
    pub dry_run: bool,
}

/// Which slots a backfill runs again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BackfillSelect {
    /// Those that were missed or skipped, but for what a calendar excludes.
    #[default]
    Missing,
    /// Those whose newest run failed, timed out or was lost.
    Failed,
    /// All, but for those whose newest run has not ended.
    All,
}

/// What a backfill comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackfillResource {
    /// The slots that were found, oldest first.
    pub slots: Vec<OldSlotResource>,
    /// The tasks that were claimed for them, on disk.
    pub claimed: Vec<TaskResource>,
    /// Tasks of the same request before that have not ended.
    pub under_way: Vec<TaskResource>,
}

/// An old slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OldSlotResource {
    /// `APP.JOB@SLOT`.
    pub name: String,
    /// Key of its schedule.
    pub schedule: String,
    /// The nominal instant.
    pub slot: Timestamp,
    /// What became of it: the phase of its newest run, `missed`, `skipped` and why, or `unknown`.
    pub was: String,
}

/// What is in the way of a task that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Blocked {
    /// Nothing any more.
    Nothing,
    /// A run of its job.
    Run,
    /// `max_running` of its App.
    App,
    /// `max_running` of its group.
    Group,
}

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorEnvelope {
    /// The error.
    pub error: ErrorBody,
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// A word for programs, as in `not-found`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What `/readyz?verbose` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadyResource {
    /// Whether it can take on work.
    pub ready: bool,
    /// Why not; or, where it is, what else is in the way.
    pub causes: Vec<String>,
}

/// Whether everything that should have run, has run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusResource {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// When that was looked at.
    pub at: Timestamp,
    /// How many jobs are watched.
    pub watched: usize,
    /// What is wrong, by job and kind.
    pub breaches: Vec<BreachResource>,
}

/// What `/healthz/schedules` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SchedulesResource {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// When that was looked at.
    pub at: Timestamp,
    /// How many jobs are watched.
    pub watched: usize,
    /// How many promises are broken.
    pub broken: usize,
    /// What is wrong, with `?verbose`.
    pub breaches: Option<Vec<BreachResource>>,
}

/// Something that is not as a job promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreachResource {
    /// `APP.JOB`.
    pub job: String,
    /// `late`, `no-success`, `too-long` or `failing`.
    pub kind: String,
    /// Since when.
    pub since: Timestamp,
    /// The task that it is about, where there is one.
    #[schema(value_type = Option<u64>)]
    pub task: Option<TaskId>,
    /// The same in a sentence.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl From<&Status> for StatusResource {
    fn from(status: &Status) -> Self {
        let breaches: Vec<_> =
            status.breaches.iter().map(|(job, breach)| BreachResource::of(job, breach)).collect();
        Self { ok: breaches.is_empty(), at: status.at, watched: status.watched, breaches }
    }
}

impl BreachResource {
    fn of(job: &JobRef, breach: &Breach) -> Self {
        Self {
            job: job.to_string(),
            kind: breach.kind.to_string(),
            since: breach.since,
            task: breach.task,
            what: breach.what.clone(),
            hint: breach.hint.clone(),
        }
    }
}

/// A new token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenResource {
    /// The only valid one.
    pub token: String,
}

/// What became of a wish to reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadResource {
    /// Whether anything changed.
    pub changed: bool,
    /// The generation that is in effect.
    pub generation: String,
}
