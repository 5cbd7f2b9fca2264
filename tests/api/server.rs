//! The server itself, on loopback.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tekcron::api::{ApiError, Server, Tls, check_listen, publish_address, withdraw_address};
use tekcron::config::{Settings, TlsFiles};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::executor::Logs;
use crate::sample;
use crate::world::{World, logged};

const DRAIN: SignedDuration = SignedDuration::from_secs(30);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    url: String,
    served: JoinHandle<()>,
}

pub(crate) async fn start(world: &World, settings: &Settings) -> Result<Running, ApiError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(listener, world.service.clone(), Tls::load(settings, world.now())?)?;
    let url = server.url();
    Ok(Running { address, url, served: tokio::spawn(server.run(world.stop.clone(), DRAIN)) })
}

/// Sends a request and reads until the server closes.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str, token: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn certificate(dir: &Path) -> (TlsFiles, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (files, roots)
}

#[tokio::test]
async fn over_tls_it_answers_those_who_trust_its_certificate_while_another_handshake_hangs() {
    let world = World::new();
    let (files, roots) = certificate(world.dir.path());
    let settings = Settings { tls: Some(files), ..sample::settings(world.dir.path()) };
    let running = start(&world, &settings).await.unwrap();
    assert_eq!(running.url, format!("https://{}", running.address));
    let silent = TcpStream::connect(running.address).await.unwrap();
    let mut noise = TcpStream::connect(running.address).await.unwrap();
    noise.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = |roots| {
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().unwrap();
        TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let stream = client(roots).connect(name.clone(), stream).await.unwrap();
    let answer = ask(stream, "/v1/apps/etl", &world.token).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"name\":\"etl\""), "{answer}");
    let stream = TcpStream::connect(running.address).await.unwrap();
    assert!(client(RootCertStore::empty()).connect(name, stream).await.is_err());
    drop(silent);
    world.stop.cancel();
    running.served.await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_certificate_that_no_client_takes_is_warned_of_and_a_good_one_is_not() {
    let world = World::new();
    for (name, is_ca, years_left, warning) in [
        ("good", IsCa::ExplicitNoCa, 1, None),
        ("plain", IsCa::NoCa, 1, None),
        ("signer", IsCa::Ca(BasicConstraints::Unconstrained), 1, Some("basicConstraints=critical,CA:FALSE")),
        ("old", IsCa::NoCa, -1, Some("it has expired")),
    ] {
        let dir = world.dir.path().join(name);
        fs::create_dir(&dir).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = is_ca;
        params.not_after = date_time_ymd(2026 + years_left, 1, 1);
        let key = KeyPair::generate().unwrap();
        let files = TlsFiles { certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
        fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        let path = files.certificate.display().to_string();
        let settings = Settings { tls: Some(files), ..sample::settings(world.dir.path()) };
        start(&world, &settings).await.unwrap();
        let logged = logged();
        let line = logged.lines().find(|line| line.contains("WARN") && line.contains(&path));
        assert_eq!(line.is_some(), warning.is_some(), "{name}: {line:?}");
        assert!(line.unwrap_or_default().contains(warning.unwrap_or_default()), "{line:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let world = World::new();
    let dir = world.dir.path();
    let (good, _) = certificate(dir);
    let (empty, missing, other) = (dir.join("empty.pem"), dir.join("missing.pem"), dir.join("other"));
    fs::write(&empty, "").unwrap();
    fs::create_dir(&other).unwrap();
    let (foreign, _) = certificate(&other);
    let files = |certificate: &Path, key: &Path| TlsFiles {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    for (tls, expected) in [
        (files(&missing, &good.key), "cannot read the certificate `"),
        (files(&empty, &good.key), "expected a certificate in PEM format in `"),
        (files(&good.certificate, &missing), "cannot read the key `"),
        (files(&good.certificate, &good.certificate), "expected a key in PEM format in `"),
        (files(&good.certificate, &foreign.key), "cannot be used: "),
    ] {
        let settings = Settings { tls: Some(tls), ..sample::settings(dir) };
        let error = start(&world, &settings).await.err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains(".pem`"), "{error}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_stop_breaks_a_followed_log_off_and_ends_an_idle_connection_and_the_server_with_them() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    *world.executor.logs.lock().unwrap() = Logs::Open;
    let running = start(&world, &sample::settings(world.dir.path())).await.unwrap();
    let idle = TcpStream::connect(running.address).await.unwrap();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let token = world.token.clone();
    let following =
        tokio::spawn(async move { ask(stream, "/v1/apps/etl/tasks/1/logs?follow=true", &token).await });
    world.until("it is asked for", || !world.executor.asked.lock().unwrap().is_empty()).await;
    world.stop.cancel();
    let answer = following.await.unwrap();
    assert!(answer.contains("transfer-encoding: chunked") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    running.served.await.unwrap();
    drop(idle);
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens any more");
    world.end().await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_after_the_grace_period_and_not_before() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    *world.executor.logs.lock().unwrap() = Logs::Stuck;
    let running = start(&world, &sample::settings(world.dir.path())).await.unwrap();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let token = world.token.clone();
    let stuck = tokio::spawn(async move { ask(stream, "/v1/apps/etl/tasks/1/logs", &token).await });
    world.until("it is asked for", || !world.executor.asked.lock().unwrap().is_empty()).await;
    world.stop.cancel();
    world.until_dispatcher_ended().await;
    // The wheel is gone with it: who waits now is the server.
    world.until_waiting(0).await;
    assert!(!running.served.is_finished());
    world.clock.advance(std::time::Duration::from_secs(30));
    running.served.await.unwrap();
    stuck.abort();
    world.end().await;
}

#[test]
fn beyond_loopback_it_needs_tls_or_an_explicit_word() {
    let dir = TempDir::new().unwrap();
    let tls = Some(TlsFiles { certificate: "c".into(), key: "k".into() });
    for (listen, tls, insecure, allowed) in [
        ("127.0.0.1:7070", None, false, true),
        ("127.1.2.3:7070", None, false, true),
        ("[::1]:7070", None, false, true),
        ("[::ffff:127.0.0.1]:7070", None, false, true),
        ("0.0.0.0:7070", None, false, false),
        ("[::]:7070", None, false, false),
        ("192.168.1.2:7070", None, false, false),
        ("0.0.0.0:7070", None, true, true),
        ("0.0.0.0:7070", tls, false, true),
    ] {
        let listen = listen.parse().unwrap();
        let settings = Settings { listen, tls, insecure, ..sample::settings(dir.path()) };
        match check_listen(&settings) {
            Ok(()) => assert!(allowed, "{listen}"),
            Err(error) => {
                let error = error.to_string();
                assert!(!allowed && error.contains(&listen.to_string()), "{error}");
                assert!(error.contains("\nhint: ") && error.contains("insecure = true"), "{error}");
            }
        }
    }
}

#[test]
fn the_address_is_written_down_and_withdrawn() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("address");
    publish_address(dir.path(), "http://127.0.0.1:1").unwrap();
    publish_address(dir.path(), "http://127.0.0.1:7070").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "http://127.0.0.1:7070\n");
    withdraw_address(dir.path());
    withdraw_address(dir.path());
    assert!(!path.exists());
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may write anywhere");
        return;
    }
    let error = publish_address(dir.path(), "x").unwrap_err().to_string();
    assert!(error.contains("cannot write `"), "{error}");
}
