//! The dispatcher on a real store, with a manual clock and an executor that does as it is told.

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
    cancelled: Vec<TaskName>,
    states: HashMap<TaskName, Observed>,
    unavailable: bool,
    refusing: bool,
    capacity: Option<usize>,
    observations: Option<mpsc::Sender<Observation>>,
}

impl FakeExecutor {
    fn submitted(&self) -> Vec<TaskName> {
        self.state.lock().unwrap().submitted.clone()
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
        };
        let mut state = self.state.lock().unwrap();
        state.states.insert(name.clone(), Observed::Finished(outcome.clone()));
        if let Some(observations) = &state.observations {
            let _ =
                observations.try_send(Observation { name: name.clone(), state: Observed::Finished(outcome) });
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
            idempotency_key: key.map(str::to_owned),
        };
        self.handle.run(request).await
    }
}

fn outcomes(rows: &[SlotRow]) -> Vec<(String, String, &'static str)> {
    rows.iter().map(|row| (row.first.to_string(), row.last.to_string(), row.outcome.as_str())).collect()
}

#[tokio::test]
async fn a_new_schedule_fires_its_first_slot_in_the_future_and_each_slot_once() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    assert!(life.tasks().is_empty());
    world.pass_until(&life, "two tasks", || life.tasks().len() == 2).await;
    let slots: Vec<_> = life.tasks().iter().map(|task| task.scheduled.unwrap().to_string()).collect();
    assert_eq!(slots, ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]);
    world.until("both submitted", || world.executor.submitted().len() == 2).await;
    assert!(life.rows().iter().all(|row| matches!(row.outcome, SlotOutcome::Ran { .. })));
    life.end().await;
}

#[tokio::test]
async fn a_claimed_task_is_submitted_again_after_a_restart_and_runs_once() {
    let world = World::new("2026-01-01T00:00:59Z", &job("schedule = \"* * * * *\""));
    world.executor.state.lock().unwrap().unavailable = true;
    let life = world.begin();
    world.pass_until(&life, "a claim", || !life.tasks().is_empty()).await;
    life.end().await;
    world.executor.state.lock().unwrap().unavailable = false;
    let life = world.begin();
    world.until("it is confirmed", || life.tasks()[0].phase == Phase::Submitted).await;
    life.end().await;
    let life = world.begin();
    assert_eq!(world.executor.submitted().len(), 1);
    assert_eq!(life.tasks().len(), 1);
    life.end().await;
}

#[tokio::test]
async fn down_over_three_slots_latest_runs_one_and_writes_the_others_down_as_one_range() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    world.begin().end().await;
    world.set_clock("2026-01-01T00:03:30Z");
    let life = world.begin();
    world.until("a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].trigger, Trigger::CatchUp);
    let expected = [
        ("2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z", "missed"),
        ("2026-01-01T00:03:00Z", "2026-01-01T00:03:00Z", "caught-up"),
    ];
    let expected = expected.map(|(first, last, outcome)| (first.to_owned(), last.to_owned(), outcome));
    assert_eq!(outcomes(&life.rows()), expected);
    life.end().await;
}

#[tokio::test]
async fn down_over_three_slots_all_runs_all_and_none_runs_none() {
    for (policy, tasks, rows) in [("all", 3, 3), ("none", 0, 1)] {
        let world = World::new(
            "2026-01-01T00:00:30Z",
            &job(&format!("schedule = \"* * * * *\"\ncatch_up = \"{policy}\"")),
        );
        world.begin().end().await;
        world.set_clock("2026-01-01T00:03:30Z");
        let life = world.begin();
        world.until(policy, || life.rows().len() == rows).await;
        assert_eq!(life.tasks().len(), tasks, "{policy}");
        life.end().await;
    }
}

