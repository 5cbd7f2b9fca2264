//! A scripted API server on loopback: PipelineRuns, TaskRuns, pods' logs and Secrets of one namespace, in memory.
//!
//! It lists, watches, creates, patches and deletes as a real one does, and records every call. [`Rule`]s have
//! it fail. `tekton` moves runs through what a real cluster recorded; nothing moves by itself, except that a run
//! that is cancelled, and not complete, ends as a cancelled one.

mod call;
mod faults;
mod logs;
mod objects;
mod serve;
mod tekton;
mod verbs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tekcron::clock::{Clock, ManualClock, SystemClock};
use tekcron::executor::tekton::{RIGHTS, Right};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::call::Call;
pub(crate) use self::faults::Act;
use self::faults::Rule;
use self::logs::Logs;
use self::objects::Objects;

/// The only namespace there is.
pub(crate) const NAMESPACE: &str = "batch";
pub(crate) const RUNS: &str = "pipelineruns";
pub(crate) const TASK_RUNS: &str = "taskruns";
pub(crate) const SECRETS: &str = "secrets";
pub(crate) const LOGS: &str = "pods/log";

/// Other threads and the disk take the time they take; only a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The API server. It is there until it is dropped.
pub(crate) struct Cluster {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
    port: u16,
    listening: Mutex<CancellationToken>,
}

struct Shared {
    state: Mutex<State>,
    /// Changes with everything that happens.
    changed: watch::Sender<u64>,
    clock: SystemClock,
}

