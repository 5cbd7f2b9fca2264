//! The dispatcher: claim → submit → confirm → settle, for every task.
//!
//! [`Dispatcher`] is one loop with one event type and one synchronous handler; it owns what is in
//! flight, and the store remembers the rest. Guaranteed: a slot's claim (row, task, id, watermark) is
//! on disk before the executor is touched; a claimed task is submitted under a name that is a
//! function of its slot, again after a restart if need be; a terminal phase always comes from the
//! executor, or from a task that never reached it. Wakes and observations are hints: what is due is
//! computed from schedules, watermarks and the wall clock, and the executor is asked again.
//!
//! Only the store can stop it: every other failure is one task's.

mod away;
mod backfill;
mod clock_step;
mod commits;
mod error;
mod forget;
mod handle;
mod limits;
mod live;
mod pause;
mod queue;
mod recover;
mod run;
mod settle;
mod slots;
mod streak;
mod submit;
mod table;
#[cfg(test)]
mod tests;
mod turns;
mod waiting;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use self::away::Away;
use self::backfill::LedgerEdit;
pub use self::backfill::{BackfillRequest, Backfilled};
pub use self::error::{QueueError, RunError, SteerError, TerminateError};
pub use self::handle::DispatchHandle;
use self::handle::Request;
use self::limits::Limits;
use self::live::{LiveTasks, TaskKey};
pub use self::pause::{Steer, Steered};
use self::queue::Queue;
pub use self::run::RunRequest;
use self::slots::Verdict;
use self::table::Table;
pub use self::waiting::{QueueEntry, QueuePlace, QueueQuery};
use crate::app::AppName;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::executor::{Executor, ExecutorError, Observation, Observed, SubmitError, Submitted};
use crate::job::{JobName, JobRef, Steering};
use crate::push::RevisionNumber;
use crate::schedule::wheel::{TimerId, Wake, Wheel};
use crate::store::{Commit, SlotOutcome, Store, StoreError};
use crate::task::{Task, TaskId, TaskName};
use crate::watch::Streak;

/// The most events of one kind in one turn of the loop.
const TURN: usize = 256;

/// What the dispatcher is made of.
pub struct Parts {
    /// Where everything is recorded.
    pub store: Store,
    /// Who executes.
    pub executor: Arc<dyn Executor>,
    /// The time.
    pub clock: SharedClock,
    /// When to look again.
    pub wheel: Wheel,
    /// Wakes from the wheel.
    pub wakes: mpsc::UnboundedReceiver<Wake>,
    /// The configuration to begin with.
    pub config: Arc<Config>,
}

/// A task whose end has reached the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its App.
    pub app: AppName,
    /// Its job, where it has one.
    pub job: Option<JobName>,
    /// The bytes of log that it leaves.
    pub log: u64,
}

/// What became of a wish to end a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terminated {
    /// The intent is on disk; how the task ends is seen later.
    Requested(Task),
    /// It had not reached the executor, and has ended.
    Ended(Task),
    /// It had ended before; nothing was changed.
    AlreadyEnded(Task),
}

/// Everything that can happen to the loop.
enum Event {
    Wake(Wake),
    Request(Request),
    /// New tasks are on disk, the one of an idempotency key among them.
    Claimed(Vec<TaskKey>, Option<String>),
    /// A batch of slots is on disk, and with it these tasks.
    SlotsClaimed(Vec<TaskKey>),
    /// A durable intent to end a task.
    TerminateDurable(TaskKey),
    SubmitDone(TaskKey, Result<Submitted, SubmitError>),
    /// The end of a task is on disk, and with it these next attempts.
    EndRecorded(TaskName, Vec<TaskKey>),
    Released(Result<(), ExecutorError>),
    CancelDone(TaskKey, Result<(), ExecutorError>),
    Looked(TaskKey, Result<Observed, ExecutorError>),
    Observed(Observation),
    /// What was before the next edit of the ledger is on disk.
    LedgerEditDue,
    /// An edit of the ledger is on disk.
    LedgerEdited,
    StoreFailed(StoreError),
}