#[tokio::test]
async fn a_clock_stepped_forward_is_a_catch_up_and_stepped_back_refires_nothing() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(3));
    world.clock.advance(LONGEST_SLEEP);
    world.until("the latest slot", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-01T00:03:00Z")));
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(-2));
    world.pass_until(&life, "the minute after the watermark", || life.tasks().len() == 2).await;
    assert_eq!(life.tasks()[1].scheduled, Some(at("2026-01-01T00:04:00Z")));
    life.end().await;
}

#[tokio::test]
async fn a_watermark_of_a_clock_that_was_a_year_ahead_is_set_back() {
    let world = World::new("2027-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    world.begin().end().await;
    world.set_clock("2026-01-01T00:00:30Z");
    let life = world.begin();
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-01T00:01:00Z")));
    life.end().await;
}

#[tokio::test]
async fn an_edited_schedule_never_fires_a_past_slot() {
    let world =
        World::new("2026-01-01T00:30:00Z", &job("schedules = [{ id = \"x\", cron = \"0 12 * * *\" }]"));
    let life = world.begin();
    let edited = config(&job("schedules = [{ id = \"x\", cron = \"15 * * * *\" }]"));
    life.handle.reload(edited).await.unwrap();
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-01T01:15:00Z")));
    life.end().await;
}

#[tokio::test]
async fn a_schedule_removed_and_added_again_later_catches_nothing_up() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    life.handle.reload(config("")).await.unwrap();
    assert!(life.store.watermarks().unwrap().is_empty());
    world.clock.advance(Duration::from_secs(300));
    life.handle.reload(Arc::clone(&world.config)).await.unwrap();
    assert!(life.tasks().is_empty());
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert!(life.tasks()[0].scheduled > Some(at("2026-01-01T00:05:30Z")));
    life.end().await;
}

#[tokio::test]
async fn an_edit_may_remove_any_number_of_schedules() {
    let many: Vec<_> = (0..5000).map(|n| format!("{{ id = \"s{n}\", cron = \"0 12 * * *\" }}")).collect();
    let world = World::new("2026-01-01T00:00:30Z", &job(&format!("schedules = [{}]", many.join(", "))));
    let life = world.begin();
    assert_eq!(life.store.watermarks().unwrap().len(), many.len());
    life.handle.reload(config("")).await.unwrap();
    assert!(life.store.watermarks().unwrap().is_empty());
    life.end().await;
}

#[tokio::test]
async fn overlap_skip_leaves_the_slots_out_as_one_range_and_never_runs_them_later() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"skip\""));
    let life = world.begin();
    world
        .pass_until(&life, "three slots", || {
            life.rows().last().is_some_and(|row| row.last >= at("2026-01-01T00:03:00Z"))
        })
        .await;
    let first = life.tasks()[0].clone();
    assert_eq!(life.tasks().len(), 1);
    let skipped = SlotOutcome::Skipped { reason: SkipReason::Overlap { task: first.id } };
    assert_eq!(life.rows()[1].outcome, skipped);
    assert_eq!(life.rows()[1].first, at("2026-01-01T00:02:00Z"));
    assert_eq!(life.rows().len(), 2);
    world.executor.end(&first.name, Phase::Succeeded, world.clock.now());
    world.until("it ended", || life.tasks()[0].phase == Phase::Succeeded).await;
    world.pass_until(&life, "the next slot", || life.tasks().len() == 2).await;
    life.end().await;
}

