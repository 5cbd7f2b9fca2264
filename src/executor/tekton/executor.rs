//! The executor as the rest of the program sees it.

use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::beside::Beside;
use super::board::Board;
use super::client::{Cluster, ConnectError, LATE, LINGER, REQUEST};
use super::logs::Copier;
use super::{release, submit, watch as watching};
use crate::app::AppName;
use crate::blocking::blocking;
use crate::causes::in_full;
use crate::clock::SharedClock;
use crate::config::{Config, LogStreamTarget, Settings};
use crate::executor::cluster::network_policy;
use crate::executor::log::{LogReader, next_text};
use crate::executor::{
    Executor, ExecutorError, LogQuery, LogStream, Observation, Observed, Submission, SubmitError, Submitted,
};
use crate::task::TaskName;

/// Logs that are followed at once: each takes a connection.
const FOLLOWED: usize = 128;

/// Observations that the dispatcher has not taken yet; the loop that brings further ones waits.
const OBSERVATIONS: usize = 1024;

const CREATING: &str = "creating PipelineRuns";

/// Where and how runs are submitted.
#[derive(Debug, Clone)]
pub struct TektonOptions {
    /// The data directory; logs stand in `logs`.
    pub data_dir: PathBuf,
    /// The tekcron instance, which the runs are labelled with.
    pub instance: String,
    /// The namespace of the runs.
    pub namespace: String,
    /// The kubeconfig, where one is named.
    pub kubeconfig: Option<PathBuf>,
    /// The context of it, where one is named.
    pub context: Option<String>,
    /// The most creates in flight.
    pub max_creates: usize,
    /// The most runs at once.
    pub max_submitted: usize,
    /// A run that cannot be started for longer is cancelled.
    pub unschedulable_after: Option<SignedDuration>,
    /// The most bytes of log kept of one task.
    pub max_log: u64,
    /// The most logs that are followed at once; others are looked at now and then.
    pub max_followed: usize,
    /// Whether captured lines go to our own output too, as JSON.
    pub emit: bool,
}

impl TektonOptions {
    /// What the settings say.
    pub fn of(settings: &Settings) -> Self {
        let tekton = settings.tekton.clone();
        Self {
            data_dir: settings.data_dir.clone(),
            instance: settings.instance.clone(),
            namespace: settings.namespace.clone(),
            kubeconfig: tekton.kubeconfig,
            context: tekton.kube_context,
            max_creates: tekton.max_creates,
            max_submitted: tekton.max_submitted,
            unschedulable_after: tekton.unschedulable_after,
            max_log: settings.max_log.bytes(),
            max_followed: FOLLOWED,
            emit: tekton.log_stream == LogStreamTarget::Stdout,
        }
    }
}

/// Runs tasks as PipelineRuns.
pub struct TektonExecutor {
    shared: Arc<Shared>,
    capacity: usize,
    at_once: usize,
    inbox: Mutex<Option<mpsc::Receiver<Observation>>>,
    noted: mpsc::UnboundedSender<TaskName>,
    _loop: DropGuard,
}

/// What all parts of the executor share.
pub(super) struct Shared {
    pub(super) cluster: Cluster,
    pub(super) board: Board,
    pub(super) clock: SharedClock,
    pub(super) instance: String,
    pub(super) creates: Semaphore,
    pub(super) beside: Beside,
    pub(super) observations: mpsc::Sender<Observation>,
    pub(super) copier: Copier,
    pub(super) unschedulable_after: Option<SignedDuration>,
    /// Whether everything was listed once.
    pub(super) listed: watch::Sender<bool>,
    pub(super) data_dir: PathBuf,
    /// Creates of which nobody knows whether they were carried out.
    unheard: Mutex<HashSet<TaskName>>,
    /// By what was asked.
    trouble: Mutex<BTreeMap<&'static str, Trouble>>,
}

/// Something that the cluster does not answer as it should.
struct Trouble {
    since: Timestamp,
    message: String,
}

