use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::serve::ListenerExt;
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::bounds::Bounds;
use super::connections;
use super::error::ApiError;
use super::router::{probes, router};
use super::service::Service;
use super::tls::{self, TlsListener};
use crate::config::Settings;
use crate::durable::replace;

/// The file that says where the running server is.
const ADDRESS: &str = "address";

/// Certificate and key, read and fitting together.
pub struct Tls(tokio_rustls::TlsAcceptor);

impl Tls {
    /// What `settings` name, as it counts at `now`; none where they name none.
    ///
    /// # Errors
    /// [`ApiError`] where certificate or key cannot be used.
    pub fn load(settings: &Settings, now: Timestamp) -> Result<Option<Self>, ApiError> {
        settings.tls.as_ref().map(|files| tls::acceptor(files, now).map(Self)).transpose()
    }
}

/// Serves the API until told to stop.
pub struct Server {
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    address: SocketAddr,
    service: Service,
}

impl Server {
    /// A server on `listener`, over TLS where there is some.
    ///
    /// # Errors
    /// [`ApiError`] where the listener has no address.
    pub fn new(listener: TcpListener, service: Service, tls: Option<Tls>) -> Result<Self, ApiError> {
        let address = listener.local_addr()?;
        Ok(Self { listener, tls: tls.map(|tls| tls.0), address, service })
    }

    /// Where it is found from this machine.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let address = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => SocketAddr::from((Ipv4Addr::LOCALHOST, self.address.port())),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => SocketAddr::from((Ipv6Addr::LOCALHOST, self.address.port())),
            _ => self.address,
        };
        format!("{scheme}://{address}")
    }

    /// Serves until `stop` is cancelled; then takes no more connections, ends what waits, gives the rest
    /// `drain` to finish, and leaves.
    pub async fn run(self, stop: CancellationToken, drain: SignedDuration) {
        let clock = self.service.clock.clone();
        let router = router(self.service, self.address, stop.clone());
        let drain = Duration::try_from(drain).unwrap_or_default();
        let bounds = Bounds::of_this_process();
        let serving = match self.tls {
            None => {
                let listener = self.listener.tap_io(|stream| connections::prepare(stream));
                connections::serve(listener, router, bounds, stop.clone()).boxed()
            }
            Some(acceptor) => {
                let listener = TlsListener::new(self.listener, acceptor, clock.clone());
                connections::serve(listener, router, bounds, stop.clone()).boxed()
            }
        };
        tokio::select! {
            () = serving => {}
            () = async { stop.cancelled().await; clock.sleep(drain).await } => {
                tracing::warn!("requests were still open after the grace period");
            }
        }
    }
}

/// Answers probes until told to stop: in clear text, without a token, and nothing but whether the service lives
/// and is ready.
pub struct Probes {
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
}

impl Probes {
    /// Probes of `service`, on `listener`.
    ///
    /// # Errors
    /// [`ApiError`] where the listener has no address.
    pub fn new(listener: TcpListener, service: Service) -> Result<Self, ApiError> {
        let address = listener.local_addr()?;
        Ok(Self { listener, address, service })
    }

    /// Answers until `stop` is cancelled. Nothing is worth a grace period: who asks later finds nobody, as at the
    /// API.
    pub async fn run(self, stop: CancellationToken) {
        let router = probes(self.service, self.address, stop.clone());
        let listener = self.listener.tap_io(|stream| connections::prepare(stream));
        let serving = connections::serve(listener, router, Bounds::of_probes(), stop.clone());
        stop.run_until_cancelled(serving).await;
    }
}

/// Refuses to send the token over a network in the clear.
///
/// # Errors
/// [`ApiError::Exposed`].
pub fn check_listen(settings: &Settings) -> Result<(), ApiError> {
    let local = settings.listen.ip().to_canonical().is_loopback();
    if local || settings.tls.is_some() || settings.insecure {
        return Ok(());
    }
    Err(ApiError::Exposed { listen: settings.listen })
}

/// Writes down where the server is, for whoever looks into the data directory.
///
/// # Errors
/// [`ApiError::Address`].
pub fn publish_address(data_dir: &Path, url: &str) -> Result<(), ApiError> {
    let path = data_dir.join(ADDRESS);
    let written = replace(&path, format!("{url}\n").as_bytes(), 0o644);
    written.map_err(|source| ApiError::Address { path, source })
}

/// Takes that back: nobody listens there any more.
pub fn withdraw_address(data_dir: &Path) {
    let path = data_dir.join(ADDRESS);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "the address of the ended server stays written down");
        }
        _ => {}
    }
}