#[tokio::test]
async fn overlap_replace_cancels_waits_for_the_end_and_then_starts() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"replace\""));
    let life = world.begin();
    world.pass_until(&life, "two tasks", || life.tasks().len() == 2).await;
    let (first, second) = (life.tasks()[0].clone(), life.tasks()[1].clone());
    world.until("a cancel", || world.executor.cancelled().contains(&first.name)).await;
    assert_eq!(life.tasks()[1].phase, Phase::Queued);
    assert!(!world.executor.submitted().contains(&second.name));
    world.executor.end(&first.name, Phase::Cancelled, world.clock.now());
    world.until("the second starts", || world.executor.submitted().contains(&second.name)).await;
    life.end().await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_is_the_same_task_also_after_a_restart() {
    let world = World::new("2026-01-01T00:00:30Z", &job(""));
    let life = world.begin();
    let (first, same) = tokio::join!(life.run(Some("k")), life.run(Some("k")));
    let first = first.unwrap();
    assert_eq!(same.unwrap().id, first.id);
    assert_ne!(life.run(Some("other")).await.unwrap().id, first.id);
    life.end().await;
    let life = world.begin();
    assert_eq!(life.run(Some("k")).await.unwrap().id, first.id);
    let request = RunRequest {
        app: "etl".parse().unwrap(),
        job: None,
        display_name: None,
        overrides: crate::task::Overrides::default(),
        idempotency_key: Some("k".to_owned()),
    };
    assert!(matches!(life.handle.run(request).await, Err(RunError::IdempotencyMismatch)));
    life.end().await;
}

#[tokio::test]
async fn a_failed_task_is_retried_after_its_backoff_as_a_task_of_its_own() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 1, backoff = \"20s\" }"));
    let life = world.begin();
    let first = life.run(None).await.unwrap();
    world.until("submitted", || world.executor.submitted().len() == 1).await;
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    world.until("a retry", || life.tasks().len() == 2).await;
    let retry = life.tasks()[1].clone();
    assert_eq!((retry.trigger, retry.attempt, retry.first_attempt), (Trigger::Retry, 2, Some(first.id)));
    assert_eq!(retry.not_before, Some(at("2026-01-01T00:00:50Z")));
    assert_eq!(world.executor.submitted().len(), 1, "not before its due time");
    world.pass_until(&life, "submitted", || world.executor.submitted().len() == 2).await;
    world.executor.end(&retry.name, Phase::Failed, world.clock.now());
    world.until("the end", || life.tasks()[1].phase == Phase::Failed).await;
    assert_eq!(life.tasks().len(), 2, "one retry and no more");
    life.end().await;
}

#[tokio::test]
async fn a_waiting_retry_survives_a_restart() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 1, backoff = \"20s\" }"));
    let life = world.begin();
    let first = life.run(None).await.unwrap();
    world.until("submitted", || world.executor.submitted().len() == 1).await;
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    world.until("a retry", || life.tasks().len() == 2).await;
    life.end().await;
    let life = world.begin();
    world.pass_until(&life, "submitted", || world.executor.submitted().len() == 2).await;
    life.end().await;
}

#[tokio::test]
async fn terminating_a_waiting_task_ends_it_and_a_running_one_asks_the_executor() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 3, backoff = \"0s\" }"));
    world.executor.state.lock().unwrap().capacity = Some(1);
    let life = world.begin();
    let (running, waiting) = (life.run(None).await.unwrap(), life.run(None).await.unwrap());
    world.until("submitted", || life.tasks()[0].phase == Phase::Submitted).await;
    assert_eq!(life.tasks()[1].phase, Phase::Pending);
    let ended = life.handle.terminate(waiting.app.clone(), waiting.id).await.unwrap();
    assert!(matches!(ended, Terminated::Ended(task) if task.phase == Phase::Cancelled));
    let asked = life.handle.terminate(running.app.clone(), running.id).await.unwrap();
    assert!(matches!(asked, Terminated::Requested(task) if task.terminating.is_some()));
    world.until("a cancel", || world.executor.cancelled() == [running.name.clone()]).await;
    world.executor.end(&running.name, Phase::Cancelled, world.clock.now());
    world.until("the end", || life.tasks()[0].phase == Phase::Cancelled).await;
    let again = life.handle.terminate(running.app.clone(), running.id).await.unwrap();
    assert!(matches!(again, Terminated::AlreadyEnded(_)));
    assert_eq!(life.tasks().len(), 2, "what was terminated is not retried");
    let nobody = life.handle.terminate(running.app.clone(), TaskId(99)).await;
    assert!(matches!(nobody, Err(TerminateError::NoTask { .. })));
    life.end().await;
}

