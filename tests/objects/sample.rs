//! A config with one App that uses everything and one that uses nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tekcron::app::pod::{TaintEffect, Toleration, Volume, VolumeSource};
use tekcron::app::security_group::{Protocol, Rule};
use tekcron::app::{
    App, ByteSize, Command, CredentialSource, LogsOnTerminate, PodTemplate, Resources, Retention,
    SecurityGroup, Service, Timeout,
};
use tekcron::config::{Config, ExecutorKind, LogFormat, Settings, TektonSettings};
use tekcron::job::{Job, MaxQueued, Retries, Terms};
use tekcron::schedule::{Overlap, ScheduleKey};
use tekcron::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};

pub(crate) fn config() -> Config {
    let apps = [etl(), plain()].map(|app| (app.name.clone(), Arc::new(app)));
    let services = [
        service("mailbox", "smtp", CredentialSource::Env("MAILBOX".into())),
        service("warehouse", "postgres", CredentialSource::Env("WAREHOUSE".into())),
    ];
    Config {
        dir: PathBuf::from("/etc/tekcron"),
        settings: settings(),
        apps: apps.into(),
        services: services.map(|service| (service.name.clone(), service)).into(),
        security_groups: [("public-networks".to_owned(), public_networks())].into(),
        calendars: std::collections::BTreeMap::new(),
        files: String::new(),
        stored: std::sync::Arc::default(),
        receivers: Default::default(),
        groups: BTreeMap::new(),
        generation: "c0ffee".into(),
    }
}

/// The config after `change` to its App `etl`.
pub(crate) fn config_with(change: impl FnOnce(&mut App)) -> Config {
    let mut config = config();
    let mut app = etl();
    change(&mut app);
    config.apps.insert(app.name.clone(), Arc::new(app));
    config
}

fn settings() -> Settings {
    Settings {
        instance: "tekcron".into(),
        namespace: "batch".into(),
        data_dir: "/var/lib/tekcron".into(),
        listen: "127.0.0.1:7070".parse().unwrap(),
        tls: None,
        insecure: false,
        max_children: 64,
        max_backfill: 1000,
        grace: SignedDuration::from_secs(10),
        drain: SignedDuration::from_secs(10),
        hold: SignedDuration::from_mins(5),
        max_log: ByteSize::from_mebibytes(10),
        log_budget: ByteSize::from_mebibytes(2048),
        max_source: ByteSize::from_mebibytes(1024),
        keep_slots: SignedDuration::from_hours(90 * 24),
        env: env([("TZ", "UTC"), ("LAYER", "service")]),
        log_format: LogFormat::Text,
        log: "info".into(),
        health_listen: None,
        executor: ExecutorKind::Local,
        tekton: TektonSettings::default(),
        public_url: None,
        build: None,
    }
}

fn etl() -> App {
    let terms = Terms {
        command: Some(Command::exec(vec!["sh".into(), "etl.sh".into(), "--full".into()]).unwrap()),
        env: env([("LAYER", "job")]),
        resources: Resources { memory: Some("512Mi".parse().unwrap()), ..Resources::default() },
        timeout: Some(Timeout::After(SignedDuration::from_hours(2))),
        overlap: Overlap::Skip,
        max_queued: MaxQueued::default(),
        group: None,
        retries: Retries::default(),
        watch: None,
    };
    let job = Job { name: "nightly".parse().unwrap(), schedules: vec![], terms: terms.into(), stored: false };
    App {
        image: Some("registry.example/etl:1.4".into()),
        path: Some("/srv/etl".into()),
        command: Some(Command::shell("sh etl.sh > /tmp/out.$$").unwrap()),
        env: env([("STAGE", "demo"), ("LAYER", "app"), ("LANG", "C")]),
        resources: Resources {
            cpu: Some("500m".parse().unwrap()),
            memory: Some("256M".parse().unwrap()),
            disk: Some("1Gi".parse().unwrap()),
        },
        services: vec!["mailbox".parse().unwrap(), "warehouse".parse().unwrap()],
        service_account: Some("etl-runner".into()),
        security_groups: vec!["public-networks".into()],
        pod_template: everything_of_a_pod(),
        timeout: Timeout::After(SignedDuration::from_mins(30)),
        state: true,
        jobs: [(job.name.clone(), job)].into(),
        ..app("etl")
    }
}

fn plain() -> App {
    App { command: Some(Command::shell("date").unwrap()), timeout: Timeout::None, ..app("plain") }
}

