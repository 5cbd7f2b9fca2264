use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ledger;
use super::reload::Reloader;
use crate::app::{AppName, ByteSize};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::executor::Executor;
use crate::job::JobRef;
use crate::maintenance::{Chore, DueChores};
use crate::push::Pushes;
use crate::retention::{Sweep, SweepReport};
use crate::store::Store;
use crate::task::{DispatchHandle, Ended};
use crate::watch::Watching;

/// How long a repeated request is recognised.
const IDEMPOTENCY_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A sweep of logs that are over their budget frees this fraction of it too, so that the next tasks do not
/// ask for another.
const LOG_SLACK: u64 = 20;

/// Carries the housekeeping out: what may take long runs beside the rest, one sweep and one look at the
/// config at a time.
pub(super) struct Chores {
    pub(super) store: Store,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) clock: SharedClock,
    pub(super) dispatch: DispatchHandle,
    pub(super) reloader: Arc<Reloader>,
    pub(super) metrics: PrometheusHandle,
    pub(super) watching: Arc<Watching>,
    /// Held by whoever removes records.
    pub(super) sweeping: Arc<Mutex<()>>,
    pub(super) pushes: Pushes,
}

/// Where chores come from.
pub(super) struct Inbox {
    pub(super) due: DueChores,
    pub(super) ended: mpsc::UnboundedReceiver<Ended>,
    pub(super) reload: mpsc::Receiver<()>,
}

/// What the next sweep is about.
#[derive(Debug, Default)]
struct Swept {
    apps: BTreeSet<AppName>,
    everything: bool,
    /// Bytes of log of all finished tasks, as far as that is known; while a sweep runs, of those that ended
    /// since it began.
    logs: u64,
}

impl Swept {
    /// Whether nothing has changed since the sweep before.
    fn is_nothing(&self) -> bool {
        self.apps.is_empty() && !self.everything
    }
}

impl Chores {
    pub(super) async fn run(self, mut inbox: Inbox, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut swept = Swept { everything: true, ..Swept::default() };
        let mut look = JoinSet::new();
        let mut sweep: JoinSet<u64> = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(done) = look.join_next() => done.expect("a look at the config does not panic"),
                Some(kept) = sweep.join_next() => swept.logs += kept.expect("a sweep does not panic"),
                Some(()) = inbox.reload.recv(), if look.is_empty() => {
                    let reloader = Arc::clone(&this.reloader);
                    look.spawn(async move { _ = reloader.reload().await });
                }
                Some(ended) = inbox.ended.recv() => {
                    swept.logs += ended.log;
                    if let Some(job) = ended.job {
                        this.watching.ended(JobRef::new(ended.app.clone(), job));
                    }
                    swept.apps.insert(ended.app);
                }
                chore = inbox.due.next() => match chore {
                    // One that has not come back sees what this one would see.
                    Chore::RescanConfig if !look.is_empty() => {}
                    Chore::RescanConfig => {
                        let (reloader, now) = (Arc::clone(&this.reloader), this.clock.monotonic());
                        look.spawn(async move { reloader.rescan(now).await });
                    }
                    Chore::SweepAll => swept.everything = true,
                    Chore::SweepEnded if !sweep.is_empty() || swept.is_nothing() => {}
                    Chore::SweepEnded => {
                        let (this, now) = (Arc::clone(&this), std::mem::take(&mut swept));
                        sweep.spawn(async move { this.sweep(now).await });
                    }
                    Chore::Relist => this.dispatch.relist().await,
                    Chore::Gauges => this.gauges(),
                    Chore::StoreUpkeep => this.forget_keys(),
                },
            }
        }
    }

    /// Removes what is no longer kept. Returns the bytes of log that stay, as far as that is known.
    async fn sweep(&self, swept: Swept) -> u64 {
        let _alone = self.sweeping.lock().await;
        let budget = self.config.load().settings.log_budget.bytes();
        let is_over = swept.logs > budget;
        let sweep = Sweep::new(Arc::clone(&self.executor), self.store.clone());
        let mut kept = swept.logs;
        // Logs before records: a record that is gone is not written again.
        if swept.everything || is_over {
            let wanted = if is_over { budget - budget / LOG_SLACK } else { budget };
            let done = sweep.logs(ByteSize::from_bytes(wanted)).await;
            report(&done);
            kept = done.logs_kept.unwrap_or(kept);
        }
        let mut apps = swept.apps;
        if swept.everything {
            match self.store.counters() {
                Ok(counters) => apps.extend(counters.into_keys()),
                Err(error) => tracing::warn!(%error, "retention could not look at all Apps"),
            }
        }
        self.sweep_tasks(apps).await;
        if swept.everything {
            self.pushes.sweep().await;
        }
        if swept.everything
            && let Err(error) = ledger::sweep(&self.store, &self.config, &self.dispatch, &self.clock).await
        {
            tracing::warn!(%error, "old slots were not removed, which is tried again");
        }
        kept
    }

    fn forget_keys(&self) {
        if let Err(error) = self.store.expire_idempotency(self.clock.now(), IDEMPOTENCY_KEPT) {
            tracing::warn!(%error, "old idempotency keys were not removed");
        }
    }

    async fn sweep_tasks(&self, apps: impl IntoIterator<Item = AppName>) {
        let config = self.config.load_full();
        let sweep = Sweep::new(Arc::clone(&self.executor), self.store.clone());
        for app in apps {
            let configured = config.apps.get(&app);
            // An App that is no longer configured keeps what any App keeps.
            let retention = configured.map(|app| app.retention).unwrap_or_default();
            let is_job = |job: &_| configured.is_some_and(|app| app.jobs.contains_key(job));
            report(&sweep.tasks(&app, &retention, is_job, self.clock.now()).await);
        }
    }

    fn gauges(&self) {
        if let Ok(bytes) = self.store.size_on_disk() {
            metrics::gauge!("tekcron_store_bytes").set(bytes as f64);
        }
        // Else samples pile up while nobody asks for them.
        self.metrics.run_upkeep();
    }
}

fn report(report: &SweepReport) {
    let (removed, logs) = (report.removed.len(), report.logs_removed.len());
    if removed + logs > 0 {
        metrics::counter!("tekcron_retention_removed_total").increment(removed as u64);
        tracing::info!(tasks = removed, logs, "retention removed the oldest tasks");
    }
    for failure in &report.failures {
        let cause = std::error::Error::source(failure).map(ToString::to_string);
        tracing::warn!(%failure, cause, "retention will try this again");
    }
}
