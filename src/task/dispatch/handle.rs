//! The way to the dispatcher for everybody else: requests, each with its answer.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::backfill::LedgerEdit;
use super::live::TaskKey;
use super::{
    BackfillRequest, Backfilled, QueueEntry, QueueError, QueueQuery, RunError, RunRequest, Steer, SteerError,
    Steered, TerminateError, Terminated,
};
use crate::app::AppName;
use crate::config::Config;
use crate::job::JobRef;
use crate::retention::ForgottenSlots;
use crate::store::StoreError;
use crate::task::{Task, TaskId};

/// The way to the dispatcher for everybody else.
#[derive(Debug, Clone)]
pub struct DispatchHandle {
    requests: mpsc::Sender<Request>,
    ended: watch::Receiver<u64>,
}

#[derive(Debug)]
pub(super) enum Request {
    Run(RunRequest, oneshot::Sender<Result<Task, RunError>>),
    Terminate(TaskKey, oneshot::Sender<Result<Terminated, TerminateError>>),
    Reload(Arc<Config>, oneshot::Sender<Result<(), StoreError>>),
    Steer(JobRef, Steer, oneshot::Sender<Result<Steered, SteerError>>),
    Relist,
    Queue(QueueQuery, oneshot::Sender<Vec<QueueEntry>>),
    Front(TaskKey, oneshot::Sender<Result<Task, QueueError>>),
    Drop(TaskKey, oneshot::Sender<Result<Task, QueueError>>),
    EditLedger(LedgerEdit),
}

impl DispatchHandle {
    pub(super) fn new(requests: mpsc::Sender<Request>, ended: watch::Receiver<u64>) -> Self {
        Self { requests, ended }
    }

    /// Claims a run. When this returns, the task is on disk.
    ///
    /// # Errors
    /// [`RunError`]. A repeated idempotency key is not an error: it answers the first one's task.
    pub async fn run(&self, request: RunRequest) -> Result<Task, RunError> {
        self.ask(|reply| Request::Run(request, reply)).await.unwrap_or(Err(RunError::Stopping))
    }

    /// Ends a task. When this returns, the intent is on disk.
    ///
    /// # Errors
    /// [`TerminateError`]. A task that has ended is not an error.
    pub async fn terminate(&self, app: AppName, id: TaskId) -> Result<Terminated, TerminateError> {
        let key = TaskKey { app, id };
        self.ask(|reply| Request::Terminate(key, reply)).await.unwrap_or(Err(TerminateError::Stopping))
    }

    /// Works by `config` from now on. When this returns, the watermarks of new and edited schedules
    /// are on disk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reload(&self, config: Arc<Config>) -> Result<(), StoreError> {
        self.ask(|reply| Request::Reload(config, reply)).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Decides about the slots of a job. When this returns, that is on disk.
    ///
    /// # Errors
    /// [`SteerError`]. What was asked for before is not an error where it can be asked for again: a pause, and
    /// slots to skip.
    pub async fn steer(&self, job: JobRef, steer: Steer) -> Result<Steered, SteerError> {
        self.ask(|reply| Request::Steer(job, steer, reply)).await.unwrap_or(Err(SteerError::Stopping))
    }

    /// Removes or shortens rows of the slot ledger. When this returns, that is on disk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_slots(&self, rows: Vec<ForgottenSlots>) -> Result<(), StoreError> {
        let edit = |reply| Request::EditLedger(LedgerEdit::Forget(rows, reply));
        self.ask(edit).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Removes all that is remembered of the jobs of an App that is no longer configured and has no tasks. When this
    /// returns, that is on disk.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_app(&self, app: AppName) -> Result<(), StoreError> {
        let edit = |reply| Request::EditLedger(LedgerEdit::ForgetApp(app, reply));
        self.ask(edit).await.unwrap_or(Err(StoreError::Closed))
    }

    /// Asks the executor about every task in flight. What it answers is the truth.
    pub async fn relist(&self) {
        // A dispatcher that is gone has ended the daemon.
        let _ = self.requests.send(Request::Relist).await;
    }

    /// What waits to start, in order.
    ///
    /// # Errors
    /// [`QueueError::Stopping`].
    pub async fn queue(&self, query: QueueQuery) -> Result<Vec<QueueEntry>, QueueError> {
        self.ask(|reply| Request::Queue(query, reply)).await.ok_or(QueueError::Stopping)
    }

    /// Moves a waiting task before all others. When this returns, that is on disk.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn move_to_front(&self, app: AppName, id: TaskId) -> Result<Task, QueueError> {
        let key = TaskKey { app, id };
        self.ask(|reply| Request::Front(key, reply)).await.unwrap_or(Err(QueueError::Stopping))
    }

    /// Ends a waiting task before it starts. When this returns, that is on disk.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn drop_waiting(&self, app: AppName, id: TaskId) -> Result<Task, QueueError> {
        let key = TaskKey { app, id };
        self.ask(|reply| Request::Drop(key, reply)).await.unwrap_or(Err(QueueError::Stopping))
    }

    /// Claims old slots. When this returns, all of them are on disk.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn backfill(&self, request: BackfillRequest) -> Result<Backfilled, RunError> {
        let edit = |reply| Request::EditLedger(LedgerEdit::Backfill(request, reply));
        self.ask(edit).await.unwrap_or(Err(RunError::Stopping))
    }

    /// Changes whenever a task's end has reached the disk. A hint to look again.
    pub fn ended(&self) -> watch::Receiver<u64> {
        self.ended.clone()
    }

    /// What a request is answered with; nothing where the dispatcher is gone.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}
