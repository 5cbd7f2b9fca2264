//! The dispatcher on a real store, with a manual clock and an executor that does as it is told.

mod backfill;
mod clocks;
mod histories;
mod pause;
mod queue;
mod runs;
mod slots;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::executor::{ExecutorError, LogQuery, LogStream, Submission};
use crate::job::JobRef;
use crate::schedule::wheel::LONGEST_SLEEP;
use crate::store::{SkipReason, SlotOutcome, SlotRow};
use crate::task::{LogSize, Outcome, Phase, TaskName, Trigger};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Takes everything, remembers it, and ends tasks when told to.
#[derive(Default)]
struct FakeExecutor {
    state: Mutex<FakeState>,
}

#[derive(Default)]
struct FakeState {
    submitted: Vec<TaskName>,
    /// What had not ended when each of them came.
    beside: Vec<Vec<TaskName>>,
    cancelled: Vec<TaskName>,
    states: HashMap<TaskName, Observed>,
    unavailable: bool,
    refusing: bool,
    capacity: Option<usize>,
    observations: Option<mpsc::Sender<Observation>>,
}

impl FakeState {
    fn unfinished(&self) -> Vec<TaskName> {
        let runs = |name: &&TaskName| !matches!(self.states.get(*name), Some(Observed::Finished(_)));
        self.submitted.iter().filter(runs).cloned().collect()
    }
}

impl FakeExecutor {
    fn submitted(&self) -> Vec<TaskName> {
        self.state.lock().unwrap().submitted.clone()
    }

    /// What was submitted, each with what had not ended then.
    fn starts(&self) -> Vec<(TaskName, Vec<TaskName>)> {
        let state = self.state.lock().unwrap();
        state.submitted.iter().cloned().zip(state.beside.iter().cloned()).collect()
    }

    /// What has not ended, in the order in which it came.
    fn unfinished(&self) -> Vec<TaskName> {
        self.state.lock().unwrap().unfinished()
    }

    fn cancelled(&self) -> Vec<TaskName> {
        self.state.lock().unwrap().cancelled.clone()
    }

    fn end(&self, name: &TaskName, phase: Phase, now: Timestamp) {
        let outcome = Outcome {
            phase,
            exit_code: (phase != Phase::Lost).then_some(i32::from(phase != Phase::Succeeded)),
            reason: "Completed".to_owned(),
            message: "it ended".to_owned(),
            started: Some(now),
            finished: now,
            log: LogSize::default(),
            image: None,
        };
        let mut state = self.state.lock().unwrap();
        state.states.insert(name.clone(), Observed::Finished(Box::new(outcome.clone())));
        if let Some(observations) = &state.observations {
            let _ = observations
                .try_send(Observation { name: name.clone(), state: Observed::Finished(Box::new(outcome)) });
        }
    }
}

impl Executor for FakeExecutor {
    fn capacity(&self) -> usize {
        self.state.lock().unwrap().capacity.unwrap_or(64)
    }

    fn submit(&self, submission: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>> {
        let mut state = self.state.lock().unwrap();
        if state.unavailable {
            let message = "no room".to_owned();
            return futures::future::ready(Err(SubmitError::Unavailable { message })).boxed();
        }
        if state.refusing {
            let refused = SubmitError::Refused { reason: "Bad".to_owned(), message: "no".to_owned() };
            return futures::future::ready(Err(refused)).boxed();
        }
        let name: TaskName = submission.run.metadata.name.unwrap().parse().unwrap();
        let meta = submission.run.metadata.labels.unwrap();
        let id = meta[crate::executor::label::TASK_ID].parse().unwrap();
        let answer = if state.states.contains_key(&name) {
            Submitted::Adopted { id }
        } else {
            let beside = state.unfinished();
            state.beside.push(beside);
            state.states.insert(name.clone(), Observed::Submitted { message: None });
            state.submitted.push(name);
            Submitted::Created
        };
        futures::future::ready(Ok(answer)).boxed()
    }

    fn cancel<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.state.lock().unwrap().cancelled.push(name.clone());
        futures::future::ready(Ok(())).boxed()
    }

