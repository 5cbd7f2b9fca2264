//! A configuration and tasks to begin with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tekcron::app::{App, Command, LogsOnTerminate, PodTemplate, Resources, Retention, Timeout};
use tekcron::config::{Config, ExecutorKind, LogFormat, Settings, TektonSettings};
use tekcron::job::Job;
use tekcron::schedule::{DstMode, Recurrence, Schedule, ScheduleKey};
use tekcron::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};

/// Two Apps with a job `nightly` each, run by hand; one of them with a job `weekly`, due on Sundays; and one
/// without a start command.
pub(crate) fn config(dir: &Path) -> Config {
    let apps = [
        app("backup", Some("tar cf /tmp/b.tar ."), &["nightly", "weekly"]),
        app("etl", Some("sh etl.sh"), &["nightly"]),
        app("idle", None, &[]),
    ];
    Config {
        dir: dir.join("config"),
        settings: settings(dir),
        apps: apps.into_iter().map(|app| (app.name.clone(), Arc::new(app))).collect(),
        services: BTreeMap::new(),
        security_groups: BTreeMap::new(),
        calendars: std::collections::BTreeMap::new(),
        files: String::new(),
        stored: std::sync::Arc::default(),
        receivers: Default::default(),
        groups: BTreeMap::new(),
        generation: "g1".to_owned(),
    }
}

pub(crate) fn settings(dir: &Path) -> Settings {
    Settings {
        instance: "tekcron".to_owned(),
        namespace: "default".to_owned(),
        data_dir: dir.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        insecure: false,
        max_children: 64,
        max_backfill: 1000,
        grace: SignedDuration::from_secs(10),
        drain: SignedDuration::from_secs(30),
        hold: SignedDuration::from_mins(5),
        max_log: "10Mi".parse().unwrap(),
        log_budget: "2Gi".parse().unwrap(),
        max_source: "1Gi".parse().unwrap(),
        keep_slots: SignedDuration::from_hours(90 * 24),
        env: BTreeMap::new(),
        log_format: LogFormat::Text,
        log: "info".to_owned(),
        health_listen: None,
        executor: ExecutorKind::Local,
        tekton: TektonSettings::default(),
        public_url: None,
        build: None,
    }
}

fn app(name: &str, command: Option<&str>, jobs: &[&str]) -> App {
    App {
        file: "etl.toml".to_owned(),
        name: name.parse().unwrap(),
        image: None,
        path: Some(PathBuf::from("/srv/etl")),
        command: command.map(|line| Command::shell(line).unwrap()),
        env: BTreeMap::from([("STAGE".to_owned(), "not-to-be-shown".to_owned())]),
        resources: Resources { memory: Some("256Mi".parse().unwrap()), ..Resources::default() },
        services: Vec::new(),
        service_account: None,
        security_groups: Vec::new(),
        pod_template: PodTemplate::default(),
        timeout: Timeout::default(),
        retention: Retention::default(),
        max_running: None,
        group: None,
        logs_on_terminate: LogsOnTerminate::default(),
        state: false,
        keep_workdir: false,
        stored: false,
        revision: None,
        build: tekcron::app::Build::default(),
        jobs: jobs.iter().map(|name| job(name)).map(|job| (job.name.clone(), job)).collect(),
    }
}

fn job(name: &str) -> Job {
    Job {
        stored: false,
        name: name.parse().unwrap(),
        schedules: if name == "weekly" { vec![std::sync::Arc::new(sundays())] } else { Vec::new() },
        terms: std::sync::Arc::default(),
    }
}

fn sundays() -> Schedule {
    let (expression, zone) = ("0 3 * * SUN", "Europe/London");
    Schedule {
        key: ScheduleKey::hashed(expression, zone, "vixie"),
        recurrence: Recurrence::new(expression.parse().unwrap(), zone.parse().unwrap(), DstMode::Vixie)
            .unwrap(),
        rules: Arc::default(),
        parameters: None,
    }
}

/// A task that has ended.
pub(crate) fn task(app: &str, id: u64, created: Timestamp) -> Task {
    let app = app.parse().unwrap();
    let request = format!("request {id}");
    Task {
        name: TaskName::of("tekcron", "default", &app, None, RunIdentity::Request(&request), 1),
        id: TaskId(id),
        display_name: app.to_string(),
        app,
        job: None,
        schedule: None,
        scheduled: None,
        ordinal: 0,
        trigger: Trigger::Manual,
        attempt: 1,
        first_attempt: None,
        request: Some(request),
        overrides: Overrides::default(),
        revision: None,
        image: None,
        generation: "g1".to_owned(),
        created,
        not_before: None,
        started: None,
        finished: Some(created),
        phase: Phase::Succeeded,
        terminating: None,
        logs_on_terminate: LogsOnTerminate::default(),
        reason: None,
        message: None,
        exit_code: Some(0),
        log: LogSize::default(),
    }
}
