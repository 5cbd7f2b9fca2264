use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::look::Looks;
use crate::blocking::to_the_end;
use crate::config::{
    self, Config, EditError, JobEdit, Problem, Problems, Rescans, Resting, Settings, SettingsOverrides,
    Stored, StoredName, TektonSettings,
};
use crate::fault::point;
use crate::job::JobRef;
use crate::store::{Commit, Store, StoreError};
use crate::task::DispatchHandle;

/// Puts a changed configuration into effect. A bad one keeps the old one; the log has a complaint about
/// it, once for as long as it stays, and says when it is mended.
pub struct Reloader {
    dir: PathBuf,
    overrides: SettingsOverrides,
    current: Arc<ArcSwap<Config>>,
    dispatch: DispatchHandle,
    /// Where what is made by command is kept.
    store: Store,
    /// The generation of the files that were last found to be bad. Whoever holds it is the only one who changes anything.
    refused: Arc<Mutex<Option<String>>>,
    /// The generation of the files at the last rescan.
    changing: Mutex<Option<String>>,
    /// What the rescans saw; one look at a time has it.
    rescans: Arc<std::sync::Mutex<Rescans>>,
    looks: Looks,
    /// Held from the writing of credentials to the removal of others: between them no service names what was written.
    pub(super) credentials: Mutex<()>,
}

/// Why a changed configuration is not in effect.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is wrong; the old one stays.
    #[error("the changed config is not used, the old one stays in effect\n{0}")]
    Config(#[from] Problems),
    /// Nobody could look at the files.
    #[error("the config files cannot be looked at: {0}")]
    Look(std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why what is stored was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change is wrong.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Credentials could not be put into their file.
    #[error(
        "the credentials could not be written: {0}\nhint: the data directory needs room, and is to be written to"
    )]
    Credentials(std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reloader {
    /// A reloader of the files in `dir` for everybody who reads `current`.
    pub fn new(
        dir: PathBuf,
        overrides: SettingsOverrides,
        current: Arc<ArcSwap<Config>>,
        dispatch: DispatchHandle,
        store: Store,
    ) -> Self {
        Self {
            dir,
            overrides,
            current,
            dispatch,
            store,
            credentials: Mutex::default(),
            refused: Arc::default(),
            changing: Mutex::new(None),
            rescans: Arc::default(),
            looks: Looks::new(),
        }
    }

    /// Reloads where the files differ from what was refused last, or else from what is in effect.
    /// `now` is monotonic.
    pub async fn rescan(&self, now: Duration) {
        let (dir, rescans) = (self.dir.clone(), Arc::clone(&self.rescans));
        let look = move || rescans.lock().unwrap_or_else(PoisonError::into_inner).fingerprint(&dir, now);
        let found = match self.looks.take(look).await.flatten() {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "the config files cannot be looked at"),
        };
        let refused = self.refused.lock().await.clone();
        // Somebody may be in the middle of writing: a change counts when it has stayed for a while.
        let settled = self.changing.lock().await.replace(found.clone()) == Some(found.clone());
        let differs = match &refused {
            Some(refused) => *refused != found,
            None => self.current.load().files != found,
        };
        if settled && differs {
            // The log has how it went.
            _ = self.reload().await;
        }
    }

    /// Reloads, and says in the log how it went, whoever asked. Returns whether anything changed.
    ///
    /// # Errors
    /// [`ReloadError`]; then everything stays as it was.
    pub async fn reload(&self) -> Result<bool, ReloadError> {
        let outcome = self.replace().await;
        match &outcome {
            Ok(true) => {
                tracing::info!(generation = self.current.load().generation, "the config was reloaded")
            }
            Ok(false) => tracing::info!("the config is unchanged"),
            Err(error) => tracing::error!("{error}"),
        }
        outcome
    }

    async fn replace(&self) -> Result<bool, ReloadError> {
        let mut refused = self.refused.lock().await;
        let before = self.current.load_full();
        let count = |result: &'static str| {
            metrics::counter!("tekcron_config_reloads_total", "result" => result).increment(1);
        };
        let (dir, overrides) = (self.dir.clone(), self.overrides.clone());
        let look = move || {
            // Taken first: what is mended while it is read differs from what was refused.
            let found = config::fingerprint(&dir).ok();
            config::load(&dir, &overrides).map_err(|problems| (problems, found))
        };
        let config = match self.looks.take(look).await.map_err(ReloadError::Look)? {
            Ok(config) if config.apps.is_empty() && before.apps.values().any(|app| !app.stored) => {
                *refused = Some(config.files);
                count("refused");
                return Err(Problems::from(vanished(&self.dir)).into());
            }
            Ok(config) => config,
            Err((problems, found)) => {
                *refused = found;
                count("refused");
                return Err(problems.into());
            }
        };
        *refused = None;
        if config.files == before.files {
            return Ok(false);
        }
        let (config, resting) = keep_until_restart(&before, &config).with_stored(Arc::clone(&before.stored));
        warn_of(&resting);
        let config = Arc::new(config);
        self.dispatch.reload(Arc::clone(&config)).await?;
        point("reloaded");
        self.current.store(config);
        count("applied");
        Ok(true)
    }

    /// The configuration in effect.
    pub fn current(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// Changes what is stored. When this returns, the change is on disk and in effect. `decide` sees the configuration
    /// in effect, and nothing else is changed meanwhile. A change that was decided is carried out, also where nobody
    /// waits for it any more.
    ///
    /// # Errors
    /// [`EditError`] of `decide`, or where what was changed could not have effect, and [`StoreError`]; then everything
    /// stays as it was.
    pub async fn change<T>(
        &self,
        decide: impl FnOnce(&Config) -> Result<(Change, T), EditError>,
    ) -> Result<(Changed, T), ChangeError> {
        // One change at a time, and none while the files are read.
        let alone = Arc::clone(&self.refused).lock_owned().await;
        let before = self.current.load_full();
        let (Change { stored, commit, about }, decided) = decide(&before)?;
        let (after, mut resting) = before.with_stored(stored);
        if let Some(place) = resting.iter().position(|(resting, _)| about.as_ref() == Some(resting)) {
            return Err(EditError::Wrong(resting.swap_remove(place).1).into());
        }
        let changed = Changed { before, after: Arc::new(after) };
        let (store, dispatch, current) =
            (self.store.clone(), self.dispatch.clone(), Arc::clone(&self.current));
        let after = Arc::clone(&changed.after);
        to_the_end(async move {
            store.commit(commit).await?;
            point("edited");
            dispatch.reload(Arc::clone(&after)).await?;
            current.store(after);
            drop(alone);
            Ok::<_, StoreError>(())
        })
        .await?;
        Ok((changed, decided))
    }

    /// Changes a stored job. When this returns, the change is on disk and in effect. The configuration before and
    /// after, and the job.
    ///
    /// # Errors
    /// [`ChangeError`]; then everything stays as it was.
    pub async fn edit(&self, edit: JobEdit) -> Result<(Changed, JobRef), ChangeError> {
        let (changed, job) = self.change(|config| job_change(config, edit)).await?;
        tracing::info!(%job, generation = changed.after.generation, "a job was changed by command");
        Ok((changed, job))
    }
}

