//! Values: one version byte, then postcard.
//!
//! A shape, once released, is never changed: a new one gets the next number, and every old one must
//! go on loading (`tests/fixtures/records`). Enums inside may only grow at their end.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::key;
use super::slot::{SlotClaim, SlotOutcome, SlotRow};
use crate::app::{AppName, Command, LogsOnTerminate};
use crate::config::{StoredApp, StoredService};
use crate::job::{JobName, JobRef, Pause, SkipNext, Steering};
use crate::notify::{Event, Notice, Receiver};
use crate::push::{Revision, RevisionNumber, RevisionState, SourceHash};
use crate::schedule::ScheduleKey;
use crate::task::{LogSize, Overrides, Phase, Task, TaskId, TaskName, Trigger};
use crate::watch::{BreachKind, OpenBreach, Standing, Streak};

const V1: u8 = 1;
const V2: u8 = 2;
const V3: u8 = 3;

/// How far a schedule has been decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Every slot at or before this has its row, or lies before the schedule's time.
    pub at: Timestamp,
    /// Hash of expression, zone and dst mode: a schedule edited under its old `id` starts anew.
    pub fingerprint: String,
}

/// It knew no revisions.
#[derive(Serialize, Deserialize)]
struct TaskV1 {
    name: TaskName,
    display_name: String,
    job: Option<JobName>,
    schedule: Option<ScheduleKey>,
    scheduled: Option<i64>,
    ordinal: u32,
    trigger: Trigger,
    attempt: u32,
    first_attempt: Option<TaskId>,
    request: Option<String>,
    overrides: Option<Box<Overrides>>,
    generation: String,
    created: i64,
    not_before: Option<i64>,
    started: Option<i64>,
    finished: Option<i64>,
    phase: Phase,
    terminating: Option<i64>,
    logs_on_terminate: LogsOnTerminate,
    reason: Option<String>,
    message: Option<String>,
    exit_code: Option<i32>,
    log: LogSize,
}

