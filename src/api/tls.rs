//! HTTPS: certificates, and a listener whose slow handshakes hold nobody else up.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::error::ApiError;
use crate::clock::SharedClock;
use crate::config::{TlsFiles, regular};

/// The most handshakes at once; who comes then waits.
const MOST_HANDSHAKES: usize = 256;

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Reads certificate and key.
///
/// # Errors
/// [`ApiError`], with the file that is wrong.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ApiError> {
    let pair = |error: rustls::Error| ApiError::TlsPair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        message: error.to_string(),
    };
    let (chain, key) = (certificates(&files.certificate)?, private_key(&files.key)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// All that keeps certificate and key from being used.
pub(crate) fn unusable(files: &TlsFiles) -> Vec<ApiError> {
    let certificate = certificates(&files.certificate).err();
    let key = private_key(&files.key).err();
    match (certificate, key) {
        (None, None) => acceptor(files).err().into_iter().collect(),
        (certificate, key) => certificate.into_iter().chain(key).collect(),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ApiError> {
    let wrong = |message: String| ApiError::TlsFile { what: "certificate", path: path.to_owned(), message };
    let pem = read("certificate", path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(wrong("there is none".to_owned())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ApiError> {
    PrivateKeyDer::from_pem_slice(&read("key", path)?).map_err(|error| ApiError::TlsFile {
        what: "key",
        path: path.to_owned(),
        message: error.to_string(),
    })
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ApiError> {
    regular::read(path).map_err(|source| ApiError::TlsRead { what, path: path.to_owned(), source })
}

/// Accepts connections, and hands each over when its handshake is done.
pub(super) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    clock: SharedClock,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub(super) fn new(tcp: TcpListener, acceptor: TlsAcceptor, clock: SharedClock) -> Self {
        Self { tcp, acceptor, clock, handshakes: JoinSet::new() }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (acceptor, clock) = (self.acceptor.clone(), Arc::clone(&self.clock));
        let _ = stream.set_nodelay(true);
        self.handshakes.spawn(async move {
            let handshake = tokio::select! {
                handshake = acceptor.accept(stream) => handshake,
                () = clock.sleep(HANDSHAKE) => Err(io::ErrorKind::TimedOut.into()),
            };
            let failed = |error| tracing::debug!(%peer, %error, "a TLS handshake failed");
            handshake.map_err(failed).ok().map(|stream| (stream, peer))
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let room = self.handshakes.len() < MOST_HANDSHAKES;
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
                (stream, peer) = Listener::accept(&mut self.tcp), if room => self.begin(stream, peer),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