#[tokio::test]
async fn a_task_that_the_executor_no_longer_knows_is_lost() {
    let world = World::new("2026-01-01T00:00:30Z", &job(""));
    let life = world.begin();
    let task = life.run(None).await.unwrap();
    world.until("submitted", || life.tasks()[0].phase == Phase::Submitted).await;
    world.executor.state.lock().unwrap().states.remove(&task.name);
    life.handle.relist().await;
    world.until("lost", || life.tasks()[0].phase == Phase::Lost).await;
    life.end().await;
}

#[tokio::test]
async fn a_refused_task_fails_with_the_words_and_is_not_retried() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 3, backoff = \"0s\" }"));
    world.executor.state.lock().unwrap().refusing = true;
    let life = world.begin();
    life.run(None).await.unwrap();
    world.until("failed", || life.tasks()[0].phase == Phase::Failed).await;
    assert_eq!(life.tasks()[0].reason.as_deref(), Some("Bad"));
    assert_eq!(life.tasks().len(), 1);
    life.end().await;
}

#[tokio::test]
async fn a_held_task_is_given_up_when_hold_has_passed() {
    let world = World::new("2026-01-01T00:00:30Z", &job(""));
    world.executor.state.lock().unwrap().unavailable = true;
    let life = world.begin();
    life.run(None).await.unwrap();
    world.pass_until(&life, "given up", || life.tasks()[0].phase == Phase::Failed).await;
    assert_eq!(life.tasks()[0].reason.as_deref(), Some("ExecutorUnavailable"));
    assert!(world.clock.now() > at("2026-01-01T00:05:30Z"), "not before");
    life.end().await;
}

#[tokio::test]
async fn a_burst_larger_than_one_commit_is_claimed_whole() {
    let jobs: String =
        (0..1500).map(|n| format!("[[jobs]]\nname = \"j{n}\"\nschedule = \"* * * * *\"\n")).collect();
    let world = World::new("2026-01-01T00:00:59Z", &jobs);
    let life = world.begin();
    world.pass_until(&life, "every claim", || life.tasks().len() == 1500).await;
    let mut per_job: BTreeMap<_, u32> = BTreeMap::new();
    for task in life.tasks() {
        *per_job.entry(task.job).or_default() += 1;
    }
    assert!(per_job.values().all(|count| *count == 1));
    assert_eq!(world.executor.submitted().len(), 64, "the executor's room is respected");
    life.end().await;
}

#[tokio::test]
async fn a_service_that_stood_still_catches_up_instead_of_running_every_slot() {
    let world = World::new("2026-01-01T00:00:00Z", &job("schedule = \"* * * * * *\""));
    let life = world.begin();
    world.pass_until(&life, "a first task", || !life.tasks().is_empty()).await;
    let before = life.tasks().len();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.advance(Duration::from_secs(65));
    world
        .pass_until(&life, "the catch-up", || life.tasks().iter().any(|t| t.trigger == Trigger::CatchUp))
        .await;
    let of_stall = life.tasks().len() - before;
    assert!(of_stall <= 3, "{of_stall} tasks after 65 seconds that nobody watched");
    let missed: Vec<_> = life.rows().into_iter().filter(|row| row.outcome == SlotOutcome::Missed).collect();
    assert_eq!(missed.len(), 1, "one range: {missed:?}");
    life.end().await;
}

#[tokio::test]
async fn an_idempotency_key_used_again_after_its_time_is_another_run() {
    let world = World::new("2026-01-01T00:00:00Z", &job(""));
    let life = world.begin();
    let first = life.run(Some("nightly")).await.unwrap();
    world.until("submitted", || world.executor.submitted().len() == 1).await;
    world.executor.end(&first.name, Phase::Succeeded, world.clock.now());
    world.until("ended", || life.tasks()[0].phase == Phase::Succeeded).await;
    assert_eq!(life.run(Some("nightly")).await.unwrap().id, first.id, "within its time it is the same task");
    world.set_clock("2026-01-02T01:00:00Z");
    life.store.expire_idempotency(world.clock.now(), SignedDuration::from_hours(24)).unwrap();
    life.store.commit(crate::store::Commit::new()).await.unwrap();
    let second = life.run(Some("nightly")).await.unwrap();
    assert_eq!(second.id, TaskId(2));
    world.until("submitted", || world.executor.submitted().len() == 2).await;
    assert_eq!(life.tasks()[0].phase, Phase::Succeeded, "the first one's record is left alone");
    life.end().await;
}

