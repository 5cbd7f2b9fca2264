//! A dispatcher in process, with the Tekton executor, a store and a clock by hand, beside a scripted cluster.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tekcron::clock::{Clock, ManualClock, SharedClock};
use tekcron::config::Config;
use tekcron::executor::tekton::{TektonExecutor, TektonOptions};
use tekcron::executor::{Executor, LogQuery};
use tekcron::schedule::wheel::Wheel;
use tekcron::store::{SlotRow, Store, StoreError};
use tekcron::task::{
    DispatchHandle, Dispatcher, Overrides, Parts, Phase, RunRequest, Task, TaskId, TaskName, Terminated,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Cluster, NAMESPACE, PATIENCE, RUNS};

/// The cluster, and what outlives a daemon.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) dir: TempDir,
    pub(crate) options: TektonOptions,
    settings: String,
    app: String,
}

/// A daemon's part of it.
pub(crate) struct Life {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) store: Store,
    pub(crate) handle: DispatchHandle,
    stop: CancellationToken,
    running: JoinHandle<Result<(), StoreError>>,
}

/// When everything begins.
pub(crate) const BEGIN: &str = "2026-12-01T02:00:00Z";

/// Without anything happening on the server for so long, a second passes.
const QUIET: Duration = Duration::from_millis(20);

const APP: &str = "[app]\nname = \"etl\"\nimage = \"busybox:1\"\ncommand = \"true\"\n";

impl World {
    pub(crate) fn new() -> Self {
        Self::with("", "")
    }

    /// With more in the settings, and in the App.
    pub(crate) fn with(settings: &str, app: &str) -> Self {
        let (cluster, dir) = (Cluster::start(), TempDir::new().unwrap());
        let options = TektonOptions {
            data_dir: dir.path().to_owned(),
            instance: "tekcron".to_owned(),
            namespace: NAMESPACE.to_owned(),
            kubeconfig: Some(cluster.kubeconfig(dir.path())),
            context: None,
            max_creates: 16,
            max_submitted: 10_000,
            unschedulable_after: None,
            max_log: 1 << 20,
            max_followed: 256,
            emit: false,
        };
        let clock = Arc::new(ManualClock::new(BEGIN.parse().unwrap()));
        let settings = format!("executor = \"tekton\"\nnamespace = \"{NAMESPACE}\"\n{settings}");
        Self { cluster, clock, dir, options, settings, app: format!("{APP}{app}") }
    }

    pub(crate) fn config(&self) -> Config {
        Config::from_toml(&self.settings, &[&self.app]).unwrap()
    }

    pub(crate) async fn executor(&self) -> Arc<dyn Executor> {
        TektonExecutor::open(self.options.clone(), self.clock.clone()).await.unwrap()
    }

    pub(crate) async fn begin(&self) -> Life {
        let clock: SharedClock = self.clock.clone();
        let store = open_patiently(self.dir.path(), &clock);
        let executor = self.executor().await;
        let (wheel, wakes) = Wheel::start(Arc::clone(&clock)).unwrap();
        let parts = Parts {
            store: store.clone(),
            executor: Arc::clone(&executor),
            clock,
            wheel,
            wakes,
            config: Arc::new(self.config()),
        };
        let (dispatcher, handle, _) = Dispatcher::recover(parts).unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(dispatcher.run(stop.clone().cancelled_owned()));
        Life { executor, store, handle, stop, running }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets seconds pass until `wanted` has an answer.
    pub(crate) async fn pass_until<T>(&self, what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
        let passing = async {
            loop {
                if let Some(answer) = wanted() {
                    return answer;
                }
                if self.cluster.quiet_for(QUIET).await {
                    self.clock.advance(Duration::from_secs(1));
                }
            }
        };
        match tokio::time::timeout(PATIENCE, passing).await {
            Ok(answer) => answer,
            Err(_) => panic!("never: {what}\n{}", self.cluster.said()),
        }
    }

    /// Lets so many seconds pass, each lived through.
    pub(crate) async fn pass(&self, seconds: i64) {
        let until = self.now() + SignedDuration::from_secs(seconds);
        self.pass_until("time passes", || (self.now() >= until).then_some(())).await;
    }

    /// Waits, without time passing, until `wanted` has an answer.
    pub(crate) async fn until<T>(&self, what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(answer) = wanted() {
                    return answer;
                }
                self.cluster.quiet_for(QUIET).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(answer) => answer,
            Err(_) => panic!("never: {what}\n{}", self.cluster.said()),
        }
    }