    fn delete<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        futures::future::ready(Ok(())).boxed()
    }

    fn delete_log<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        futures::future::ready(Ok(())).boxed()
    }

    fn observe<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>> {
        let state = self.state.lock().unwrap();
        let observed = state.states.get(name).cloned().unwrap_or(Observed::Absent);
        futures::future::ready(Ok(observed)).boxed()
    }

    fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        let (send, receive) = mpsc::channel(100);
        self.state.lock().unwrap().observations = Some(send);
        Some(receive)
    }

    fn logs<'a>(&'a self, _: &'a TaskName, _: LogQuery) -> BoxFuture<'a, Result<LogStream, ExecutorError>> {
        futures::future::ready(Ok(futures::stream::empty().boxed())).boxed()
    }

    fn caveats(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One life after another of a dispatcher, on the same store, clock and executor.
struct World {
    dir: TempDir,
    clock: Arc<ManualClock>,
    executor: Arc<FakeExecutor>,
    config: Arc<Config>,
}

/// A dispatcher that runs.
struct Life {
    handle: DispatchHandle,
    store: Store,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), StoreError>>,
}

const JOB: &str = "etl.job";

fn config(jobs: &str) -> Arc<Config> {
    let app = format!("[app]\nname = \"etl\"\ncommand = \"true\"\n{jobs}");
    Arc::new(Config::from_toml("", &[&app]).unwrap())
}

fn job(keys: &str) -> String {
    format!("[[jobs]]\nname = \"job\"\n{keys}\n")
}

impl World {
    fn new(now: &str, jobs: &str) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            clock: Arc::new(ManualClock::new(at(now))),
            executor: Arc::new(FakeExecutor::default()),
            config: config(jobs),
        }
    }

    fn begin(&self) -> Life {
        let clock: SharedClock = self.clock.clone();
        let store = open_patiently(self.dir.path(), &clock);
        let (wheel, wakes) = Wheel::start(Arc::clone(&clock)).unwrap();
        let parts = Parts {
            store: store.clone(),
            executor: self.executor.clone(),
            clock,
            wheel,
            wakes,
            config: Arc::clone(&self.config),
        };
        let (dispatcher, handle, _) = Dispatcher::recover(parts).unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(dispatcher.run(stop.clone().cancelled_owned()));
        Life { handle, store, stop, running }
    }

    fn set_clock(&self, now: &str) {
        self.clock.step(at(now).duration_since(self.clock.now()));
    }

    /// Lets time pass, a second at a time, until `wanted` is true. Each second is lived through: the
    /// wheel has slept again, the dispatcher has heard of it, and what it wrote is on disk.
    async fn pass_until(&self, life: &Life, what: &str, mut wanted: impl FnMut() -> bool) {
        let passing = async {
            while !wanted() {
                self.until("the wheel sleeps", || self.clock.sleepers() > 0).await;
                self.clock.advance(Duration::from_secs(1));
                self.until("the wheel sleeps again", || self.clock.sleepers() > 0).await;
                let nobody = life.handle.terminate("etl".parse().unwrap(), TaskId(0)).await;
                assert!(matches!(nobody, Err(TerminateError::NoTask { .. })));
                life.store.commit(crate::store::Commit::new()).await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, passing).await.is_err() {
            panic!("never: {what}");
        }
    }

    /// Lets everything happen that can happen without time passing.
    async fn until(&self, what: &str, mut wanted: impl FnMut() -> bool) {
        let waiting = async {
            while !wanted() {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("never: {what}");
        }
    }
}

/// sled's own threads may hold the lock for a moment after the last handle has gone. In life there is a
/// process's end between.
fn open_patiently(dir: &std::path::Path, clock: &SharedClock) -> Store {
    loop {
        match Store::open(dir, Arc::clone(clock)) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Other threads and the disk take the time they take; only a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

impl Life {
    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap().unwrap();
        drop(self.handle);
    }

    fn tasks(&self) -> Vec<Task> {
        let mut tasks: Vec<_> = self.store.tasks(&"etl".parse().unwrap(), None).map(Result::unwrap).collect();
        tasks.reverse();
        tasks
    }

    fn rows(&self) -> Vec<SlotRow> {
        let job: JobRef = JOB.parse().unwrap();
        self.store.slots(&job, None, Timestamp::MIN..=Timestamp::MAX).unwrap()
    }

    async fn run(&self, key: Option<&str>) -> Result<Task, RunError> {
        let request = RunRequest {
            app: "etl".parse().unwrap(),
            job: Some("job".parse().unwrap()),
            display_name: None,
            overrides: crate::task::Overrides::default(),
            builds: None,
            idempotency_key: key.map(str::to_owned),
        };
        self.handle.run(request).await
    }
}

fn outcomes(rows: &[SlotRow]) -> Vec<(String, String, &'static str)> {
    rows.iter().map(|row| (row.first.to_string(), row.last.to_string(), row.outcome.as_str())).collect()
}
