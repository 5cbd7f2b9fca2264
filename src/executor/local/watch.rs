//! Who waits for the ends of tasks, and settles what ended badly.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::cgroup::Delegated;
use super::lock;
use super::orphan;
use super::place::{Standing, TaskDir};
use super::record::{Entry, Started};
use super::submit::News;
use super::tree;
use crate::blocking::blocking;
use crate::clock::SharedClock;
use crate::executor::{Observation, Observed};
use crate::readiness::readable;
use crate::task::{Outcome, TaskName};

/// How long after a supervisor is tried to be watched again where the machine is out of descriptors.
const AGAIN: Duration = Duration::from_secs(1);

/// Watches shims. Those who wait are dropped with it; the shims go on.
pub(super) struct Watch {
    shared: Arc<Shared>,
    waiting: Mutex<JoinSet<()>>,
}

struct Shared {
    clock: SharedClock,
    /// Where the groups of the tasks are.
    cgroup: Option<Delegated>,
    room: Arc<Semaphore>,
    watched: Mutex<HashSet<TaskName>>,
    /// Held by whoever takes a directory's name away, or ends an orphan: what was found must still be so.
    tidying: Mutex<()>,
    observations: mpsc::Sender<Observation>,
}

impl Watch {
    /// Lets `room` shims run at once, and tells `observations` what became of them.
    pub(super) fn new(
        room: usize,
        cgroup: Option<Delegated>,
        clock: SharedClock,
        observations: mpsc::Sender<Observation>,
    ) -> Self {
        let shared = Shared {
            clock,
            cgroup,
            room: Arc::new(Semaphore::new(room)),
            watched: Mutex::default(),
            tidying: Mutex::default(),
            observations,
        };
        Self { shared: Arc::new(shared), waiting: Mutex::default() }
    }

    /// Waits for room for one more shim.
    pub(super) async fn room(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.shared.room).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// How the task in `dir` stands, once what had to be done about it is done: an orphan is ended and
    /// lost, an abandoned directory is gone.
    pub(super) async fn settle(&self, dir: TaskDir) -> io::Result<Standing> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.settle(&dir)).await
    }

    /// Takes the name of an ended task's directory away; returns what is to be removed.
    pub(super) async fn take_away(&self, dir: TaskDir) -> io::Result<Option<PathBuf>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            shared.settle(&dir)?;
            let _tidying = locked(&shared.tidying);
            match dir.standing()? {
                Standing::Absent => Ok(None),
                Standing::Ended(_) => dir.give_up_name().map(Some),
                _ => Err(io::Error::other("it still runs")),
            }
        })
        .await
    }

    /// Waits until the shim of a task that has ended is gone too.
    pub(super) async fn departed(&self, dir: &TaskDir) -> io::Result<()> {
        if !matches!(dir.standing()?, Standing::Ended(_)) {
            return Ok(());
        }
        departure(dir).await
    }

    /// Begins to watch the task in `dir`, unless it is watched. Returns whether there is a shim to watch.
    pub(super) fn adopt(&self, name: &TaskName, dir: &TaskDir) -> io::Result<bool> {
        if locked(&self.shared.watched).contains(name) {
            return Ok(true);
        }
        if lock::holder(&dir.record())?.is_none() {
            return Ok(false);
        }
        // There may be more of them than there is room: then no new ones come in.
        let room = Arc::clone(&self.shared.room).try_acquire_owned().ok();
        self.watch(name.clone(), dir.clone(), None, room);
        Ok(true)
    }

    /// Watches the shim that has taken the task in `dir`, by what it says, where it says it to this daemon.
    pub(super) fn watch(
        &self,
        name: TaskName,
        dir: TaskDir,
        news: Option<News>,
        room: Option<OwnedSemaphorePermit>,
    ) {
        if !locked(&self.shared.watched).insert(name.clone()) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut waiting = locked(&self.waiting);
        while waiting.try_join_next().is_some() {}
        waiting.spawn(async move {
            let ended = match news {
                Some(news) => shared.listen(&name, news).await,
                None => {
                    shared.observe(&name, &dir, |standing| matches!(standing, Standing::Running(_))).await;
                    None
                }
            };
            if ended.is_none() {
                shared.departure(&name, &dir).await;
            }
            drop(room);
            locked(&shared.watched).remove(&name);
            match ended {
                Some(outcome) => shared.tell(&name, Observed::Finished(Box::new(outcome))).await,
                None => shared.observe(&name, &dir, |_| true).await,
            }
        });
    }
}

impl Shared {
    fn settle(&self, dir: &TaskDir) -> io::Result<Standing> {
        let standing = dir.standing()?;
        if !matches!(standing, Standing::Abandoned | Standing::Orphaned(_)) {
            return Ok(standing);
        }
        let _tidying = locked(&self.tidying);
        match dir.standing()? {
            Standing::Orphaned(started) => {
                let now = self.clock.now();
                orphan::bury(dir, &started, now).map(Standing::Ended)
            }
            Standing::Abandoned => {
                if let (Some(cgroup), Some(name)) = (&self.cgroup, dir.path().file_name()) {
                    // Nothing ran there, but what was to be the command may not be gone yet.
                    cgroup.group_of(&name.to_string_lossy()).remove_when_empty();
                }
                let gone = dir.give_up_name()?;
                tree::remove(&gone)?;
                Ok(Standing::Absent)
            }
            settled => Ok(settled),
        }
    }

    /// Tells what a task's shim says of it, to the end, which is not told yet; none where the shim does not say it.
    async fn listen(&self, name: &TaskName, mut news: News) -> Option<Outcome> {
        loop {
            match news.next().await? {
                Entry::Started(Started { at, .. }) => {
                    self.tell(name, Observed::Running { started: at }).await
                }
                Entry::Ended(outcome) => return Some(outcome),
            }
        }
    }

    /// Completes when no shim holds the task in `dir` any more, also where the machine is out of descriptors now.
    async fn departure(&self, name: &TaskName, dir: &TaskDir) {
        while let Err(error) = departure(dir).await {
            tracing::warn!(task = %name, %error, "a task's supervisor cannot be watched now; it is tried again");
            self.clock.sleep(AGAIN).await;
        }
    }

    async fn tell(&self, name: &TaskName, state: Observed) {
        // Nobody may listen any more.
        let _ = self.observations.send(Observation { name: name.clone(), state }).await;
    }

    /// Looks at the task in `dir`, and tells of it where that is `news`.
    async fn observe(self: &Arc<Self>, name: &TaskName, dir: &TaskDir, news: fn(&Standing) -> bool) {
        let (shared, dir) = (Arc::clone(self), dir.clone());
        match blocking(move || shared.settle(&dir)).await {
            Ok(standing) if !news(&standing) => {}
            Ok(standing) => self.tell(name, Observed::from(standing)).await,
            Err(error) => {
                tracing::warn!(task = %name, %error, "looking at a task failed; the next relist tries again");
            }
        }
    }
}

/// Completes when no shim holds the task in `dir` any more.
async fn departure(dir: &TaskDir) -> io::Result<()> {
    match lock::holder_descriptor(&dir.record())? {
        Some(shim) => readable(shim).await,
        None => Ok(()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
