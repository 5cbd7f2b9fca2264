//! The daemon: a whole life on one page.
//!
//! Config → store → executor → dispatcher → API → housekeeping → wait → drain. Every long-running
//! part is spawned here, named and joined; one that ends early ends the daemon with its error.

mod banner;
mod chores;
mod error;
mod ledger;
mod look;
mod reload;
mod removal;
mod services;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::banner::Banner;
use self::chores::Chores;
pub use self::error::DaemonError;
pub use self::reload::{Change, ChangeError, Changed, ReloadError, Reloader};
pub use self::removal::{Removals, Wanted};
pub use self::services::Credentials;
use crate::api;
use crate::clock::SharedClock;
use crate::config::{self, ExecutorKind, Settings, SettingsOverrides};
use crate::executor::Executor;
use crate::executor::local::{LocalExecutor, LocalSettings};
use crate::executor::tekton::{TektonExecutor, TektonOptions};
use crate::heap;
use crate::maintenance::Timer;
use crate::notify::Notifier;
use crate::push::source::Sources;
use crate::push::{self, Pushes};
use crate::schedule::wheel::Wheel;
use crate::store::Store;
use crate::task::{Dispatcher, Parts};
use crate::telemetry;
use crate::watch::Watching;

/// What a daemon is started with.
pub struct Options {
    /// The configuration directory.
    pub config_dir: PathBuf,
    /// What environment and flags say over the file.
    pub overrides: SettingsOverrides,
    /// The program that supervises a task: this binary.
    pub shim: PathBuf,
    /// The API's token, where somebody else looks after it.
    pub token: Option<SecretString>,
}

/// What asks the daemon to stop, or to reload.
pub struct Signals {
    /// Cancelled when the daemon is to stop.
    pub stop: CancellationToken,
    /// Each message asks for a reload.
    pub reload: tokio::sync::mpsc::Receiver<()>,
}

