use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use crate::app::AppName;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::executor::Executor;
use crate::maintenance::Chore;
use crate::retention::{Sweep, SweepReport};
use crate::store::Store;
use crate::task::DispatchHandle;

/// How long a repeated request is recognised.
const IDEMPOTENCY_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Carries the housekeeping out, one chore at a time.
pub(super) struct Chores {
    pub(super) store: Store,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) clock: SharedClock,
    pub(super) dispatch: DispatchHandle,
    pub(super) reloader: Arc<Reloader>,
    pub(super) metrics: PrometheusHandle,
}

impl Chores {
    pub(super) async fn run(
        self,
        mut due: mpsc::Receiver<Chore>,
        mut finished: mpsc::UnboundedReceiver<AppName>,
        mut reload: mpsc::Receiver<()>,
        stop: CancellationToken,
    ) {
        let mut ended = BTreeSet::new();
        // Beside the rest, as nobody knows when the files' mount will answer.
        let mut look = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(done) = look.join_next() => done.expect("a look at the config does not panic"),
                Some(()) = reload.recv(), if look.is_empty() => {
                    let reloader = Arc::clone(&self.reloader);
                    look.spawn(async move { reloader.reload_loudly().await });
                }
                Some(app) = finished.recv() => {
                    ended.insert(app);
                }
                Some(chore) = due.recv() => self.carry_out(chore, &mut ended, &mut look).await,
                else => return,
            }
        }
    }

    async fn carry_out(&self, chore: Chore, ended: &mut BTreeSet<AppName>, look: &mut JoinSet<()>) {
        match chore {
            // One that has not come back sees what this one would see.
            Chore::RescanConfig if !look.is_empty() => {}
            Chore::RescanConfig => {
                let reloader = Arc::clone(&self.reloader);
                look.spawn(async move { reloader.rescan().await });
            }
            Chore::SweepEnded => self.sweep(std::mem::take(ended)).await,
            Chore::SweepAll => self.sweep_all().await,
            Chore::Relist => self.dispatch.relist().await,
            Chore::Gauges => self.gauges(),
            Chore::StoreUpkeep => {
                if let Err(error) = self.store.expire_idempotency(self.clock.now(), IDEMPOTENCY_KEPT) {
                    tracing::warn!(%error, "old idempotency keys were not removed");
                }
            }
        }
    }

    async fn sweep(&self, apps: impl IntoIterator<Item = AppName>) {
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

    async fn sweep_all(&self) {
        match self.store.counters() {
            Ok(counters) => self.sweep(counters.into_keys()).await,
            Err(error) => tracing::warn!(%error, "retention could not look at all Apps"),
        }
        let sweep = Sweep::new(Arc::clone(&self.executor), self.store.clone());
        report(&sweep.logs(self.config.load().settings.log_budget).await);
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