#[tokio::test]
async fn a_claim_that_got_through_unheard_is_looked_for_before_its_deadline_is_held_against_it() {
    let world = World::new(
        "2026-01-01T00:00:59Z",
        &job("schedule = \"* * * * *\"\nstart_deadline = \"10s\"\ncatch_up = \"none\""),
    );
    world.executor.state.lock().unwrap().unavailable = true;
    let life = world.begin();
    world.pass_until(&life, "a claim", || !life.tasks().is_empty()).await;
    let task = life.tasks()[0].clone();
    life.end().await;
    let running = Observed::Running { started: world.clock.now() };
    world.executor.state.lock().unwrap().states.insert(task.name.clone(), running);
    world.set_clock("2026-01-01T00:01:50Z");
    let life = world.begin();
    world.until("it is found", || life.tasks()[0].phase == Phase::Running).await;
    assert!(world.executor.submitted().is_empty());
    life.end().await;
}

#[tokio::test]
async fn a_wish_to_end_a_task_is_told_again_after_a_restart() {
    let world = World::new("2026-01-01T00:00:00Z", &job(""));
    let life = world.begin();
    let task = life.run(None).await.unwrap();
    world.until("submitted", || life.tasks()[0].phase == Phase::Submitted).await;
    life.handle.terminate(task.app.clone(), task.id).await.unwrap();
    world.until("told", || world.executor.cancelled().len() == 1).await;
    life.end().await;
    let life = world.begin();
    world.until("told again", || world.executor.cancelled().len() == 2).await;
    life.end().await;
}

#[tokio::test]
async fn a_clock_that_was_a_month_ahead_is_mended_while_the_service_runs() {
    let world = World::new("2026-02-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_hours(-31 * 24));
    world.pass_until(&life, "a slot of the mended clock", || life.tasks().len() == 2).await;
    let slots: Vec<_> = life.tasks().iter().map(|task| task.scheduled.unwrap().to_string()).collect();
    assert_eq!(slots, ["2026-02-01T00:01:00Z", "2026-01-01T00:02:00Z"]);
    life.end().await;
}

#[tokio::test]
async fn a_slot_that_a_wrong_clock_ran_is_not_run_again_when_its_time_comes() {
    let world = World::new("2026-01-31T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    life.end().await;
    for now in ["2026-01-01T00:00:30Z", "2026-01-31T00:00:50Z"] {
        world.set_clock(now);
        let life = world.begin();
        let before = life.tasks().len();
        world.pass_until(&life, "another slot", || life.tasks().len() > before).await;
        life.end().await;
    }
    let life = world.begin();
    let slots: Vec<_> = life.tasks().iter().filter_map(|task| task.scheduled).collect();
    let once: std::collections::BTreeSet<_> = slots.iter().collect();
    assert_eq!(once.len(), slots.len(), "{slots:?}");
    life.end().await;
}

#[tokio::test]
async fn jitter_is_not_lateness() {
    let world = World::new(
        "2026-01-01T00:00:30Z",
        &job("schedule = \"* * * * *\"\njitter = \"50s\"\nstart_deadline = \"10s\""),
    );
    let life = world.begin();
    world.pass_until(&life, "ten slots", || life.rows().len() >= 10).await;
    assert!(
        life.rows().iter().all(|row| matches!(row.outcome, SlotOutcome::Ran { .. })),
        "{:?}",
        life.rows()
    );
    life.end().await;
}
