use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::bounds::{Bounds, Places};
use super::failure::{Code, Failure};
use super::token::Token;
use crate::blocking::blocking;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::daemon::{Reloader, Removals};
use crate::executor::Executor;
use crate::push::Pushes;
use crate::push::source::Sources;
use crate::store::{Store, StoreError};
use crate::task::DispatchHandle;
use crate::watch::Watching;

/// What the API shows, and whom it asks.
#[derive(Clone)]
pub struct Service {
    /// Where everything is recorded.
    pub store: Store,
    /// Who claims and ends tasks.
    pub dispatch: DispatchHandle,
    /// What is pushed.
    pub sources: Sources,
    /// Who makes revisions.
    pub pushes: Pushes,
    /// Who has the logs.
    pub executor: Arc<dyn Executor>,
    /// The configuration in effect.
    pub config: Arc<ArcSwap<Config>>,
    /// Who puts a changed configuration into effect.
    pub reloader: Arc<Reloader>,
    /// The time.
    pub clock: SharedClock,
    /// What was measured.
    pub metrics: PrometheusHandle,
    /// Who may ask.
    pub token: Token,
    /// Who knows whether everything that should have run, has.
    pub watching: Arc<Watching>,
    /// Who deletes Apps.
    pub removals: Arc<Removals>,
}

/// A service while it is served.
pub(super) struct Serving {
    pub(super) service: Service,
    /// The address that connections arrive at.
    pub(super) listen: SocketAddr,
    /// How many connections there may be.
    pub(super) bounds: Bounds,
    /// What requests share.
    pub(super) places: Places,
    /// Cancelled when it is to stop: what waits for something ends.
    pub(super) stop: CancellationToken,
}

/// What every handler gets.
pub(super) type Shared = Arc<Serving>;

impl Serving {
    /// The configuration in effect.
    pub(super) fn config(&self) -> Arc<Config> {
        self.service.config.load_full()
    }

    /// Reads many records, in turn and off the threads that serve requests.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        // Never closed; and one more at once would harm nobody.
        let _place = self.places.scans.acquire().await;
        let store = self.service.store.clone();
        blocking(move || Ok(read(&store)))
            .await
            .map_err(|error| Failure::new(Code::Internal, error))?
            .map_err(Failure::from)
    }
}
