//! Tasks, jobs and Apps as a service would tell of them. Their times are so long ago that a test run does
//! not change what is printed of them.

use jiff::{SignedDuration, Timestamp};
use tekcron::api::resources::{
    AppResource, CommandBody, JobResource, ScheduleResource, SlotResource, TaskResource,
};
use tekcron::clock::{Clock, SystemClock};
use tekcron::task::{LogSize, Phase, TaskId, Trigger};

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

/// Two days, one hour and a half ago.
fn created() -> Timestamp {
    now() - SignedDuration::from_mins(49 * 60 + 30)
}

/// A scheduled task that succeeded after 95 seconds.
pub(crate) fn task(id: u64) -> TaskResource {
    let created = created();
    TaskResource {
        app: "etl".into(),
        id: TaskId(id),
        name: format!("etl-nightly-abcdefghij{id:02}"),
        display_name: "nightly".into(),
        job: Some("etl.nightly".into()),
        schedule: Some("k5f2".into()),
        revision: None,
        trigger: Trigger::Schedule,
        attempt: 1,
        first_attempt: None,
        scheduled: Some("2026-11-23T02:00:00Z".parse().unwrap()),
        created,
        not_before: None,
        started: Some(created + SignedDuration::from_secs(1)),
        finished: Some(created + SignedDuration::from_secs(96)),
        phase: Phase::Succeeded,
        terminating: None,
        reason: Some("Completed".into()),
        message: Some("it ended with exit code 0".into()),
        exit_code: Some(0),
        log: LogSize { kept: 2048, cut: 0 },
    }
}

/// The same, but ended so.
pub(crate) fn ended(
    id: u64,
    phase: Phase,
    exit_code: Option<i32>,
    reason: &str,
    message: &str,
) -> TaskResource {
    TaskResource { phase, exit_code, reason: Some(reason.into()), message: Some(message.into()), ..task(id) }
}

/// One that was run by hand and waits for its turn.
pub(crate) fn queued(id: u64) -> TaskResource {
    TaskResource {
        display_name: "by hand".into(),
        job: None,
        schedule: None,
        trigger: Trigger::Manual,
        scheduled: None,
        started: None,
        finished: None,
        phase: Phase::Queued,
        reason: None,
        message: None,
        exit_code: None,
        log: LogSize::default(),
        ..task(id)
    }
}

pub(crate) fn job() -> JobResource {
    JobResource {
        stored: false,
        file: "config/apps/etl.toml".into(),
        name: "etl.nightly".into(),
        app: "etl".into(),
        command: Some(CommandBody::Exec(["sh", "etl.sh", "--full"].map(Into::into).to_vec())),
        schedules: vec![ScheduleResource {
            key: "k5f2".into(),
            cron: "0 2 * * *".into(),
            resolved: None,
            timezone: "Europe/London".into(),
            dst: "vixie".into(),
            catch_up: "latest".into(),
            from: None,
            until: None,
            exclude: Vec::new(),
            command: None,
            next: Some(now() + SignedDuration::from_mins(49 * 60 + 30)),
            starts: Some(now() + SignedDuration::from_mins(49 * 60 + 30)),
        }],
        paused: None,
        skip_next: 0,
        overlap: "skip".into(),
        next: Some(now() + SignedDuration::from_mins(49 * 60 + 30)),
        last_task: Some(task(7)),
    }
}

pub(crate) fn job_by_hand() -> JobResource {
    let (next, last_task) = (None, None);
    JobResource { name: "etl.refill".into(), schedules: Vec::new(), next, last_task, ..job() }
}

pub(crate) fn app() -> AppResource {
    AppResource {
        name: "etl".into(),
        stored: false,
        file: Some("config/apps/etl.toml".into()),
        revision: None,
        image: Some("registry.example/etl:1.4".into()),
        path: Some("/srv/examples/etl".into()),
        command: Some(CommandBody::Shell("sh etl.sh".into())),
        cpu: Some("500m".into()),
        memory: Some("256Mi".into()),
        disk: None,
        timeout_seconds: Some(1800),
        env: vec!["STAGE".into()],
        services: vec!["warehouse".into()],
        keep: 500,
        state: false,
        jobs: vec![job(), job_by_hand()],
        last_task: Some(task(7)),
        caveats: vec!["memory is watched, not enforced".into()],
    }
}

/// Rows of a ledger, newest first.
pub(crate) fn slots() -> Vec<SlotResource> {
    let row = |first: &str, last: &str, slots, outcome: &str| SlotResource {
        job: "etl.nightly".into(),
        schedule: "k3".into(),
        first: first.parse().unwrap(),
        last: last.parse().unwrap(),
        slots,
        outcome: outcome.into(),
        reason: None,
        note: None,
        task: None,
        claimed: None,
        actual: None,
        lateness_ms: None,
    };
    let ran = "2026-01-03T02:00:00Z";
    vec![
        SlotResource {
            task: Some(TaskId(7)),
            claimed: Some("2026-01-03T02:00:00.0021Z".parse().unwrap()),
            actual: Some("2026-01-03T02:00:00.0142Z".parse().unwrap()),
            lateness_ms: Some(14),
            ..row(ran, ran, Some(1), "ran")
        },
        SlotResource {
            reason: Some("overlap with task 6".into()),
            ..row("2025-12-30T02:00:00Z", "2026-01-02T02:00:00Z", Some(4), "skipped")
        },
        row("2024-12-30T02:00:00Z", "2025-12-29T02:00:00Z", None, "missed"),
    ]
}
