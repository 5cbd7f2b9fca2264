//! How a revision gets from `building` to `ready`, or to `failed`.
//!
//! [`Pushes`] makes revisions, [`Builds`] brings them on: it unpacks their source, has it built by a task where that
//! takes one, and says what came of it. Guaranteed: a revision that is on disk as `building` is brought on, also by the
//! next start, whenever the process was killed; a source is never unpacked over a build that runs; the App stays on its
//! revision until the next one is ready.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::PushError;
use super::source::{SourceError, Sources, remove_tree, share_tree};
use super::sweep::clear;
use super::{Revision, RevisionNumber, RevisionState, revision_dir};
use crate::app::{App, AppName};
use crate::blocking::{blocking, to_the_end};
use crate::clock::SharedClock;
use crate::config::{Code, Config, EditError, ExecutorKind, NewRevision, RevisionEdit, StoredName};
use crate::daemon::{Change, ChangeError, Reloader};
use crate::durable::sync_dir;
use crate::fault::point;
use crate::store::{Commit, Store, StoreError};
use crate::task::{DispatchHandle, Overrides, Phase, RunError, RunRequest, Task, TaskId, Trigger};

/// What pushes are made of.
#[derive(Clone)]
pub struct Parts {
    /// Who changes what is stored.
    pub reloader: Arc<Reloader>,
    /// Who claims the tasks that build.
    pub dispatch: DispatchHandle,
    /// Where tasks are recorded.
    pub store: Store,
    /// What is pushed.
    pub sources: Sources,
    /// The configuration in effect.
    pub config: Arc<ArcSwap<Config>>,
    /// The time.
    pub clock: SharedClock,
}

/// Makes revisions.
#[derive(Clone)]
pub struct Pushes {
    pub(super) parts: Parts,
    begun: mpsc::UnboundedSender<UnderWay>,
    under_way: Arc<watch::Sender<BTreeSet<Which>>>,
    changed: Arc<watch::Sender<u64>>,
}

/// Brings revisions on.
pub struct Builds {
    pushes: Pushes,
    begun: mpsc::UnboundedReceiver<UnderWay>,
}

/// A revision, by its App and number.
type Which = (AppName, RevisionNumber);

/// A revision that is brought on, for as long as this is there.
struct UnderWay {
    which: Which,
    all: Arc<watch::Sender<BTreeSet<Which>>>,
}

impl UnderWay {
    fn new(which: Which, all: &Arc<watch::Sender<BTreeSet<Which>>>) -> Self {
        all.send_modify(|all| _ = all.insert(which.clone()));
        Self { which, all: Arc::clone(all) }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.all.send_modify(|all| _ = all.remove(&self.which));
    }
}

/// What came of a revision: its image where it has one, or else why nothing came of it.
type Made = Result<Option<String>, String>;

/// Nobody is there any more who could do it; the next start goes on.
struct Stopping;

impl Pushes {
    /// Pushes, and who brings them on.
    pub fn new(parts: Parts) -> (Self, Builds) {
        let data_dir = parts.config.load().settings.data_dir.clone();
        if let Err(error) = clear(&data_dir) {
            tracing::warn!(%error, "what was left of revisions stays, and is removed by the next start");
        }
        let (begun, inbox) = mpsc::unbounded_channel();
        let (under_way, changed) = (Arc::default(), Arc::default());
        let pushes = Self { parts, begun, under_way, changed };
        (pushes.clone(), Builds { pushes, begun: inbox })
    }