impl TektonExecutor {
    /// Finds the cluster, and begins to look at it. That it does not answer is no error: claims wait.
    ///
    /// # Errors
    /// [`ConnectError`], where nobody can say which cluster, or as whom.
    pub async fn open(options: TektonOptions, clock: SharedClock) -> Result<Arc<dyn Executor>, ConnectError> {
        let cluster = Cluster::connect(&options).await?;
        tracing::info!(url = %cluster.url, namespace = %cluster.namespace, "tasks are PipelineRuns of this cluster");
        let (observations, inbox) = mpsc::channel(OBSERVATIONS);
        let (noted, noted_inbox) = mpsc::unbounded_channel();
        let TektonOptions { max_log, emit, max_followed, .. } = options;
        let data_dir = options.data_dir.clone();
        let copier = Copier::new(cluster.clone(), Arc::clone(&clock), data_dir, max_log, max_followed);
        let shared = Arc::new(Shared {
            cluster,
            board: Board::new(emit),
            clock,
            instance: options.instance,
            creates: Semaphore::new(options.max_creates),
            beside: Beside::default(),
            observations,
            copier,
            unschedulable_after: options.unschedulable_after,
            listed: watch::Sender::new(false),
            data_dir: options.data_dir,
            unheard: Mutex::default(),
            trouble: Mutex::default(),
        });
        let stop = CancellationToken::new();
        tokio::spawn(watching::run(Arc::clone(&shared), noted_inbox, stop.clone()));
        Ok(Arc::new(Self {
            shared,
            capacity: options.max_submitted,
            // As many again wait here, so that none of the places is empty for a moment.
            at_once: options.max_creates.saturating_mul(2),
            inbox: Mutex::new(Some(inbox)),
            noted,
            _loop: stop.drop_guard(),
        }))
    }

    async fn look(&self, name: &TaskName) -> Result<Observed, String> {
        let shared = &self.shared;
        let mut listed = shared.listed.subscribe();
        // Until all was listed nobody knows what is there.
        if shared.in_time(listed.wait_for(|listed| *listed)).await.is_none() {
            return Err(shared.trouble().unwrap_or_else(|| "the cluster has not been listed yet".to_owned()));
        }
        if let Some(observed) = shared.board.observed(name, shared.clock.now()) {
            return Ok(observed);
        }
        // All that run are looked at at once, and few of them need to be asked for.
        Box::pin(self.look_for(name)).await
    }

    async fn look_for(&self, name: &TaskName) -> Result<Observed, String> {
        let shared = &self.shared;
        let found = shared.ask(shared.cluster.seen_runs.get_opt(name.as_str())).await?;
        // Somebody else's object of that name is none of ours: who creates ours is told so.
        let ours = found.filter(|run| release::is_ours(run, &shared.instance));
        let Some(run) = ours else { return Ok(Observed::Absent) };
        let task_run = run.status.child_references.iter().find(|child| child.kind == "TaskRun");
        let task_run = task_run.map(|child| child.name.clone());
        shared.board.see_run(run, shared.clock.now());
        if let Some(task_run) = task_run
            && let Some(task_run) = shared.ask(shared.cluster.seen_task_runs.get_opt(&task_run)).await?
        {
            shared.board.see_task_run(task_run);
        }
        // The loop is there as long as this is.
        let _ = self.noted.send(name.clone());
        Ok(shared.board.observed(name, shared.clock.now()).unwrap_or(Observed::Absent))
    }

    /// The log first: with the run, its pod goes.
    async fn end(&self, name: &TaskName) -> Result<(), String> {
        if let Some(here) = self.shared.board.flush(name)
            && self.shared.in_time(here).await.is_none()
        {
            tracing::warn!(task = %name, "the newest lines of its log could not be read in time");
        }
        release::cancel(&self.shared, name, None).await
    }

    async fn remove(&self, name: &TaskName) -> Result<(), String> {
        release::delete(&self.shared, name).await?;
        self.shared.board.forget(name);
        self.remove_log(name).await
    }