#[derive(Serialize, Deserialize)]
struct TaskV2 {
    task: TaskV1,
    revision: Option<RevisionNumber>,
    image: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WatermarkV1 {
    at: i64,
    fingerprint: String,
}

/// It did not know the claim.
#[derive(Deserialize)]
struct SlotV1 {
    last: i64,
    outcome: SlotOutcome,
}

/// Microseconds count from the row's first instant, which stands in the key: so they are short.
#[derive(Serialize, Deserialize)]
struct SlotV2 {
    last: i64,
    outcome: SlotOutcome,
    claim: Option<SlotClaimV2>,
}

/// Of the few rows that have a note.
#[derive(Serialize, Deserialize)]
struct SlotV3 {
    row: SlotV2,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct SlotClaimV2 {
    due: i64,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct AppV1 {
    toml: String,
    current: Option<RevisionNumber>,
    newest: RevisionNumber,
    by: Option<String>,
    at: i64,
    deleting: bool,
}

#[derive(Serialize, Deserialize)]
struct RevisionV1 {
    source: Option<SourceHash>,
    image: Option<String>,
    command: Option<Command>,
    state: RevisionStateV1,
    build: Option<TaskId>,
    from: Option<RevisionNumber>,
    by: Option<String>,
    at: i64,
    ended: Option<i64>,
}

#[derive(Serialize, Deserialize)]
enum RevisionStateV1 {
    Building,
    Ready,
    Failed { reason: String },
}

#[derive(Serialize, Deserialize)]
struct ServiceV1 {
    toml: String,
    by: Option<String>,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct SteeringV1 {
    pause: Option<PauseV1>,
    skip_next: Option<SkipNextV1>,
}

#[derive(Serialize, Deserialize)]
struct PauseV1 {
    since: i64,
    until: Option<i64>,
    by: Option<String>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SkipNextV1 {
    left: u32,
    by: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StreakV1 {
    failures: u32,
    failing_since: Option<i64>,
    last_success: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct StandingV1 {
    since: i64,
    open: Vec<OpenV1>,
}

#[derive(Serialize, Deserialize)]
struct OpenV1 {
    kind: BreachKind,
    since: i64,
    told: bool,
}

#[derive(Serialize, Deserialize)]
struct NoticeV1 {
    to: Receiver,
    event: Event,
    app: AppName,
    job: JobName,
    kind: BreachKind,
    since: i64,
    at: i64,
    task: Option<TaskId>,
    what: String,
    hint: Option<String>,
}

/// The task that an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdempotencyV1 {
    pub(super) app: AppName,
    pub(super) id: TaskId,
    /// Hash of the request: the same key with another request is an error.
    pub(super) request: String,
    pub(super) created: i64,
}

/// Most tasks are of no pushed App, and are written as ever.
pub(super) fn encode_task(task: &Task) -> Vec<u8> {
    let (revision, image) = (task.revision, task.image.clone());
    match (revision, &image) {
        (None, None) => encode(&task_row(task)),
        _ => encode_as(V2, &TaskV2 { task: task_row(task), revision, image }),
    }
}

fn task_row(task: &Task) -> TaskV1 {
    TaskV1 {
        name: task.name.clone(),
        display_name: task.display_name.clone(),
        job: task.job.clone(),
        schedule: task.schedule.clone(),
        scheduled: task.scheduled.map(micros),
        ordinal: task.ordinal,
        trigger: task.trigger,
        attempt: task.attempt,
        first_attempt: task.first_attempt,
        request: task.request.clone(),
        overrides: (task.overrides != Overrides::default()).then(|| Box::new(task.overrides.clone())),
        generation: task.generation.clone(),
        created: micros(task.created),
        not_before: task.not_before.map(micros),
        started: task.started.map(micros),
        finished: task.finished.map(micros),
        phase: task.phase,
        terminating: task.terminating.map(micros),
        logs_on_terminate: task.logs_on_terminate,
        reason: task.reason.clone(),
        message: task.message.clone(),
        exit_code: task.exit_code,
        log: task.log,
    }
}

/// Reads the task at `raw_key`, which says whose it is.
pub(super) fn decode_task(raw_key: &[u8], value: &[u8]) -> Result<Task, StoreError> {
    let (app, id) =
        key::parts_of_task(raw_key).ok_or_else(|| unreadable("task", raw_key, "a key of another shape"))?;
    let TaskV2 { task: row, revision, image } = match value.first() {
        Some(&V2) => decode_as(V2, "task", raw_key, value)?,
        _ => TaskV2 { task: decode("task", raw_key, value)?, revision: None, image: None },
    };
    let time = |micros| timestamp("task", raw_key, micros);
    Ok(Task {
        app,
        id,
        name: row.name,
        display_name: row.display_name,
        job: row.job,
        schedule: row.schedule,
        scheduled: row.scheduled.map(time).transpose()?,
        ordinal: row.ordinal,
        trigger: row.trigger,
        attempt: row.attempt,
        first_attempt: row.first_attempt,
        request: row.request,
        overrides: row.overrides.map(|overrides| *overrides).unwrap_or_default(),
        revision,
        image,
        generation: row.generation,
        created: time(row.created)?,
        not_before: row.not_before.map(time).transpose()?,
        started: row.started.map(time).transpose()?,
        finished: row.finished.map(time).transpose()?,
        phase: row.phase,
        terminating: row.terminating.map(time).transpose()?,
        logs_on_terminate: row.logs_on_terminate,
        reason: row.reason,
        message: row.message,
        exit_code: row.exit_code,
        log: row.log,
    })
}

/// What the task at `raw_key` is called, without reading the rest of it.
pub(super) fn name_of_task<'a>(raw_key: &[u8], value: &'a [u8]) -> Result<&'a str, StoreError> {
    match value.split_first() {
        Some((&(V1 | V2), row)) => postcard::take_from_bytes(row)
            .map(|(name, _)| name)
            .map_err(|error| unreadable("task", raw_key, error)),
        _ => decode_task(raw_key, value).and(Err(unreadable("task", raw_key, "it has no name"))),
    }
}

pub(super) fn encode_slot(row: &SlotRow) -> Vec<u8> {
    // Keys have whole milliseconds.
    let first = row.first.as_millisecond() * 1000;
    let after = |time| micros(time) - first;
    let claim = row.claim.map(|claim| SlotClaimV2 { due: after(claim.due), at: after(claim.at) });
    let former = SlotV2 { last: after(row.last), outcome: row.outcome, claim };
    match &row.note {
        None => encode_as(V2, &former),
        Some(note) => encode_as(V3, &SlotV3 { row: former, note: note.clone() }),
    }
}

/// Reads the row at `raw_key`, which says whose it is, and where it begins.
pub(super) fn decode_slot(raw_key: &[u8], value: &[u8]) -> Result<SlotRow, StoreError> {
    let (schedule, first) =
        key::parts_of_slot(raw_key).ok_or_else(|| unreadable("slot", raw_key, "a key of another shape"))?;
    if value.first() == Some(&V1) {
        let SlotV1 { last, outcome } = decode("slot", raw_key, value)?;
        return Ok(SlotRow {
            schedule,
            first,
            last: timestamp("slot", raw_key, last)?,
            outcome,
            claim: None,
            note: None,
        });
    }
    let (row, note) = match value.first() {
        Some(&V3) => {
            let SlotV3 { row, note } = decode_as(V3, "slot", raw_key, value)?;
            (row, Some(note))
        }
        _ => (decode_as::<SlotV2>(V2, "slot", raw_key, value)?, None),
    };
    let after = |after: i64| {
        let time = micros(first).checked_add(after);
        timestamp("slot", raw_key, time.unwrap_or(i64::MAX))
    };
    let claim = row.claim.map(|claim| Ok(SlotClaim { due: after(claim.due)?, at: after(claim.at)? }));
    Ok(SlotRow {
        schedule,
        first,
        last: after(row.last)?,
        outcome: row.outcome,
        claim: claim.transpose()?,
        note,
    })
}

pub(super) fn encode_watermark(watermark: &Watermark) -> Vec<u8> {
    encode(&WatermarkV1 { at: micros(watermark.at), fingerprint: watermark.fingerprint.clone() })
}

pub(super) fn decode_watermark(raw_key: &[u8], value: &[u8]) -> Result<Watermark, StoreError> {
    let row: WatermarkV1 = decode("watermark", raw_key, value)?;
    Ok(Watermark { at: timestamp("watermark", raw_key, row.at)?, fingerprint: row.fingerprint })
}

pub(super) fn encode_app(app: &StoredApp) -> Vec<u8> {
    encode(&AppV1 {
        toml: app.toml.clone(),
        current: app.current,
        newest: app.newest,
        by: app.by.clone(),
        at: micros(app.at),
        deleting: app.deleting,
    })
}

pub(super) fn decode_app(raw_key: &[u8], value: &[u8]) -> Result<StoredApp, StoreError> {
    let AppV1 { toml, current, newest, by, at, deleting } = decode("app", raw_key, value)?;
    Ok(StoredApp { toml, current, newest, by, at: timestamp("app", raw_key, at)?, deleting })
}

pub(super) fn encode_revision(revision: &Revision) -> Vec<u8> {
    encode(&RevisionV1 {
        source: revision.source,
        image: revision.image.clone(),
        command: revision.command.clone(),
        state: match &revision.state {
            RevisionState::Building => RevisionStateV1::Building,
            RevisionState::Ready => RevisionStateV1::Ready,
            RevisionState::Failed { reason } => RevisionStateV1::Failed { reason: reason.clone() },
        },
        build: revision.build,
        from: revision.from,
        by: revision.by.clone(),
        at: micros(revision.at),
        ended: revision.ended.map(micros),
    })
}

/// Reads the revision at `raw_key`, which says whose it is.
pub(super) fn decode_revision(raw_key: &[u8], value: &[u8]) -> Result<(AppName, Revision), StoreError> {
    let (app, number) = key::parts_of_revision(raw_key)
        .ok_or_else(|| unreadable("revision", raw_key, "a key of another shape"))?;
    let row: RevisionV1 = decode("revision", raw_key, value)?;
    let time = |micros| timestamp("revision", raw_key, micros);
    let state = match row.state {
        RevisionStateV1::Building => RevisionState::Building,
        RevisionStateV1::Ready => RevisionState::Ready,
        RevisionStateV1::Failed { reason } => RevisionState::Failed { reason },
    };
    let revision = Revision {
        number,
        source: row.source,
        image: row.image,
        command: row.command,
        state,
        build: row.build,
        from: row.from,
        by: row.by,
        at: time(row.at)?,
        ended: row.ended.map(time).transpose()?,
    };
    Ok((app, revision))
}

pub(super) fn encode_service(service: &StoredService) -> Vec<u8> {
    encode(&ServiceV1 { toml: service.toml.clone(), by: service.by.clone(), at: micros(service.at) })
}

pub(super) fn decode_service(raw_key: &[u8], value: &[u8]) -> Result<StoredService, StoreError> {
    let ServiceV1 { toml, by, at } = decode("service", raw_key, value)?;
    Ok(StoredService { toml, by, at: timestamp("service", raw_key, at)? })
}

pub(super) fn encode_steering(steering: &Steering) -> Vec<u8> {
    let pause = steering.pause.as_ref().map(|pause| PauseV1 {
        since: micros(pause.since),
        until: pause.until.map(micros),
        by: pause.by.clone(),
        note: pause.note.clone(),
    });
    let skip = steering.skip_next.as_ref();
    let skip_next = skip.map(|skip| SkipNextV1 { left: skip.left, by: skip.by.clone() });
    encode(&SteeringV1 { pause, skip_next })
}

pub(super) fn decode_steering(raw_key: &[u8], value: &[u8]) -> Result<Steering, StoreError> {
    let row: SteeringV1 = decode("steering", raw_key, value)?;
    let time = |micros| timestamp("steering", raw_key, micros);
    let pause = row.pause.map(|pause| {
        let (since, until) = (time(pause.since)?, pause.until.map(time).transpose()?);
        Ok(Pause { since, until, by: pause.by, note: pause.note })
    });
    let skip_next = row.skip_next.map(|skip| SkipNext { left: skip.left, by: skip.by });
    Ok(Steering { pause: pause.transpose()?, skip_next })
}

pub(super) fn encode_notice(notice: &Notice) -> Vec<u8> {
    encode(&NoticeV1 {
        to: notice.to.clone(),
        event: notice.event,
        app: notice.job.app.clone(),
        job: notice.job.job.clone(),
        kind: notice.kind,
        since: micros(notice.since),
        at: micros(notice.at),
        task: notice.task,
        what: notice.what.clone(),
        hint: notice.hint.clone(),
    })
}

/// Reads the notice at `raw_key`, which holds its id.
pub(super) fn decode_notice(raw_key: &[u8], value: &[u8]) -> Result<Notice, StoreError> {
    let id =
        key::id_of_notice(raw_key).ok_or_else(|| unreadable("notice", raw_key, "a key of another shape"))?;
    let row: NoticeV1 = decode("notice", raw_key, value)?;
    Ok(Notice {
        id,
        to: row.to,
        event: row.event,
        job: JobRef::new(row.app, row.job),
        kind: row.kind,
        since: timestamp("notice", raw_key, row.since)?,
        at: timestamp("notice", raw_key, row.at)?,
        task: row.task,
        what: row.what,
        hint: row.hint,
    })
}

pub(super) fn encode_streak(streak: &Streak) -> Vec<u8> {
    encode(&StreakV1 {
        failures: streak.failures,
        failing_since: streak.failing_since.map(micros),
        last_success: streak.last_success.map(micros),
    })
}

pub(super) fn decode_streak(raw_key: &[u8], value: &[u8]) -> Result<Streak, StoreError> {
    let row: StreakV1 = decode("streak", raw_key, value)?;
    let time = |micros: Option<i64>| micros.map(|micros| timestamp("streak", raw_key, micros)).transpose();
    Ok(Streak {
        failures: row.failures,
        failing_since: time(row.failing_since)?,
        last_success: time(row.last_success)?,
    })
}

pub(super) fn encode_standing(standing: &Standing) -> Vec<u8> {
    let open = |open: &OpenBreach| OpenV1 { kind: open.kind, since: micros(open.since), told: open.told };
    encode(&StandingV1 { since: micros(standing.since), open: standing.open.iter().map(open).collect() })
}

pub(super) fn decode_standing(raw_key: &[u8], value: &[u8]) -> Result<Standing, StoreError> {
    let row: StandingV1 = decode("standing", raw_key, value)?;
    let time = |micros| timestamp("standing", raw_key, micros);
    let open = row
        .open
        .into_iter()
        .map(|open| Ok(OpenBreach { kind: open.kind, since: time(open.since)?, told: open.told }));
    Ok(Standing { since: time(row.since)?, open: open.collect::<Result<_, StoreError>>()? })
}

/// The one value without a version: a number.
pub(super) fn decode_counter(raw_key: &[u8], value: &[u8]) -> Result<TaskId, StoreError> {
    let id = value.try_into().map_err(|_| unreadable("counter", raw_key, "not a number"))?;
    Ok(TaskId(u64::from_be_bytes(id)))
}

pub(super) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    encode_as(V1, row)
}

fn encode_as<T: Serialize>(version: u8, row: &T) -> Vec<u8> {
    postcard::to_extend(row, vec![version]).expect("records are plain data, which postcard always writes")
}

pub(super) fn decode<T: DeserializeOwned>(
    kind: &'static str,
    raw_key: &[u8],
    value: &[u8],
) -> Result<T, StoreError> {
    decode_as(V1, kind, raw_key, value)
}

fn decode_as<T: DeserializeOwned>(
    expected: u8,
    kind: &'static str,
    raw_key: &[u8],
    value: &[u8],
) -> Result<T, StoreError> {
    match value.split_first() {
        Some((version, row)) if *version == expected => {
            postcard::from_bytes(row).map_err(|error| unreadable(kind, raw_key, error))
        }
        Some((version, _)) => Err(unreadable(kind, raw_key, format_args!("unknown version {version}"))),
        None => Err(unreadable(kind, raw_key, "it is empty")),
    }
}

pub(super) fn unreadable(kind: &'static str, raw_key: &[u8], message: impl std::fmt::Display) -> StoreError {
    StoreError::Record { kind, key: key::display(raw_key), message: message.to_string() }
}

pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub(super) fn timestamp(kind: &'static str, raw_key: &[u8], micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| unreadable(kind, raw_key, error))
}