/// Serves until told to stop. `announce` is called once, when everything is ready.
///
/// # Errors
/// [`DaemonError`], where it could not start, or a part of it failed.
pub async fn serve(
    options: Options,
    clock: SharedClock,
    signals: Signals,
    announce: impl FnOnce(&Banner),
) -> Result<(), DaemonError> {
    heap::keep_large_blocks_apart();
    let (dir, overrides) = (options.config_dir.clone(), options.overrides.clone());
    let first = async move { look::Looks::new().take(move || config::load(&dir, &overrides)).await };
    let Some(config) = signals.stop.run_until_cancelled(first).await else { return Ok(()) };
    let config = config.map_err(DaemonError::Look)??;
    let settings = config.settings.clone();
    telemetry::log_to_stderr(&settings)?;
    let metrics = telemetry::record_metrics()?;
    api::check_listen(&settings)?;
    // What may be refused comes first: a start that fails leaves nothing behind.
    let tls = api::Tls::load(&settings, clock.now())?;
    Store::check_free(&settings.data_dir)?;
    let given = options.token.as_ref().map(api::Token::given).transpose()?;
    if given.is_none() {
        api::Token::check(&settings.data_dir)?;
    }
    let bind = |source| DaemonError::Bind { listen: settings.listen, source };
    let listener = TcpListener::bind(settings.listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let probes = probes(&settings).await?;
    let probed = probes.as_ref().and_then(|listener| listener.local_addr().ok());

    let store = Store::open(&settings.data_dir, Arc::clone(&clock))?;
    let (config, resting) = config.with_stored(store.stored()?);
    reload::warn_of(&resting);
    services::tidy(&config);
    let config = Arc::new(config);
    let token = match given {
        Some(token) => {
            tracing::info!("the API's token is the one in TEKCRON_TOKEN");
            token
        }
        None => api::Token::load_or_create(&settings.data_dir)?,
    };
    let executor = executor(&settings, &options.shim, &clock).await?;
    let (wheel, wakes) = Wheel::start(Arc::clone(&clock)).map_err(DaemonError::Wheel)?;
    let parts = Parts {
        store: store.clone(),
        executor: Arc::clone(&executor),
        clock: Arc::clone(&clock),
        wheel,
        wakes,
        config: Arc::clone(&config),
    };
    let (dispatcher, dispatch, finished) = Dispatcher::recover(parts)?;
    let (timer, due_chores) = Timer::start().await?;

    let current = Arc::new(ArcSwap::new(Arc::clone(&config)));
    let reloader = Arc::new(Reloader::new(
        options.config_dir,
        options.overrides,
        Arc::clone(&current),
        dispatch.clone(),
        store.clone(),
    ));
    let sweeping = Arc::default();
    let sources = Sources::of(&settings.data_dir, Arc::clone(&clock));
    let (pushes, builds) = Pushes::new(push::Parts {
        reloader: Arc::clone(&reloader),
        dispatch: dispatch.clone(),
        store: store.clone(),
        sources: sources.clone(),
        config: Arc::clone(&current),
        clock: Arc::clone(&clock),
    });
    let (removals, wanted) = Removals::new(
        store.clone(),
        Arc::clone(&executor),
        Arc::clone(&clock),
        dispatch.clone(),
        pushes.clone(),
        Arc::clone(&sweeping),
    );
    let stop = signals.stop;
    let mut parts = Running::default();
    let stopping = stop.clone().cancelled_owned();
    parts.spawn("dispatcher", async move { dispatcher.run(stopping).await.map_err(DaemonError::from) });
    let (notifier, outbox) = Notifier::new(store.clone(), Arc::clone(&current), Arc::clone(&clock))?;
    let stopping = stop.clone();
    parts.spawn("notifier", async move {
        notifier.run(stopping).await;
        Ok(())
    });
    let watching = Watching::new(store.clone(), Arc::clone(&current), Arc::clone(&clock), outbox);
    let (watched, stopping) = (Arc::clone(&watching), stop.clone());
    parts.spawn("watch", async move {
        watched.run(stopping).await;
        Ok(())
    });
    let (deleted, stopping) = (Arc::clone(&removals), stop.clone());
    let began_with = Arc::clone(&config);
    parts.spawn("removals", async move {
        deleted.run(began_with, wanted, stopping).await;
        Ok(())
    });
    let stopping = stop.clone();
    parts.spawn("builds", async move {
        builds.run(stopping).await;
        Ok(())
    });
    let chores = Chores {
        store: store.clone(),
        executor: Arc::clone(&executor),
        config: Arc::clone(&current),
        clock: Arc::clone(&clock),
        dispatch: dispatch.clone(),
        reloader: Arc::clone(&reloader),
        metrics: metrics.clone(),
        watching: Arc::clone(&watching),
        sweeping,
        pushes: pushes.clone(),
    };
    let stopping = stop.clone();
    parts.spawn("chores", async move {
        let inbox = chores::Inbox { due: due_chores, ended: finished, reload: signals.reload };
        chores.run(inbox, stopping).await;
        Ok(())
    });
    let service = api::Service {
        store: store.clone(),
        dispatch,
        sources,
        pushes,
        executor: Arc::clone(&executor),
        config: current,
        reloader,
        clock: Arc::clone(&clock),
        metrics,
        token: token.clone(),
        watching,
        removals,
    };
    if let Some(listener) = probes {
        let probes = api::Probes::new(listener, service.clone())?;
        let stopping = stop.clone();
        parts.spawn("probes", async move {
            probes.run(stopping).await;
            Ok(())
        });
    }
    let server = api::Server::new(listener, service, tls)?;
    api::publish_address(&settings.data_dir, &server.url())?;
    let stopping = stop.clone();
    let drain = settings.drain;
    parts.spawn("api", async move {
        server.run(stopping, drain).await;
        Ok(())
    });

    announce(&Banner::new(&config, address, probed, executor.as_ref(), clock.now()));
    // What the start alone needed.
    heap::give_back();
    let result = parts.until(&stop).await;
    timer.stop().await;
    api::withdraw_address(&settings.data_dir);
    tracing::info!("stopped; running tasks go on, and are taken up by the next start");
    result
}

/// Where probes are listened for, where they have an address of their own.
async fn probes(settings: &Settings) -> Result<Option<TcpListener>, DaemonError> {
    let Some(listen) = settings.health_listen else { return Ok(None) };
    let bound = TcpListener::bind(listen).await;
    bound.map(Some).map_err(|source| DaemonError::BindProbes { listen, source })
}

async fn executor(
    settings: &Settings,
    shim: &Path,
    clock: &SharedClock,
) -> Result<Arc<dyn Executor>, DaemonError> {
    let (clock, data_dir) = (Arc::clone(clock), settings.data_dir.clone());
    Ok(match settings.executor {
        ExecutorKind::Local => {
            let local =
                LocalSettings { data_dir, max_children: settings.max_children, shim: shim.to_owned() };
            LocalExecutor::open(local, clock)?
        }
        ExecutorKind::Tekton => TektonExecutor::open(TektonOptions::of(settings), clock).await?,
    })
}

/// The parts that run side by side.
#[derive(Default)]
struct Running {
    parts: JoinSet<(&'static str, Result<(), DaemonError>)>,
}

impl Running {
    fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = Result<(), DaemonError>> + Send + 'static,
    ) {
        self.parts.spawn(async move { (name, part.await) });
    }

    /// Waits for all parts; the first that ends unasked, or badly, stops the others.
    async fn until(mut self, stop: &CancellationToken) -> Result<(), DaemonError> {
        let mut result = Ok(());
        while let Some(joined) = self.parts.join_next().await {
            let ended = match joined {
                Ok((_, Ok(()))) if stop.is_cancelled() => Ok(()),
                Ok((name, Ok(()))) => Err(DaemonError::EndedEarly(name)),
                Ok((_, Err(error))) => Err(error),
                Err(panic) => Err(DaemonError::Panicked(panic.to_string())),
            };
            stop.cancel();
            result = result.and(ended);
        }
        result
    }
}