/// What is to be stored from now on.
#[derive(Debug)]
pub struct Change {
    /// All of it.
    pub stored: Stored,
    /// What makes it durable.
    pub commit: Commit,
    /// What has to have effect, or else nothing is changed.
    pub about: Option<StoredName>,
}

impl Change {
    /// Everything stays as it is.
    pub fn nothing(config: &Config) -> Self {
        Self { stored: config.stored.as_ref().clone(), commit: Commit::new(), about: None }
    }
}

/// What was stored was changed.
#[derive(Debug)]
pub struct Changed {
    /// The configuration that it was changed in.
    pub before: Arc<Config>,
    /// The one that is in effect now.
    pub after: Arc<Config>,
}

fn job_change(config: &Config, edit: JobEdit) -> Result<(Change, JobRef), EditError> {
    let (job, now) = edit.apply(config)?;
    let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
    match now {
        Some(now) => {
            commit.put_job(&job, &now);
            stored.jobs.insert(job.clone(), now);
        }
        None => {
            commit.remove_job(&job);
            stored.jobs.remove(&job);
        }
    }
    let about = Some(StoredName::Job(job.clone()));
    Ok((Change { stored, commit, about }, job))
}
/// Whoever means it, starts anew; else it is a directory that is not there.
fn vanished(dir: &Path) -> Problem {
    let message =
        "expected an App in `apps/*.toml` of the config directory, found none, where there were some";
    let hint = "a start serves Apps that were pushed alone; a reload does not let all others vanish";
    Problem::of_file(dir.display().to_string(), message, hint)
}

/// Says what of what was made by command has no effect, and why.
pub(super) fn warn_of(resting: &[Resting]) {
    for (name, problems) in resting {
        match name {
            StoredName::Job(job) => {
                tracing::warn!(%job, "a job that was created by command does not run\n{problems}");
            }
            StoredName::App(app) => {
                tracing::warn!(%app, "an App that was pushed has no effect\n{problems}");
            }
            StoredName::Service(service) => {
                tracing::warn!(%service, "a service that was created by command has no effect\n{problems}");
            }
        }
    }
}

/// `after`, but for the settings that only a restart puts into effect; each that differs is named.
fn keep_until_restart(before: &Config, after: &Config) -> Config {
    let (old, new) = (&before.settings, &after.settings);
    let changed = [
        ("instance", old.instance != new.instance),
        ("namespace", old.namespace != new.namespace),
        ("data_dir", old.data_dir != new.data_dir),
        ("listen", old.listen != new.listen),
        ("tls", old.tls != new.tls),
        ("max_children", old.max_children != new.max_children),
        ("log", old.log != new.log),
        ("log_format", old.log_format != new.log_format),
        ("health_listen", old.health_listen != new.health_listen),
        ("executor", old.executor != new.executor),
        ("kubeconfig", old.tekton.kubeconfig != new.tekton.kubeconfig),
        ("kube_context", old.tekton.kube_context != new.tekton.kube_context),
        ("max_creates", old.tekton.max_creates != new.tekton.max_creates),
        ("max_submitted", old.tekton.max_submitted != new.tekton.max_submitted),
        ("unschedulable_after", old.tekton.unschedulable_after != new.tekton.unschedulable_after),
        ("log_stream", old.tekton.log_stream != new.tekton.log_stream),
    ];
    for (setting, _) in changed.into_iter().filter(|(_, changed)| *changed) {
        tracing::warn!(setting, "this setting changes with the next start");
    }
    let settings = Settings {
        max_backfill: new.max_backfill,
        grace: new.grace,
        drain: new.drain,
        hold: new.hold,
        max_log: new.max_log,
        log_budget: new.log_budget,
        max_source: new.max_source,
        keep_slots: new.keep_slots,
        env: new.env.clone(),
        public_url: new.public_url.clone(),
        build: new.build.clone(),
        tekton: TektonSettings { finalizer: new.tekton.finalizer, ..old.tekton.clone() },
        ..old.clone()
    };
    Config { settings, ..after.clone() }
}
