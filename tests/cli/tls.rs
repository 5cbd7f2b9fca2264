//! `--ca`: a service with a certificate of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::fake::{Fake, Reply, Run};
use crate::sample::task;

struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.tcp.accept().await.unwrap();
            // A client that does not trust us hangs up.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A service at `https://localhost`, and the file of its certificate.
async fn service(script: impl IntoIterator<Item = (&str, Reply)>) -> (Fake, PathBuf) {
    service_that_is(IsCa::ExplicitNoCa, script).await
}

async fn service_that_is(is_ca: IsCa, script: impl IntoIterator<Item = (&str, Reply)>) -> (Fake, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    certificate.is_ca = is_ca;
    let certificate = certificate.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", tcp.local_addr().unwrap().port());
    let fake = Fake::serve(TlsListener { tcp, tls: TlsAcceptor::from(Arc::new(config)) }, url, script);
    let file = fake.data_dir.path().join("ca.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    (fake, file)
}

#[tokio::test]
async fn with_its_authority_a_service_is_trusted() {
    let (fake, ca) = service([("GET /v1/tasks?limit=50", Reply::page(&[task(7)], None))]).await;
    let run = fake.run(&["tasks", "-o", "name", "--ca", ca.to_str().unwrap()]).await;
    assert_eq!(run.to_string(), "task/etl-nightly-abcdefghij07\n[0]");
    fake.requests();
}

#[tokio::test]
async fn without_it_or_with_another_one_no_request_is_made() {
    let (fake, _) = service([]).await;
    let (_stranger, other) = service([]).await;
    for args in [vec!["tasks"], vec!["tasks", "--ca", other.to_str().unwrap()]] {
        let run = fake.run(&args).await;
        assert_eq!(run.code, 69, "{run}");
        assert!(run.err.contains("certificate") && run.err.contains("\nhint: "), "{run}");
    }
    fake.requests();
}

#[tokio::test]
async fn a_service_that_is_not_trusted_is_not_taken_for_one_that_does_not_run() {
    let (fake, _) = service([]).await;
    let run = fake.run(&["apps"]).await;
    assert_eq!(run.code, 69, "{run}");
    assert!(run.err.contains("is not trusted: invalid peer certificate"), "{run}");
    fake.requests();
}

#[tokio::test]
async fn an_authority_that_is_none_is_told() {
    let (fake, _) = service([]).await;
    let nothing = fake.data_dir.path().join("token");
    let run = fake.run(&["tasks", "--ca", nothing.to_str().unwrap()]).await;
    assert_eq!(run.code, 64, "{run}");
    insta::assert_snapshot!(run, @r"
    ! error: the certificate authority cannot be used: expected certificates, found none
    ! hint: --ca expects PEM certificates
    [64]
    ");
    let missing = Run::of(fake.command(&["tasks", "--ca", "/nonexistent.pem"])).await;
    insta::assert_snapshot!(missing, @r"
    ! error: cannot read the certificates in `/nonexistent.pem`: No such file or directory (os error 2)
    ! hint: --ca (TEKCRON_CA) names a file of PEM certificates
    [64]
    ");
}

#[tokio::test]
async fn a_certificate_that_may_only_sign_is_told_with_the_way_to_a_better_one() {
    let (fake, ca) = service_that_is(IsCa::Ca(BasicConstraints::Unconstrained), []).await;
    let run = fake.run(&["tasks", "--ca", ca.to_str().unwrap()]).await;
    fake.requests();
    let expected = format!(
        "! error: the certificate of `{}/` is one of an authority (CA:TRUE), which may sign others but not serve
! hint: make the service's with `openssl req -x509 … -addext basicConstraints=critical,CA:FALSE`
[69]",
        fake.url
    );
    assert_eq!(run.to_string(), expected);
}

#[tokio::test]
async fn the_wrong_scheme_is_told_with_the_right_one() {
    let (tls, _) = service([]).await;
    let plain = Fake::start([]).await;
    for (fake, from, to, expected) in [
        (
            &tls,
            "https",
            "http",
            "found another protocol\nhint: the URL of a service with a certificate begins with `https://`",
        ),
        (
            &plain,
            "http",
            "https",
            "found another protocol\nhint: the URL of a service without a certificate begins with `http://`",
        ),
    ] {
        let url = fake.url.replacen(from, to, 1);
        let run = fake.run(&["tasks", "--url", &url]).await;
        assert_eq!(run.code, 69, "{run}");
        assert!(run.err.contains(expected), "{run}");
        fake.requests();
    }
}
