//! The deletion of Apps that were pushed: what runs is ended first, then the history goes, the App last.
//!
//! That an App is on its way out is on disk before anything of it goes, and nothing new runs on it from then on. All
//! that follows may be repeated at any time, and stopped at any point: the next start goes on with it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::reload::{Change, ChangeError, Reloader};
use crate::app::{AppName, Retention};
use crate::blocking::{blocking, to_the_end};
use crate::clock::SharedClock;
use crate::config::{Config, EditError, RunningTasks, StoredApp};
use crate::executor::local::remove_tree;
use crate::executor::{Executor, ExecutorError};
use crate::fault::point;
use crate::job::JobRef;
use crate::push::{Pushes, REVISIONS, Revisions};
use crate::retention::{ForgottenSlots, Sweep};
use crate::store::{Commit, Store, StoreError};
use crate::task::{DispatchHandle, TerminateError};

/// Between two tries of what cannot be done yet.
const PAUSE: Duration = Duration::from_secs(10);

/// The most rows of a ledger that go at once.
const ROWS: usize = 512;

/// The most jobs that go at once.
const JOBS: usize = 1000;

/// Of an App that goes, nothing stays.
const NOTHING: Retention = Retention { keep: 0, keep_for: None, keep_per_job: 0 };

/// Who deletes Apps.
pub struct Removals {
    store: Store,
    executor: Arc<dyn Executor>,
    clock: SharedClock,
    dispatch: DispatchHandle,
    reloader: Arc<Reloader>,
    pushes: Pushes,
    /// Only one sweep of records at a time: what one has removed, another must not write again.
    sweeping: Arc<Mutex<()>>,
    wanted: mpsc::UnboundedSender<AppName>,
    /// Changes whenever an App is gone.
    gone: watch::Sender<u64>,
}

/// Apps that are to be deleted.
pub struct Wanted(mpsc::UnboundedReceiver<AppName>);