/// All that the server knows.
pub(crate) struct State {
    pub(crate) objects: Objects,
    logs: BTreeMap<String, Logs>,
    pub(crate) calls: Vec<Call>,
    /// By verb and resource: how many are under way, and the most there were.
    under_way: BTreeMap<(&'static str, String), (usize, usize)>,
    rules: Vec<Rule>,
    /// Counts how often the rules were cleared.
    cleared: u64,
    /// Counts how often all watches were ended.
    watches_ended: u64,
    /// Whether the cluster knows PipelineRuns.
    pub(crate) installed: bool,
    /// Whether it is asked what is missing: by a person, who may ask for more than the daemon.
    pub(crate) checked: bool,
    /// The verb that nobody is granted.
    pub(crate) denied: Option<&'static str>,
    /// What the server's clock shows, where it is not the machine's.
    shows: Option<Box<dyn Fn() -> Timestamp + Send>>,
    /// Whether a run that is cancelled ends at once.
    pub(crate) cancels: bool,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let state = State {
            objects: Objects::new(),
            logs: BTreeMap::new(),
            calls: Vec::new(),
            under_way: BTreeMap::new(),
            rules: Vec::new(),
            cleared: 0,
            watches_ended: 0,
            installed: true,
            checked: false,
            denied: None,
            shows: None,
            cancels: true,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            clock: SystemClock::new(),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (listening, port) = serve::listen(&runtime, &shared, 0);
        Self { shared, runtime: Some(runtime), port, listening: Mutex::new(listening) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Nobody listens any more, and all connections are broken.
    pub(crate) fn goes_away(&self) {
        self.listening.lock().unwrap().cancel();
        self.until("its port is free", |_| {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err().then_some(())
        });
    }

    pub(crate) fn comes_back(&self) {
        let runtime = self.runtime.as_ref().unwrap();
        *self.listening.lock().unwrap() = serve::listen(runtime, &self.shared, self.port).0;
    }

    /// Writes a kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self, dir: &Path) -> PathBuf {
        let path = dir.join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {{ cluster: it, user: me }}\n\
             clusters:\n- name: it\n  cluster: {{ server: '{}' }}\nusers:\n- name: me\n  user: {{ token: t0ken }}\n",
            self.url()
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// From now on: `act` for the next `times` calls of this kind.
    pub(crate) fn next(&self, verb: &'static str, resource: &'static str, times: usize, act: Act) {
        self.with(|state| state.rules.push(Rule { verb, resource, times: Some(times), act }));
    }

    /// From now on: `act` for all calls of this kind.
    pub(crate) fn always(&self, verb: &'static str, resource: &'static str, act: Act) {
        self.with(|state| state.rules.push(Rule { verb, resource, times: None, act }));
    }

    /// All is well again; who waits goes on.
    pub(crate) fn clear_rules(&self) {
        self.with(|state| {
            state.rules.clear();
            state.cleared += 1;
        });
    }

    /// All watches end, as they do now and then.
    pub(crate) fn end_watches(&self) {
        self.with(|state| state.watches_ended += 1);
    }

    /// Versions up to now are forgotten: who watches from there must list.
    pub(crate) fn compact(&self) {
        self.with(|state| {
            state.objects.compacted = state.objects.version;
            state.watches_ended += 1;
        });
    }

    /// Changes something, or looks.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.shared.with(change)
    }

    /// Looks, which nobody is told of.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.lock())
    }

    pub(crate) fn run(&self, name: &str) -> Option<Value> {
        self.look(|state| state.objects.get(RUNS, name).cloned())
    }

    pub(crate) fn runs(&self) -> Vec<Value> {
        self.look(|state| state.objects.all(RUNS).cloned().collect())
    }

    /// The names of all runs.
    pub(crate) fn names(&self) -> Vec<String> {
        self.runs().iter().map(|run| run["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn calls(&self, verb: &str, resource: &str) -> Vec<Call> {
        self.look(|state| state.calls.iter().filter(|call| call.is(verb, resource)).cloned().collect())
    }

    pub(crate) fn count(&self, verb: &str, resource: &str) -> usize {
        self.look(|state| state.calls.iter().filter(|call| call.is(verb, resource)).count())
    }

    /// The most calls of a kind that were under way at once.
    pub(crate) fn most_under_way(&self, verb: &'static str, resource: &str) -> usize {
        self.look(|state| state.under_way.get(&(verb, resource.to_owned())).map_or(0, |(_, most)| *most))
    }

    /// Waits until `wanted` has an answer, asking again whenever something happened here, and now and then
    /// since it may ask others too.
    pub(crate) fn until<T>(&self, what: &str, mut wanted: impl FnMut(&State) -> Option<T>) -> T {
        let started = self.shared.clock.monotonic();
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(answer) = self.look(&mut wanted) {
                return answer;
            }
            if self.shared.clock.monotonic() - started > PATIENCE {
                panic!("never: {what}\n{}", self.said());
            }
            let _ = self
                .blocking(async { tokio::time::timeout(Duration::from_millis(20), changed.changed()).await });
        }
    }

    /// As [`Cluster::until`], for tests that are tasks.
    pub(crate) async fn when<T>(&self, what: &str, mut wanted: impl FnMut(&State) -> Option<T>) -> T {
        let started = self.shared.clock.monotonic();
        loop {
            if let Some(answer) = self.look(&mut wanted) {
                return answer;
            }
            if self.shared.clock.monotonic() - started > PATIENCE {
                panic!("never: {what}\n{}", self.said());
            }
            self.quiet_for(Duration::from_millis(20)).await;
        }
    }

    /// Whether nothing happened here for so long; returns as soon as something does.
    pub(crate) async fn quiet_for(&self, duration: Duration) -> bool {
        let mut changed = self.shared.changed.subscribe();
        tokio::time::timeout(duration, changed.changed()).await.is_err()
    }

    /// The last calls, for people.
    pub(crate) fn said(&self) -> String {
        self.look(|state| {
            let calls = state.calls.iter().rev().take(25).rev();
            calls.map(|call| format!("{} {} {}\n", call.verb, call.resource, call.name)).collect()
        })
    }

    fn blocking<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let handle = self.runtime.as_ref().unwrap().handle().clone();
        std::thread::scope(|scope| scope.spawn(|| handle.block_on(future)).join().unwrap())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.listening.lock().unwrap().cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if !std::thread::panicking() {
            self.look(|state| state.calls.iter().filter(|_| !state.checked).for_each(within_rights));
        }
    }
}

/// Nothing is asked for that the Role in `deploy`, which says what [`RIGHTS`] says, does not grant.
fn within_rights(call: &Call) {
    let granted = |right: &Right| {
        right.group == call.group && right.resource == call.resource && right.verbs.contains(&call.verb)
    };
    assert!(RIGHTS.iter().any(granted), "{} {}.{} is not granted", call.verb, call.resource, call.group);
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        done
    }

    /// Without telling anybody.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// The server's clock stands at so long after the epoch.
    pub(crate) fn clock_is(&mut self, since_epoch: SignedDuration) {
        self.shows = Some(Box::new(move || Timestamp::UNIX_EPOCH + since_epoch));
    }

    /// The server's clock goes with `clock`, so far ahead of it.
    pub(crate) fn clock_is_ahead_of(&mut self, clock: Arc<ManualClock>, ahead: SignedDuration) {
        self.shows = Some(Box::new(move || clock.now() + ahead));
    }

    fn time(&self, clock: &SystemClock) -> Timestamp {
        self.shows.as_ref().map_or_else(|| clock.now(), |shows| shows())
    }

    /// The server's time, in whole seconds as Kubernetes writes it.
    fn now(&self, clock: &SystemClock) -> String {
        Timestamp::from_second(self.time(clock).as_second()).unwrap().to_string()
    }
}