    /// Who changes what is stored.
    pub fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.parts.reloader)
    }

    /// What a revision would be, of a source that need not be here yet; nothing is changed.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn try_out(&self, app: &AppName, edit: RevisionEdit) -> Result<NewRevision, EditError> {
        edit.apply(&self.parts.config.load(), app, self.parts.clock.now())
    }

    /// Makes a revision. When this returns it is on disk, and where nothing has to be made of it, in effect. What was
    /// begun is done, also where nobody waits for it any more.
    ///
    /// # Errors
    /// [`PushError`]; then everything stays as it was.
    pub async fn edit(&self, app: &AppName, edit: RevisionEdit) -> Result<NewRevision, PushError> {
        let (this, app) = (self.clone(), app.clone());
        to_the_end(async move { this.make_revision(&app, edit).await }).await
    }

    async fn make_revision(&self, app: &AppName, edit: RevisionEdit) -> Result<NewRevision, PushError> {
        // What is refused is refused before anything is done for it.
        self.try_out(app, edit.clone())?;
        let now = self.parts.clock.now();
        let config = self.parts.config.load_full();
        let taken = match &edit {
            RevisionEdit::Push(push) => self.look_for(&push.code).await.map(|()| None)?,
            RevisionEdit::Rollback { to, .. } => self.share(&config, app, *to).await?,
            RevisionEdit::Restage { .. } => None,
        };
        let put = taken.clone();
        let mut under_way = None;
        let made = self.parts.reloader.change(|config| {
            let made = edit.apply(config, app, now)?;
            let revision = &made.revision;
            let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
            commit.put_app(app, &made.app).put_revision(app, revision);
            stored.apps.insert(app.clone(), made.app.clone());
            stored.revisions.entry(app.clone()).or_default().insert(revision.number, revision.clone());
            let about = Some(StoredName::App(app.clone()));
            if let Some(taken) = put {
                let at = revision_dir(&config.settings.data_dir, app, revision.number);
                let named = remove_tree(&at).and_then(|()| fs::rename(taken, &at));
                // The revision is ready with its commit, and must not lose its files by a power cut then.
                let durable = named.and_then(|()| sync_dir(at.parent().unwrap_or(&at)));
                durable.map_err(EditError::Files)?;
            }
            // Known before the App can be deleted.
            if revision.state == RevisionState::Building {
                under_way = Some(UnderWay::new((app.clone(), revision.number), &self.under_way));
            }
            Ok((Change { stored, commit, about }, made))
        });
        let made = made.await;
        if let (Err(_), Some(taken)) = (&made, taken) {
            // What stays is removed by the next start.
            let _ = blocking(move || remove_tree(&taken)).await;
        }
        let (_, made) = made?;
        let revision = &made.revision;
        point("revision-made");
        let (number, by) = (revision.number, revision.by.as_deref().unwrap_or("?"));
        tracing::info!(%app, revision = %number, by, "an App has a new revision");
        match under_way {
            // Who brings them on has ended only when all has.
            Some(under_way) => drop(self.begun.send(under_way)),
            None => self.changed.send_modify(|count| *count += 1),
        }
        Ok(made)
    }

    /// Waits until no revision of an App is brought on any more: what does may write its files and claim its build.
    pub async fn until_idle(&self, app: &AppName) {
        let is_idle = |all: &BTreeSet<Which>| all.iter().all(|(of, _)| of != app);
        // Its sender is here.
        let _ = self.under_way.subscribe().wait_for(is_idle).await;
    }

    /// Changes whenever a revision is no longer being built. A hint to look again.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    async fn look_for(&self, code: &Code) -> Result<(), SourceError> {
        let Code::Source(hash) = code else { return Ok(()) };
        let (hash, sources) = (*hash, self.parts.sources.clone());
        let standing = blocking(move || Ok(sources.standing(&hash))).await;
        let standing = standing.map_err(|error| self.parts.sources.failed(error))??;
        if standing.complete { Ok(()) } else { Err(SourceError::NotThere(hash)) }
    }

    /// The files of an earlier revision once more, under a name of nobody's; nothing where it has none.
    async fn share(
        &self,
        config: &Config,
        app: &AppName,
        of: RevisionNumber,
    ) -> Result<Option<PathBuf>, PushError> {
        let revision = config.stored.revisions.get(app).and_then(|revisions| revisions.get(&of));
        let has_files = revision.is_some_and(|revision| revision.source.is_some());
        if !has_files || is_on_cluster(config) {
            return Ok(None);
        }
        let from = revision_dir(&config.settings.data_dir, app, of);
        let to = from.with_file_name(format!(".new-{}", uuid::Uuid::new_v4().simple()));
        let made = to.clone();
        blocking(move || share_tree(&from, &to)).await.map_err(EditError::Files)?;
        Ok(Some(made))
    }
}

impl Builds {
    /// Brings on what is begun, and what an earlier life has begun, until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let pushes = &self.pushes;
        let mut under_way = JoinSet::new();
        for (app, revisions) in &pushes.parts.config.load().stored.revisions {
            for revision in revisions.values().filter(|revision| revision.state == RevisionState::Building) {
                let which = (app.clone(), revision.number);
                under_way.spawn(pushes.clone().bring_on(UnderWay::new(which, &pushes.under_way)));
            }
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(begun) = self.begun.recv() => drop(under_way.spawn(self.pushes.clone().bring_on(begun))),
                Some(done) = under_way.join_next() => done.expect("bringing a revision on does not panic"),
            }
        }
    }
}