/// The loop and its state.
pub struct Dispatcher {
    store: Store,
    executor: Arc<dyn Executor>,
    clock: SharedClock,
    wheel: Wheel,
    config: Arc<Config>,
    table: Table,
    /// Schedules to look at, by their places: some, each time that the claims before are on disk.
    due: VecDeque<usize>,
    /// Batches of slots on their way to the disk.
    claims_under_way: usize,
    live: LiveTasks,
    /// What runs of each App and group that bounds it.
    limits: Limits,
    /// The same of each backfill that runs.
    batches: HashMap<Arc<str>, crate::schedule::Limit>,
    /// Claimed tasks that wait for their job's turn, or for room within their limits.
    queue: Queue,
    /// Changes of old rows that wait for the one before.
    ledger_edits: VecDeque<LedgerEdit>,
    editing_ledger: bool,
    /// Those that stopped waiting in this turn.
    starting: Vec<TaskKey>,
    /// Claimed tasks that wait for room at the executor.
    ready: VecDeque<TaskKey>,
    /// Tasks behind the wheel's timers, other than schedules.
    timers: HashMap<TimerId, TaskKey>,
    next_timer: u64,
    /// What people decided about the slots of jobs.
    steering: HashMap<JobRef, Steering>,
    /// Pauses behind the wheel's timers.
    pause_timers: HashMap<TimerId, JobRef>,
    counters: HashMap<AppName, TaskId>,
    /// Idempotency keys whose commit is still under way.
    fresh_keys: HashMap<String, (TaskKey, String)>,
    previous_success: HashMap<JobRef, Option<Timestamp>>,
    /// Those of jobs that are watched, as they were last written.
    streaks: HashMap<JobRef, Streak>,
    /// Slots up to here were due while nobody watched.
    downtime_until: Timestamp,
    /// What those of them are that are not caught up.
    given_up: Verdict,
    /// The executor cannot be reached.
    away: Option<Away>,
    /// What the wall clock showed at the event before.
    seen: Timestamp,
    /// Writes that nobody waits for, until the next commit.
    gathered: Commit,
    /// Calls to the executor under way.
    calls: FuturesUnordered<BoxFuture<'static, Event>>,
    internal: mpsc::UnboundedSender<Event>,
    inbox: Option<Inbox>,
    ended: Arc<watch::Sender<u64>>,
    finished: mpsc::UnboundedSender<Ended>,
}

struct Inbox {
    wakes: mpsc::UnboundedReceiver<Wake>,
    internal: mpsc::UnboundedReceiver<Event>,
    requests: mpsc::Receiver<Request>,
    observations: mpsc::Receiver<Observation>,
}

