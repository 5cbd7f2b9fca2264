//! HTTPS: certificates, and a listener whose slow handshakes hold nobody else up.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, OtherError, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connections::prepare;
use super::error::ApiError;
use crate::clock::SharedClock;
use crate::config::{TlsFiles, regular};

/// The most handshakes at once; who comes then waits.
const MOST_HANDSHAKES: usize = 256;

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Reads certificate and key. Warns of a certificate that clients will not take at `now`.
///
/// # Errors
/// [`ApiError`], with the file that is wrong.
pub(super) fn acceptor(files: &TlsFiles, now: Timestamp) -> Result<TlsAcceptor, ApiError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&files.certificate)?;
    if let Some(flaw) = flaw(&chain, &provider, now) {
        tracing::warn!(certificate = %files.certificate.display(), "no client will take the certificate: {flaw}");
    }
    Ok(TlsAcceptor::from(Arc::new(server(files, chain, provider)?)))
}

fn server(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, ApiError> {
    let pair = |error: rustls::Error| ApiError::TlsPair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        message: error.to_string(),
    };
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth();
    let mut config = config.with_single_cert(chain, private_key(&files.key)?).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// All that keeps certificate and key from being used.
pub(crate) fn unusable(files: &TlsFiles) -> Vec<ApiError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    match (certificates(&files.certificate), private_key(&files.key)) {
        (Ok(chain), Ok(_)) => server(files, chain, provider).err().into_iter().collect(),
        (chain, key) => chain.err().into_iter().chain(key.err()).collect(),
    }
}

/// What every client will find wrong with the certificate, whichever name it asks for and whatever it trusts.
fn flaw(
    chain: &[CertificateDer<'_>],
    provider: &Arc<CryptoProvider>,
    now: Timestamp,
) -> Option<&'static str> {
    let (leaf, rest) = chain.split_first()?;
    let mut roots = RootCertStore::empty();
    roots.add(leaf.clone().into_owned()).ok()?;
    let client = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().try_into().ok()?));
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    match client.build().ok()?.verify_server_cert(leaf, rest, &name, &[], now) {
        Err(error) if is_authority(&error) => Some(
            "it is one of an authority (CA:TRUE); make one with `openssl req -x509 … -addext basicConstraints=critical,CA:FALSE`",
        ),
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Some("it has expired"),
        _ => None,
    }
}

/// Whether a certificate was refused because it is one of an authority.
pub(super) fn is_authority(error: &Error) -> bool {
    // The type of this cause is none of rustls' own; its name is all there is.
    matches!(error, Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))
        if format!("{cause:?}") == "CaUsedAsEndEntity")
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
        prepare(&stream);
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