/// Why an App is not gone yet.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Terminate(#[from] TerminateError),
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    #[error("{0}")]
    History(String),
    #[error("its revisions: {0}")]
    Revisions(#[from] io::Error),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Removals {
    /// Those of a service. Nothing is deleted before [`Self::run`].
    pub fn new(
        store: Store,
        executor: Arc<dyn Executor>,
        clock: SharedClock,
        dispatch: DispatchHandle,
        pushes: Pushes,
        sweeping: Arc<Mutex<()>>,
    ) -> (Arc<Self>, Wanted) {
        let (wanted, inbox) = mpsc::unbounded_channel();
        let (gone, reloader) = (watch::Sender::new(0), pushes.reloader());
        let this = Self { store, executor, clock, dispatch, reloader, pushes, sweeping, wanted, gone };
        (Arc::new(this), Wanted(inbox))
    }

    /// Decides that an App goes. When this returns that is on disk, and nothing new runs on it. One that is on its
    /// way out already is not an error. What was begun is done, also where nobody waits for it any more.
    ///
    /// # Errors
    /// [`EditError::NoApp`], [`EditError::AppInFile`]; [`EditError::Running`] where tasks of it have not ended, unless
    /// they are to be terminated by `force`; [`StoreError`].
    pub async fn delete(self: &Arc<Self>, app: &AppName, force: bool) -> Result<(), ChangeError> {
        let (this, app) = (Arc::clone(self), app.clone());
        to_the_end(async move { this.mark(&app, force).await }).await
    }

    async fn mark(&self, app: &AppName, force: bool) -> Result<(), ChangeError> {
        let running = self.store.active_tasks_of(app)?;
        let change = self.reloader.change(|config| {
            let stored = match config.stored_app(app) {
                Err(EditError::Deleting(_)) => return Ok((Change::nothing(config), true)),
                Err(EditError::AppInFile { .. }) if config.stored.apps.contains_key(app) => {
                    return Ok((Change::nothing(config), false));
                }
                stored => stored?,
            };
            if !force && !running.is_empty() {
                return Err(EditError::Running { app: app.clone(), tasks: RunningTasks(running) });
            }
            let leaving = StoredApp { deleting: true, ..stored.clone() };
            let mut all = config.stored.as_ref().clone();
            let mut commit = Commit::new();
            commit.put_app(app, &leaving);
            all.apps.insert(app.clone(), leaving);
            Ok((Change { stored: all, commit, about: None }, true))
        });
        let (_, leaves) = change.await?;
        if !leaves {
            return self.forget_resting(app).await;
        }
        point("deleting");
        // Without anybody to do it, the next start does.
        let _ = self.wanted.send(app.clone());
        Ok(())
    }

    /// Deletes an App that rests behind a file's, and before it those of its jobs that rest behind the file's. The file's
    /// stays as it is, with its history.
    async fn forget_resting(&self, app: &AppName) -> Result<(), ChangeError> {
        loop {
            let change = self.reloader.change(|config| {
                let rests = |job: &&JobRef| config.job(job).is_some_and(|(_, job)| !job.stored);
                let jobs = config.stored.jobs.keys().filter(|job| job.app == *app).filter(rests);
                let jobs: Vec<_> = jobs.take(JOBS).cloned().collect();
                let is_last = jobs.len() < JOBS;
                let mut change = if is_last { forgotten(config, app) } else { Change::nothing(config) };
                for job in &jobs {
                    change.commit.remove_job(job);
                    change.stored.jobs.remove(job);
                }
                Ok((change, is_last))
            });
            if change.await?.1 {
                return Ok(());
            }
        }
    }

    /// Changes whenever an App is gone. A hint to look again.
    pub fn gone(&self) -> watch::Receiver<u64> {
        self.gone.subscribe()
    }

    /// Deletes what is wanted, and what an earlier life began to delete, until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, config: Arc<Config>, wanted: Wanted, stop: CancellationToken) {
        let Wanted(mut wanted) = wanted;
        let leaving = config.stored.apps.iter().filter(|(_, app)| app.deleting);
        let mut under_way: BTreeSet<AppName> = leaving.map(|(app, _)| app.clone()).collect();
        let mut removals = JoinSet::new();
        for app in &under_way {
            removals.spawn(Arc::clone(&self).remove(app.clone()));
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(done) = removals.join_next() => {
                    under_way.remove(&done.expect("a removal does not panic"));
                }
                Some(app) = wanted.recv() => {
                    if under_way.insert(app.clone()) {
                        removals.spawn(Arc::clone(&self).remove(app));
                    }
                }
            }
        }
    }

    /// Deletes an App, however long that takes.
    async fn remove(self: Arc<Self>, app: AppName) -> AppName {
        loop {
            match self.try_to_remove(&app).await {
                Ok(()) => break,
                Err(Obstacle::Store(StoreError::Closed)) => return app,
                Err(error) => {
                    tracing::warn!(%app, %error, "an App that is to be deleted is not gone yet; it is tried again");
                    self.clock.sleep(PAUSE).await;
                }
            }
        }
        tracing::info!(%app, "an App was deleted");
        self.gone.send_modify(|count| *count += 1);
        app
    }

    async fn try_to_remove(&self, app: &AppName) -> Result<(), Obstacle> {
        let is_leaving = |config: &Config| config.stored.apps.get(app).is_some_and(|app| app.deleting);
        let config = self.reloader.current();
        if !is_leaving(&config) {
            return Ok(());
        }
        if config.apps.contains_key(app) {
            return Ok(self.forget_resting(app).await?);
        }
        self.end_tasks(app).await?;
        // Else an App of that name that is pushed anew would be built by who builds this one.
        self.pushes.until_idle(app).await;
        // A file may have got an App of that name meanwhile, whose history this is from then on.
        if self.reloader.current().apps.contains_key(app) {
            return Ok(self.forget_resting(app).await?);
        }
        point("delete-history");
        self.remove_history(app).await?;
        self.executor.forget(app).await?;
        point("delete-app");
        let config = self.reloader.current();
        let revisions = config.settings.data_dir.join(REVISIONS).join(app.as_str());
        // A file that says what `export` printed goes on.
        if !config.is_named_by_file(&revisions) {
            blocking(move || remove_tree(&revisions)).await?;
        }
        let change = self.reloader.change(|config| {
            let mut change = forgotten(config, app);
            // Their rows went with the history.
            change.stored.jobs.retain(|job, _| job.app != *app);
            Ok((change, ()))
        });
        change.await?;
        Ok(())
    }

    /// Ends what has not ended, and waits for the ends.
    async fn end_tasks(&self, app: &AppName) -> Result<(), Obstacle> {
        let mut ended = self.dispatch.ended();
        // What was claimed before the App was on its way out is on record behind this.
        self.store.commit(Commit::new()).await?;
        for id in self.store.active_tasks_of(app)? {
            match self.dispatch.terminate(app.clone(), id).await {
                // It has ended, and retention was faster.
                Err(TerminateError::NoTask { .. }) => {}
                terminated => drop(terminated?),
            }
        }
        loop {
            // Marked as seen before looking, so that no end falls between.
            ended.borrow_and_update();
            if self.store.active_tasks_of(app)?.is_empty() {
                return Ok(());
            }
            if ended.changed().await.is_err() {
                return Err(StoreError::Closed.into());
            }
        }
    }

    async fn remove_history(&self, app: &AppName) -> Result<(), Obstacle> {
        {
            let _alone = self.sweeping.lock().await;
            let sweep = Sweep::new(Arc::clone(&self.executor), self.store.clone());
            let report = sweep.tasks(app, &NOTHING, |_| false, self.clock.now()).await;
            if let Some(failure) = report.failures.first() {
                let cause = std::error::Error::source(failure).map(ToString::to_string);
                return Err(Obstacle::History(format!("{failure}: {}", cause.unwrap_or_default())));
            }
        }
        loop {
            let rows = self.store.slots_of_app(app, ROWS)?;
            if rows.is_empty() {
                break;
            }
            let gone = |(job, row): (JobRef, crate::store::SlotRow)| ForgottenSlots {
                job,
                schedule: row.schedule,
                first: row.first,
                last: row.last,
                stays_from: None,
            };
            self.dispatch.forget_slots(rows.into_iter().map(gone).collect()).await?;
        }
        Ok(self.dispatch.forget_app(app.clone()).await?)
    }
}

/// The App is stored no more.
fn forgotten(config: &Config, app: &AppName) -> Change {
    let mut stored = config.stored.as_ref().clone();
    let mut commit = Commit::new();
    stored.apps.remove(app);
    commit.remove_app(app);
    for number in stored.revisions.remove(app).into_iter().flat_map(Revisions::into_keys) {
        commit.remove_revision(app, number);
    }
    Change { stored, commit, about: None }
}