impl Dispatcher {
    /// Takes up where the last run left off: reads the store, catches up what was missed, and
    /// prepares to submit and observe what was in flight. The receiver is told of each task that has
    /// ended, once that is on disk.
    ///
    /// # Errors
    /// [`StoreError`] where the store cannot be read.
    pub fn recover(
        parts: Parts,
    ) -> Result<(Self, DispatchHandle, mpsc::UnboundedReceiver<Ended>), StoreError> {
        let Parts { store, executor, clock, wheel, wakes, config } = parts;
        let (requests, requests_inbox) = mpsc::channel(1024);
        let (internal, internal_inbox) = mpsc::unbounded_channel();
        let (ended, ended_seen) = watch::channel(0);
        let (finished, finished_inbox) = mpsc::unbounded_channel();
        // Without a stream of observations the relist alone finds what became of tasks.
        let observations = executor.observations().unwrap_or_else(|| mpsc::channel(1).1);
        let inbox = Inbox { wakes, internal: internal_inbox, requests: requests_inbox, observations };
        let now = clock.now();
        let counters = store.counters()?.into_iter().collect();
        let mut dispatcher = Self {
            store,
            executor,
            clock,
            wheel,
            config,
            table: Table::default(),
            due: VecDeque::new(),
            claims_under_way: 0,
            live: LiveTasks::default(),
            limits: Limits::default(),
            batches: HashMap::new(),
            queue: Queue::default(),
            ledger_edits: VecDeque::new(),
            editing_ledger: false,
            starting: Vec::new(),
            ready: VecDeque::new(),
            timers: HashMap::new(),
            next_timer: table::FIRST_TASK_TIMER,
            steering: HashMap::new(),
            pause_timers: HashMap::new(),
            counters,
            fresh_keys: HashMap::new(),
            previous_success: HashMap::new(),
            streaks: HashMap::new(),
            downtime_until: now,
            given_up: SlotOutcome::Missed.into(),
            away: None,
            seen: now,
            gathered: Commit::new(),
            calls: FuturesUnordered::new(),
            internal,
            inbox: Some(inbox),
            ended: Arc::new(ended),
            finished,
        };
        dispatcher.executor.configure(&dispatcher.config);
        dispatcher.limits = Limits::of_config(&dispatcher.config);
        dispatcher.recover_tasks(now)?;
        dispatcher.recover_schedules(now)?;
        dispatcher.send_starting();
        dispatcher.send_gathered();
        Ok((dispatcher, DispatchHandle::new(requests, ended_seen), finished_inbox))
    }