fn app(name: &str) -> App {
    App {
        file: "etl.toml".to_owned(),
        name: name.parse().unwrap(),
        image: None,
        path: None,
        command: None,
        env: BTreeMap::new(),
        resources: Resources::default(),
        services: vec![],
        service_account: None,
        security_groups: vec![],
        pod_template: PodTemplate::default(),
        timeout: Timeout::default(),
        retention: Retention::default(),
        max_running: None,
        group: None,
        logs_on_terminate: LogsOnTerminate::Keep,
        state: false,
        keep_workdir: false,
        stored: false,
        revision: None,
        build: tekcron::app::Build::default(),
        jobs: BTreeMap::new(),
    }
}

/// A pod template that uses all that there is.
fn everything_of_a_pod() -> PodTemplate {
    let volume = |source, mount_path: &str, read_only| Volume {
        source,
        mount_path: mount_path.parse().unwrap(),
        read_only,
    };
    let batch = Toleration {
        key: Some("batch".into()),
        value: Some("only".into()),
        effect: Some(TaintEffect::NoSchedule),
        seconds: None,
    };
    let ending =
        Toleration { key: None, value: None, effect: Some(TaintEffect::NoExecute), seconds: Some(60) };
    PodTemplate {
        node_selector: env([("kubernetes.io/arch", "arm64")]),
        tolerations: vec![batch, ending],
        volumes: vec![
            volume(VolumeSource::Secret("certs".into()), "/etc/certs", true),
            volume(VolumeSource::ConfigMap("rates".into()), "/etc/rates", true),
            volume(VolumeSource::EmptyDir, "/scratch", false),
            volume(VolumeSource::PersistentVolumeClaim("shared".into()), "/shared", false),
        ],
        image_pull_secrets: vec!["registry".into()],
        run_as_user: Some(1000),
        run_as_group: Some(1000),
        fs_group: Some(2000),
        run_as_non_root: Some(true),
    }
}

fn public_networks() -> SecurityGroup {
    let rule = |protocol, destination: &str| Rule { protocol, destination: destination.parse().unwrap() };
    SecurityGroup {
        rules: vec![
            rule(Protocol::Tcp("443,8000-8080".parse().unwrap()), "0.0.0.0-9.255.255.255, 11.0.0.0/8"),
            rule(Protocol::Udp("53".parse().unwrap()), "10.96.0.10"),
            rule(Protocol::All, "fd00::/8"),
        ],
    }
}

fn service(name: &str, label: &str, credentials: CredentialSource) -> Service {
    let tags = vec!["sql".into()];
    Service { name: name.parse().unwrap(), label: label.into(), tags, credentials, stored: false }
}

/// The run of a slot of `etl.nightly`.
pub(crate) fn scheduled() -> Task {
    let config = config();
    let slot: Timestamp = "2026-12-01T02:00:00Z".parse().unwrap();
    let schedule = ScheduleKey::hashed("0 2 * * *", "Europe/London", "vixie");
    let (app, job) = ("etl".parse().unwrap(), "nightly".parse().unwrap());
    let identity = RunIdentity::Slot { schedule: &schedule, slot, ordinal: 0 };
    Task {
        name: name(&config, &app, Some(&job), identity),
        id: TaskId(17),
        display_name: "nightly".into(),
        job: Some(job),
        app,
        schedule: Some(schedule),
        scheduled: Some(slot),
        trigger: Trigger::Schedule,
        request: None,
        ..manual("etl")
    }
}

/// A run of `app` itself, by hand.
pub(crate) fn manual(app: &str) -> Task {
    let config = config();
    let request = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    let app = app.parse().unwrap();
    Task {
        name: name(&config, &app, None, RunIdentity::Request(request)),
        app,
        id: TaskId(3),
        display_name: "by hand: £ \"quoted\"".into(),
        job: None,
        schedule: None,
        scheduled: None,
        ordinal: 0,
        trigger: Trigger::Manual,
        attempt: 1,
        first_attempt: None,
        request: Some(request.into()),
        overrides: Overrides::default(),
        revision: None,
        image: None,
        generation: config.generation,
        created: "2026-12-01T02:00:00.004Z".parse().unwrap(),
        not_before: None,
        started: None,
        finished: None,
        phase: Phase::Pending,
        terminating: None,
        logs_on_terminate: LogsOnTerminate::Keep,
        reason: None,
        message: None,
        exit_code: None,
        log: LogSize::default(),
    }
}

fn name(
    config: &Config,
    app: &tekcron::app::AppName,
    job: Option<&tekcron::job::JobName>,
    identity: RunIdentity<'_>,
) -> TaskName {
    TaskName::of(&config.settings.instance, &config.settings.namespace, app, job, identity, 1)
}

pub(crate) fn env<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