impl Pushes {
    async fn bring_on(self, under_way: UnderWay) {
        let which = &under_way.which;
        let (app, number) = which;
        let Ok(made) = self.make(which).await else { return };
        point("revision-decided");
        if let Err(error) = &made {
            tracing::warn!(%app, revision = %number, error, "a revision has failed");
        }
        match self.settle(which, made).await {
            Ok(()) => {}
            // It was deleted meanwhile.
            Err(ChangeError::Edit(_)) => return,
            // The daemon ends by that, and the next start goes on.
            Err(error) => {
                return tracing::error!(%app, revision = %number, %error, "a revision is not settled");
            }
        }
        drop(under_way);
        self.changed.send_modify(|count| *count += 1);
        self.sweep().await;
    }

    async fn make(&self, (app, number): &Which) -> Result<Made, Stopping> {
        let config = self.parts.config.load_full();
        let revision = config.stored.revisions.get(app).and_then(|revisions| revisions.get(number));
        let Some(revision) = revision.filter(|revision| revision.state == RevisionState::Building) else {
            return Err(Stopping);
        };
        let Some(configured) = config.apps.get(app) else {
            return Ok(
                Err("its App has no effect: `tekcron check` and the service's log say why".to_owned()),
            );
        };
        let task = match self.build_of(revision, app).map_err(|_| Stopping)? {
            Some(task) => task,
            None => {
                if !is_on_cluster(&config)
                    && let Err(error) = self.unpack(&config, app, revision).await
                {
                    return Ok(Err(error.to_string()));
                }
                point("revision-unpacked");
                if !is_built(&config, configured) {
                    return Ok(Ok(None));
                }
                match self.claim_build(&config, configured, revision).await {
                    Ok(task) => task,
                    Err(RunError::Stopping | RunError::Store(_)) => return Err(Stopping),
                    Err(error) => return Ok(Err(error.to_string())),
                }
            }
        };
        point("build-claimed");
        if revision.build != Some(task.id) {
            self.note_build(app, *number, task.id).await?;
        }
        let task = self.ended(app, task.id).await?;
        point("build-ended");
        Ok(match task {
            None => Err("the task that built it is no longer on record".to_owned()),
            Some(task)
                if task.phase == Phase::Succeeded && task.image.is_none() && is_on_cluster(&config) =>
            {
                Err(format!("its build, task {}, has made no image", task.id))
            }
            Some(task) if task.phase == Phase::Succeeded => Ok(task.image),
            Some(task) => Err(why(&task)),
        })
    }

    /// The task that builds a revision already.
    fn build_of(&self, revision: &Revision, app: &AppName) -> Result<Option<Task>, StoreError> {
        if let Some(build) = revision.build
            && let Some(task) = self.parts.store.task(app, build)?
        {
            return Ok(Some(task));
        }
        // It may have been claimed by a life that ended before it wrote that down.
        let mut tasks = self.parts.store.tasks(app, None);
        let is_it = |task: &Task| task.trigger == Trigger::Build && task.revision == Some(revision.number);
        // The clock may have been set back meanwhile, but not by much.
        let oldest = revision.at - SignedDuration::from_hours(24);
        let found =
            tasks.find(|task| task.as_ref().map_or(true, |task| is_it(task) || task.created < oldest));
        Ok(found.transpose()?.filter(is_it))
    }

    async fn unpack(&self, config: &Config, app: &AppName, revision: &Revision) -> Result<(), SourceError> {
        let Some(hash) = revision.source else { return Ok(()) };
        let dir = |number| revision_dir(&config.settings.data_dir, app, number);
        let (to, same, sources) =
            (dir(revision.number), same_files(config, app, revision).map(dir), self.parts.sources.clone());
        let unpacked = blocking(move || {
            let shared = same.is_some_and(|same| {
                // Of a life that ended in the middle of it.
                remove_tree(&to).and_then(|()| share_tree(&same, &to)).is_ok()
            });
            Ok(if shared { Ok(()) } else { sources.unpack(&hash, &to) })
        });
        unpacked.await.map_err(|error| self.parts.sources.failed(error))?
    }

    async fn claim_build(&self, config: &Config, app: &App, revision: &Revision) -> Result<Task, RunError> {
        let build = &app.build;
        let of_the_builder = config.settings.build.as_ref().filter(|_| is_on_cluster(config));
        let request = RunRequest {
            app: app.name.clone(),
            job: None,
            display_name: Some(format!("build of revision {}", revision.number)),
            overrides: Overrides {
                command: build.command.clone(),
                env: build.env.clone(),
                resources: build.resources,
                timeout: build.timeout.or(of_the_builder.map(|builder| builder.timeout)),
                overlap: None,
            },
            builds: Some(revision.number),
            idempotency_key: None,
        };
        self.parts.dispatch.run(request).await
    }