    /// Runs until `shutdown` completes; then nothing new is claimed or submitted, and what is on its
    /// way to the disk gets there.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed: nothing more can be promised.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), StoreError> {
        let mut inbox = self.inbox.take().expect("it is taken once, here");
        let mut shutdown = std::pin::pin!(shutdown);
        self.pump(self.clock.now());
        loop {
            let event = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(wake) = inbox.wakes.recv() => Some(Event::Wake(wake)),
                Some(event) = inbox.internal.recv() => Some(event),
                Some(event) = self.calls.next(), if !self.calls.is_empty() => Some(event),
                Some(observation) = inbox.observations.recv() => Some(Event::Observed(observation)),
                Some(request) = inbox.requests.recv() => Some(Event::Request(request)),
                () = std::future::ready(()), if self.may_submit() => None,
                else => break,
            };
            let now = self.clock.now();
            self.look_at_clock(now).await?;
            event.map_or(Ok(()), |event| self.handle(event, now))?;
            self.handle_others(&mut inbox, now)?;
            self.pump(now);
            self.send_starting();
            self.send_gathered();
        }
        // What was due before the end is not left for the next life to catch up.
        self.claim_all(self.clock.now())?;
        self.finish_calls().await?;
        self.send_gathered();
        self.store.commit(Commit::new()).await
    }

    /// Handles what else has come by now, as much from one as from another: a burst holds up nobody.
    fn handle_others(&mut self, inbox: &mut Inbox, now: Timestamp) -> Result<(), StoreError> {
        for _ in 0..TURN {
            let events = [
                inbox.wakes.try_recv().ok().map(Event::Wake),
                inbox.internal.try_recv().ok(),
                self.calls.next().now_or_never().flatten(),
                inbox.observations.try_recv().ok().map(Event::Observed),
                inbox.requests.try_recv().ok().map(Event::Request),
            ];
            if events.iter().all(Option::is_none) {
                break;
            }
            events.into_iter().flatten().try_for_each(|event| self.handle(event, now))?;
        }
        Ok(())
    }

    /// Hears the answers to what the executor was asked, as long as `drain` allows: a task that it has
    /// taken is not looked for at the next start.
    async fn finish_calls(&mut self) -> Result<(), StoreError> {
        let drain = std::time::Duration::try_from(self.config.settings.drain).unwrap_or_default();
        let mut over = self.clock.sleep(drain);
        while !self.calls.is_empty() {
            tokio::select! {
                Some(event) = self.calls.next() => self.handle(event, self.clock.now())?,
                () = &mut over => break,
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event, now: Timestamp) -> Result<(), StoreError> {
        match event {
            Event::Wake(wake) => self.woken(&wake, now)?,
            Event::Request(Request::Run(request, reply)) => self.run_by_hand(request, reply, now)?,
            Event::Request(Request::Terminate(key, reply)) => self.terminate(key, reply, now),
            Event::Request(Request::Reload(config, reply)) => self.reload(config, reply, now)?,
            Event::Request(Request::Steer(job, steer, reply)) => self.steer(&job, steer, reply, now)?,
            Event::Request(Request::Relist) => self.relist(),
            // Nobody may wait any more.
            Event::Request(Request::Queue(query, reply)) => drop(reply.send(self.show_queue(&query))),
            Event::Request(Request::Front(key, reply)) => self.move_to_front(&key, reply)?,
            Event::Request(Request::Drop(key, reply)) => self.drop_waiting(&key, reply, now)?,
            Event::Request(Request::EditLedger(edit)) => self.edit_ledger(edit),
            Event::LedgerEditDue => self.ledger_edit_due(now)?,
            Event::LedgerEdited => self.next_ledger_edit(),
            Event::Claimed(keys, idempotency_key) => {
                if let Some(idempotency_key) = idempotency_key {
                    self.fresh_keys.remove(&idempotency_key);
                }
                self.claimed(&keys, now);
            }
            Event::SlotsClaimed(keys) => {
                self.claims_under_way -= 1;
                self.claim_some(now)?;
                self.claimed(&keys, now);
            }
            Event::TerminateDurable(key) => {
                self.cancel_at_executor(&key);
                // While it is being submitted, what is seen may be older than the answer.
                if self.live.get(&key).is_some_and(|live| live.stage != live::Stage::Submitting) {
                    self.look(&key);
                }
            }
            Event::SubmitDone(key, result) => self.submitted(&key, result, now)?,
            Event::EndRecorded(name, next) => {
                self.claimed(&next, now);
                self.release(name);
            }
            Event::Released(result) => {
                if let Err(error) = result {
                    tracing::warn!(%error, "a task was not released, which is tried again");
                }
            }
            Event::CancelDone(key, result) => {
                if let Err(error) = result {
                    tracing::warn!(app = %key.app, task = %key.id, %error, "cancelling failed, and is tried again");
                }
            }
            Event::Looked(key, Ok(observed)) => {
                self.came_through(&key, &observed, now)?;
                self.observed(&key, observed, now);
            }
            Event::Looked(key, Err(error)) => {
                tracing::warn!(app = %key.app, task = %key.id, %error, "nobody could look after a task");
                self.look_later(&key, now);
            }
            Event::Observed(Observation { name, state }) => match self.live.key_of(&name) {
                Some(key) => {
                    self.came_through(&key, &state, now)?;
                    self.observed(&key, state, now);
                }
                None => self.observed_unknown(&name, &state)?,
            },
            Event::StoreFailed(error) => return Err(error),
        }
        Ok(())
    }

    /// Arms a timer that brings `key` back at `at`.
    fn arm_task(&mut self, key: &TaskKey, at: Timestamp) {
        let timer = TimerId(self.next_timer);
        self.next_timer += 1;
        self.timers.insert(timer, key.clone());
        self.wheel.arm(vec![(timer, at)]);
    }

    /// What a task of `app` that is claimed now runs.
    fn revision_of(&self, app: &AppName) -> Option<RevisionNumber> {
        self.config.apps.get(app)?.revision
    }

    fn next_id(&mut self, app: &AppName) -> TaskId {
        let counter = self.counters.entry(app.clone()).or_insert(TaskId(0));
        counter.0 += 1;
        *counter
    }
}
