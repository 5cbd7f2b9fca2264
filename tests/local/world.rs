//! One executor on a directory of its own, and what tests ask of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use rustix::fs::{FlockOperation, fcntl_lock};
use tekcron::app::{App, ByteSize, Command, LogsOnTerminate, PodTemplate, Resources, Retention, Timeout};
use tekcron::clock::SystemClock;
use tekcron::config::{Config, ExecutorKind, LogFormat, Settings, TektonSettings};
use tekcron::executor::local::{LocalExecutor, LocalSettings};
use tekcron::executor::pipeline_run::submission;
use tekcron::executor::{Executor, LogQuery, Observation, Observed, Submission, Submitted};
use tekcron::task::{LogSize, Outcome, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Nothing here takes this long, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct World {
    pub(crate) executor: Arc<dyn Executor>,
    observations: mpsc::Receiver<Observation>,
    seen: Vec<Observation>,
    dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_room(64)
    }

    pub(crate) fn with_room(max_children: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let executor = open(dir.path(), max_children);
        let observations = executor.observations().unwrap();
        Self { executor, observations, seen: Vec::new(), dir }
    }

    /// The daemon goes, and a new one comes.
    pub(crate) fn restart(self) -> Self {
        let Self { executor, dir, .. } = self;
        drop(executor);
        let executor = open(dir.path(), 64);
        let observations = executor.observations().unwrap();
        Self { executor, observations, seen: Vec::new(), dir }
    }

    /// The daemon goes, the task ends, and a new daemon comes.
    pub(crate) async fn restart_when_ended(self, name: &TaskName) -> Self {
        let Self { executor, dir, .. } = self;
        drop(executor);
        let lock = fs::File::open(dir.path().join("data/tasks").join(name.as_str()).join("record")).unwrap();
        // Waits for the supervisor to let go of it.
        let locked = tokio::task::spawn_blocking(move || fcntl_lock(&lock, FlockOperation::LockShared));
        within(locked).await.unwrap().unwrap();
        let executor = open(dir.path(), 64);
        let observations = executor.observations().unwrap();
        Self { executor, observations, seen: Vec::new(), dir }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn task_dir(&self, name: &TaskName) -> PathBuf {
        self.data().join("tasks").join(name.as_str())
    }

    pub(crate) async fn submit(&self, submission: Submission) -> TaskName {
        let name = name_of(&submission);
        assert_eq!(self.executor.submit(submission).await.unwrap(), Submitted::Created);
        name
    }

    /// Runs a shell line to its end.
    pub(crate) async fn run(&mut self, line: &str) -> (TaskName, Outcome) {
        self.run_to_end(shell(line)).await
    }

    pub(crate) async fn run_to_end(&mut self, submission: Submission) -> (TaskName, Outcome) {
        let name = self.submit(submission).await;
        let outcome = self.outcome(&name).await;
        (name, outcome)
    }

    /// Waits for the task's end.
    pub(crate) async fn outcome(&mut self, name: &TaskName) -> Outcome {
        match self.until(name, |state| matches!(state, Observed::Finished(_))).await {
            Observed::Finished(outcome) => *outcome,
            _ => unreachable!(),
        }
    }

    /// Waits until the task is seen in a state that is `wanted`.
    pub(crate) async fn until(&mut self, name: &TaskName, wanted: impl Fn(&Observed) -> bool) -> Observed {
        let mut looked = 0;
        loop {
            let found = self.seen[looked..].iter().find(|seen| seen.name == *name && wanted(&seen.state));
            if let Some(found) = found {
                return found.state.clone();
            }
            looked = self.seen.len();
            self.seen.push(within(self.observations.recv()).await.unwrap());
        }
    }

    /// The next task that ends, whichever it is.
    pub(crate) async fn next_end(&mut self) -> (TaskName, Outcome) {
        loop {
            let seen = within(self.observations.recv()).await.unwrap();
            if let Observed::Finished(outcome) = seen.state {
                return (seen.name, *outcome);
            }
        }
    }

    pub(crate) async fn log(&self, name: &TaskName) -> String {
        self.log_with(name, LogQuery::default()).await
    }

    pub(crate) async fn log_with(&self, name: &TaskName, query: LogQuery) -> String {
        let stream = self.executor.logs(name, query).await.unwrap();
        let chunks: Vec<_> = within(stream.try_collect()).await.unwrap();
        chunks.iter().map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect()
    }

    /// Waits until the task's log holds `text`.
    pub(crate) async fn logged(&self, name: &TaskName, text: &str) {
        let query = LogQuery { follow: true, ..LogQuery::default() };
        let mut stream = self.executor.logs(name, query).await.unwrap();
        let mut log = String::new();
        while !log.contains(text) {
            let chunk = within(stream.try_next()).await.unwrap();
            log.push_str(&String::from_utf8_lossy(&chunk.unwrap_or_else(|| panic!("no `{text}` in: {log}"))));
        }
    }

    /// What the task's record says of its start; `None` before.
    pub(crate) fn started(&self, name: &TaskName) -> Option<serde_json::Value> {
        let record = fs::read_to_string(self.task_dir(name).join("record")).ok()?;
        let entry: serde_json::Value = serde_json::from_str(record.lines().nth(1)?).ok()?;
        entry.get("started").cloned()
    }

    /// The process of a running task's command.
    pub(crate) fn pid(&self, name: &TaskName) -> i32 {
        self.started(name).unwrap()["process"]["pid"].as_i64().unwrap() as i32
    }

    /// The process that supervises a running task.
    pub(crate) fn shim(&self, name: &TaskName) -> i32 {
        stat(self.pid(name)).unwrap()[1].parse().unwrap()
    }
}

fn open(dir: &Path, max_children: usize) -> Arc<dyn Executor> {
    let shim = PathBuf::from(env!("CARGO_BIN_EXE_tekcron"));
    let settings = LocalSettings { data_dir: dir.join("data"), max_children, shim };
    LocalExecutor::open(settings, Arc::new(SystemClock::new())).unwrap()
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Fields of `/proc/PID/stat` from the state on; `None` once the process is gone or a zombie.
pub(crate) fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<String> = fields.split_whitespace().map(str::to_owned).collect();
    (fields[0] != "Z").then_some(fields)
}

pub(crate) fn name_of(submission: &Submission) -> TaskName {
    submission.run.metadata.name.as_ref().unwrap().parse().unwrap()
}

pub(crate) fn shell(line: &str) -> Submission {
    with(Command::shell(line).unwrap(), |_| {})
}

pub(crate) fn exec<const N: usize>(words: [&str; N]) -> Submission {
    with(Command::exec(words.map(str::to_owned).to_vec()).unwrap(), |_| {})
}

/// What submits `command` on the App `demo` after `change`.
pub(crate) fn with(command: Command, change: impl FnOnce(&mut App)) -> Submission {
    let mut app = App {
        file: "etl.toml".to_owned(),
        name: "demo".parse().unwrap(),
        image: None,
        path: None,
        command: Some(command),
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
    };
    change(&mut app);
    let config = config(app);
    submission(&config, &task(&config, TaskId(7)), None).unwrap()
}

fn config(app: App) -> Config {
    Config {
        dir: PathBuf::from("/etc/tekcron"),
        settings: Settings {
            instance: "tekcron".into(),
            namespace: "default".into(),
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
            env: BTreeMap::new(),
            log_format: LogFormat::Text,
            log: "info".into(),
            health_listen: None,
            executor: ExecutorKind::Local,
            tekton: TektonSettings::default(),
            public_url: None,
            build: None,
        },
        apps: [(app.name.clone(), Arc::new(app))].into(),
        services: BTreeMap::new(),
        security_groups: BTreeMap::new(),
        calendars: std::collections::BTreeMap::new(),
        files: String::new(),
        stored: std::sync::Arc::default(),
        receivers: Default::default(),
        groups: BTreeMap::new(),
        generation: "c0ffee".into(),
    }
}

fn task(config: &Config, id: TaskId) -> Task {
    let app = config.apps.keys().next().unwrap().clone();
    let request = uuid::Uuid::new_v4().to_string();
    let (instance, namespace) = (&config.settings.instance, &config.settings.namespace);
    Task {
        name: TaskName::of(instance, namespace, &app, None, RunIdentity::Request(&request), 1),
        app,
        id,
        display_name: "demo".into(),
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
        generation: config.generation.clone(),
        created: Timestamp::UNIX_EPOCH,
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