    async fn remove_log(&self, name: &TaskName) -> Result<(), String> {
        let dir = self.shared.log_dir(name);
        let removed = blocking(move || match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        removed.await.map_err(|error| error.to_string())
    }

    async fn read_log(&self, name: &TaskName, query: LogQuery) -> Result<LogStream, String> {
        let mut reader = LogReader::new(self.shared.log_dir(name), query.timestamps);
        if let Some(lines) = query.tail {
            let sought = blocking(move || reader.seek_tail(lines).map(|()| reader)).await;
            reader = sought.map_err(|error| error.to_string())?;
        }
        let (shared, name) = (Arc::clone(&self.shared), name.clone());
        let text = stream::try_unfold(reader, move |reader| {
            let (shared, name) = (Arc::clone(&shared), name.clone());
            async move {
                let clock = Arc::clone(&shared.clock);
                let goes_on = move || Ok(query.follow && shared.board.may_write(&name));
                next_text(reader, clock.as_ref(), goes_on).await
            }
        });
        Ok(text.boxed())
    }
}

impl Shared {
    /// What `request` answers, unless it takes longer than a request may.
    pub(super) async fn in_time<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            answer = request => Some(answer),
            () = self.clock.rest(REQUEST) => None,
        }
    }

    /// The same, with what went wrong in words.
    pub(super) async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, String> {
        let answer = self.in_time(request).await.ok_or(LATE)?;
        answer.map_err(|error| in_full(&error))
    }

    pub(super) fn log_dir(&self, name: &TaskName) -> PathBuf {
        log_dir(&self.data_dir, name)
    }

    /// The cluster answers to this.
    pub(super) fn answered(&self, operation: &'static str) {
        if self.lock_trouble().remove(operation).is_some() {
            tracing::info!(operation, "the cluster answers again");
        }
    }

    /// It does not. Said once.
    pub(super) fn failed(&self, operation: &'static str, message: &str) {
        match self.lock_trouble().entry(operation) {
            Entry::Occupied(mut known) => message.clone_into(&mut known.get_mut().message),
            Entry::Vacant(place) => {
                tracing::warn!(operation, message, "the cluster does not answer as it should");
                place.insert(Trouble { since: self.clock.now(), message: message.to_owned() });
            }
        }
    }

    pub(super) fn fails(&self, operation: &str) -> bool {
        self.lock_trouble().contains_key(operation)
    }

    fn trouble(&self) -> Option<String> {
        let trouble = self.lock_trouble();
        let said = trouble.iter().map(|(operation, Trouble { since, message })| {
            format!("{operation}: {message} (since {since:.0})")
        });
        Some(said.collect::<Vec<_>>().join("; ")).filter(|said| !said.is_empty())
    }

    /// Notes that nobody knows what became of a create.
    fn unheard(&self, name: &TaskName) {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    }

    /// A run is there. Where nobody knew whether it was created, the cluster answers to creates after all.
    pub(super) fn came_through(&self, name: &TaskName) {
        if self.heard(name) {
            self.answered(CREATING);
        }
    }

    /// What became of a create is known.
    fn heard(&self, name: &TaskName) -> bool {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    fn lock_trouble(&self) -> MutexGuard<'_, BTreeMap<&'static str, Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for TektonExecutor {
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn submits_at_once(&self) -> usize {
        self.at_once
    }

    fn submit(&self, submission: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>> {
        async move {
            let name = submission.run.metadata.name.clone().and_then(|name| name.parse().ok());
            let submitted = submit::submit(&self.shared, submission).await;
            match &submitted {
                Err(SubmitError::Unreachable { message, .. } | SubmitError::Unknown { message }) => {
                    self.shared.failed(CREATING, message);
                }
                _ => self.shared.answered(CREATING),
            }
            if let Some(name) = &name {
                match &submitted {
                    Err(SubmitError::Unknown { .. }) => self.shared.unheard(name),
                    _ => _ = self.shared.heard(name),
                }
            }
            let submitted = submitted?;
            // What was adopted may have ended long ago.
            if let Some(name) = name {
                let _ = self.noted.send(name);
            }
            Ok(submitted)
        }
        .boxed()
    }

    fn cancel<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.end(name).map(|ended| ended.map_err(|error| failed("terminating", name, error))).boxed()
    }

    fn delete<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.remove(name).map(|done| done.map_err(|error| failed("deleting", name, error))).boxed()
    }

    fn delete_log<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.remove_log(name)
            .map(|done| done.map_err(|error| failed("deleting the log", name, error)))
            .boxed()
    }

    fn observe<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>> {
        async move {
            let seen = self.look(name).await.map_err(|error| failed("observing", name, error))?;
            if seen != Observed::Absent {
                self.shared.came_through(name);
            }
            Ok(seen)
        }
        .boxed()
    }

    fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn logs<'a>(
        &'a self,
        name: &'a TaskName,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, ExecutorError>> {
        self.read_log(name, query)
            .map(|read| read.map_err(|error| failed("reading the log", name, error)))
            .boxed()
    }

    fn caveats(&self) -> Vec<String> {
        Vec::new()
    }

    fn site(&self) -> Option<String> {
        let Cluster { url, namespace, .. } = &self.shared.cluster;
        Some(format!("{url} (namespace {namespace})"))
    }

    fn holds(&self) -> bool {
        true
    }

    fn release<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        release::release(&self.shared, name)
            .map(|done| done.map_err(|error| failed("releasing", name, error)))
            .boxed()
    }

    fn forget<'a>(&'a self, app: &'a AppName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        let shared = &self.shared;
        let removed = shared.ask(shared.beside.remove_secret(&shared.cluster, app, &shared.instance));
        let failed = |message| ExecutorError { operation: "forgetting", name: app.to_string(), message };
        removed.map(move |removed| removed.map_err(failed)).boxed()
    }

    fn configure(&self, config: &Config) {
        let groups = config.security_groups.iter();
        let policies = groups.map(|(name, group)| network_policy(&config.settings, name, group));
        self.shared.beside.want(policies.collect());
    }

    fn trouble(&self) -> Option<String> {
        self.shared.trouble()
    }

    fn create_may_linger(&self) -> SignedDuration {
        LINGER
    }
}

/// Where the log of a run is kept.
pub(super) fn log_dir(data_dir: &Path, name: &TaskName) -> PathBuf {
    data_dir.join("logs").join(name.as_str())
}

fn failed(operation: &'static str, name: &TaskName, message: String) -> ExecutorError {
    ExecutorError { operation, name: name.to_string(), message }
}