    async fn note_build(&self, app: &AppName, number: RevisionNumber, build: TaskId) -> Result<(), Stopping> {
        let noted = self.change(app, number, |revision| revision.build = Some(build), |_| {}).await;
        noted.map_err(|_| Stopping)
    }

    /// The task when it has ended; nothing where it is gone.
    async fn ended(&self, app: &AppName, id: TaskId) -> Result<Option<Task>, Stopping> {
        let mut ended = self.parts.dispatch.ended();
        loop {
            // Marked as seen before looking, so that no end falls between.
            ended.borrow_and_update();
            match self.parts.store.task(app, id).map_err(|_| Stopping)? {
                Some(task) if !task.phase.is_terminal() => {}
                found => return Ok(found),
            }
            ended.changed().await.map_err(|_| Stopping)?;
        }
    }

    async fn settle(&self, (app, number): &Which, made: Made) -> Result<(), ChangeError> {
        let now = self.parts.clock.now();
        let failed = made.is_err();
        let settle = |revision: &mut Revision| {
            revision.ended = Some(now);
            match made {
                Ok(image) => {
                    revision.image = image;
                    revision.state = RevisionState::Ready;
                }
                Err(reason) => revision.state = RevisionState::Failed { reason },
            }
        };
        let current = |current: &mut Option<RevisionNumber>| {
            if !failed {
                *current = Some(*number);
            }
        };
        self.change(app, *number, settle, current).await?;
        point("revision-settled");
        tracing::info!(%app, revision = %number, ready = !failed, "a revision was made");
        if failed {
            let dir = revision_dir(&self.parts.config.load().settings.data_dir, app, *number);
            let removed = blocking(move || remove_tree(&dir)).await;
            if let Err(error) = removed {
                tracing::warn!(%app, revision = %number, %error, "the files of a failed revision stay");
            }
        }
        Ok(())
    }

    /// Changes a revision that is being built, and what of its App is current.
    async fn change(
        &self,
        app: &AppName,
        number: RevisionNumber,
        change: impl FnOnce(&mut Revision),
        current: impl FnOnce(&mut Option<RevisionNumber>),
    ) -> Result<(), ChangeError> {
        let changed = self.parts.reloader.change(|config| {
            let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
            let gone = || EditError::NoApp(app.clone());
            let stored_app = stored.apps.get_mut(app).filter(|stored| !stored.deleting).ok_or_else(gone)?;
            let revisions = stored.revisions.get_mut(app).ok_or_else(gone)?;
            let revision = revisions.get_mut(&number).ok_or_else(gone)?;
            change(revision);
            commit.put_revision(app, revision);
            let before = stored_app.current;
            current(&mut stored_app.current);
            if stored_app.current != before {
                commit.put_app(app, stored_app);
            }
            Ok((Change { stored, commit, about: None }, ()))
        });
        changed.await.map(drop)
    }
}

/// Whether it takes a task to make of a source what tasks run on.
fn is_built(config: &Config, app: &App) -> bool {
    is_on_cluster(config) || app.build.command.is_some()
}

fn is_on_cluster(config: &Config) -> bool {
    config.settings.executor == ExecutorKind::Tekton
}

/// A revision that has the files that unpacking this one's source would make, where nobody is going to write to them.
fn same_files(config: &Config, app: &AppName, revision: &Revision) -> Option<RevisionNumber> {
    let is_unpacked = |other: &Revision| {
        other.source == revision.source
            && other.state == RevisionState::Ready
            && (other.build, other.from) == (None, None)
    };
    if config.apps.get(app).is_none_or(|app| is_built(config, app)) {
        return None;
    }
    let others = config.stored.revisions.get(app)?.values();
    others.rev().find(|other| is_unpacked(other)).map(|other| other.number)
}

/// Why a task that built has made nothing, in a sentence.
fn why(task: &Task) -> String {
    let said = task.message.as_deref().or(task.reason.as_deref()).unwrap_or("?");
    format!(
        "its build, task {}, ended as `{}`: {said}\nhint: `tekcron logs {} --task {}` shows what it wrote",
        task.id, task.phase, task.app, task.id
    )
}