    /// Waits until there is a run on the cluster that is not among `known`, and returns its name.
    pub(crate) async fn created(&self, known: &[String]) -> String {
        let new = || self.cluster.names().into_iter().find(|name| !known.contains(name));
        self.pass_until("a run is created", new).await
    }
}

/// sled's own threads may hold the lock for a moment after the last handle has gone. In life there is a
/// process's end between.
fn open_patiently(dir: &Path, clock: &SharedClock) -> Store {
    loop {
        match Store::open(dir, Arc::clone(clock)) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

impl Life {
    /// A run by hand.
    pub(crate) async fn run(&self) -> Task {
        let request = RunRequest {
            app: "etl".parse().unwrap(),
            job: None,
            display_name: None,
            overrides: Overrides::default(),
            builds: None,
            idempotency_key: None,
        };
        self.handle.run(request).await.unwrap()
    }

    pub(crate) fn task(&self, id: u64) -> Task {
        let tasks = self.tasks();
        tasks.into_iter().find(|task| task.id == TaskId(id)).unwrap_or_else(|| panic!("no task {id}"))
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<Task> =
            self.store.tasks(&"etl".parse().unwrap(), None).map(Result::unwrap).collect();
        tasks.reverse();
        tasks
    }

    /// The task, once it has come to `phase`; time passes.
    pub(crate) async fn comes_to(&self, world: &World, id: u64, phase: Phase) -> Task {
        let what = format!("task {id} is {phase}, and not {:?}", self.tasks());
        world.pass_until(&what, || Some(self.task(id)).filter(|task| task.phase == phase)).await
    }

    /// The task, once it has ended, and been let go.
    pub(crate) async fn ends(&self, world: &World, id: u64) -> Task {
        let task = world
            .pass_until("it has ended", || Some(self.task(id)).filter(|task| task.phase.is_terminal()))
            .await;
        let held = || world.cluster.run(task.name.as_str()).is_some_and(|run| has_finalizer(&run));
        world.pass_until("it was released", || (!held()).then_some(())).await;
        task
    }

    pub(crate) async fn terminate(&self, id: u64) -> Terminated {
        self.handle.terminate("etl".parse().unwrap(), TaskId(id)).await.unwrap()
    }

    pub(crate) fn rows(&self, job: &str) -> Vec<SlotRow> {
        self.store.slots(&job.parse().unwrap(), None, Timestamp::MIN..=Timestamp::MAX).unwrap()
    }

    pub(crate) async fn log(&self, name: &TaskName) -> String {
        let mut text = Vec::new();
        let mut pieces = self.executor.logs(name, LogQuery::default()).await.unwrap();
        while let Some(piece) = pieces.next().await {
            text.extend_from_slice(&piece.unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    /// As a daemon ends; time passes for what it waits for.
    pub(crate) async fn end(self, world: &World) {
        self.stop.cancel();
        world.pass_until("the dispatcher has ended", || self.running.is_finished().then_some(())).await;
        self.running.await.unwrap().unwrap();
    }

    /// As if it had been killed: nothing that is under way gets anywhere.
    pub(crate) async fn killed(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

pub(crate) fn has_finalizer(run: &serde_json::Value) -> bool {
    let finalizers = run["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|finalizers| finalizers.iter().any(|finalizer| finalizer == "tekcron.dev/outcome"))
}

/// How many runs there are.
pub(crate) fn runs(world: &World) -> usize {
    world.cluster.look(|state| state.objects.all(RUNS).count())
}
