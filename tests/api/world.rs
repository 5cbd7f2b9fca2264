//! A service in process, and how it is asked.

use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;
use std::{fs, io};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tekcron::api::{self, Service, Token};
use tekcron::clock::{Clock, ManualClock, SharedClock};
use tekcron::config::{Config, SettingsOverrides};
use tekcron::daemon::{Reloader, Removals};
use tekcron::push::source::Sources;
use tekcron::push::{self, Pushes};
use tekcron::schedule::wheel::Wheel;
use tekcron::store::{Commit, Store, StoreError};
use tekcron::task::{Dispatcher, Parts, Task};
use tekcron::watch::Watching;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::executor::FakeExecutor;
use crate::sample;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) executor: Arc<FakeExecutor>,
    pub(crate) store: Store,
    pub(crate) service: Service,
    pub(crate) stop: CancellationToken,
    pub(crate) token: String,
    router: Router,
    dispatcher: tokio::task::JoinHandle<Result<(), StoreError>>,
}

/// The recorder of all tests of this process.
fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| tekcron::telemetry::record_metrics().unwrap()).clone()
}

/// What all tests of this process log, at every level.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn capture_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Log).init();
    });
}

pub(crate) fn logged() -> String {
    String::from_utf8(LOGGED.lock().unwrap().clone()).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let config = sample::config(dir.path());
        Self::with_config(dir, config)
    }

    pub(crate) fn with_config(dir: TempDir, config: Config) -> Self {
        capture_log();
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let shared: SharedClock = clock.clone();
        let executor = Arc::new(FakeExecutor::default());
        let store = Store::open(dir.path(), Arc::clone(&shared)).unwrap();
        let (wheel, wakes) = Wheel::start(Arc::clone(&shared)).unwrap();
        let config = Arc::new(config);
        let parts = Parts {
            store: store.clone(),
            executor: executor.clone(),
            clock: Arc::clone(&shared),
            wheel,
            wakes,
            config: Arc::clone(&config),
        };
        let metrics = metrics();
        let (dispatcher, dispatch, _) = Dispatcher::recover(parts).unwrap();
        let stop = CancellationToken::new();
        let dispatcher = tokio::spawn(dispatcher.run(stop.clone().cancelled_owned()));
        let token = Token::load_or_create(dir.path()).unwrap();
        let current = Arc::new(ArcSwap::new(Arc::clone(&config)));
        let overrides = SettingsOverrides::default();
        let reloader = Reloader::new(
            config.dir.clone(),
            overrides,
            Arc::clone(&current),
            dispatch.clone(),
            store.clone(),
        );
        let reloader = Arc::new(reloader);
        let sources = Sources::of(dir.path(), Arc::clone(&shared));
        let (pushes, builds) = Pushes::new(push::Parts {
            reloader: Arc::clone(&reloader),
            dispatch: dispatch.clone(),
            store: store.clone(),
            sources: sources.clone(),
            config: Arc::clone(&current),
            clock: Arc::clone(&shared),
        });
        let (removals, wanted) = Removals::new(
            store.clone(),
            executor.clone(),
            Arc::clone(&shared),
            dispatch.clone(),
            pushes.clone(),
            Arc::default(),
        );
        tokio::spawn(Arc::clone(&removals).run(Arc::clone(&config), wanted, stop.clone()));
        let watching =
            Watching::new(store.clone(), Arc::clone(&current), Arc::clone(&shared), Arc::default());
        tokio::spawn(builds.run(stop.clone()));
        let service = Service {
            store: store.clone(),
            dispatch,
            sources,
            pushes,
            executor: executor.clone(),
            config: current,
            reloader,
            clock: shared,
            metrics,
            token,
            watching,
            removals,
        };
        let router = api::router(service.clone(), "127.0.0.1:7070".parse().unwrap(), stop.clone());
        let text = fs::read_to_string(dir.path().join("token")).unwrap().trim().to_owned();
        Self { dir, clock, executor, store, service, stop, token: text, router, dispatcher }
    }

    /// Asks as somebody who has the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let token = format!("Bearer {}", self.token);
        Request::builder().method(method).uri(path).header(AUTHORIZATION, token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(self.request(Method::POST, path).body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send(self.request(Method::PUT, path).body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn post_keyed(&self, path: &str, key: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path).header("Idempotency-Key", key);
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Asks without anybody waiting for the answer yet.
    pub(crate) fn begin(&self, path: &str) -> tokio::task::JoinHandle<Answer> {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        let router = self.router.clone();
        tokio::spawn(async move { Answer::of(router.oneshot(request).await.unwrap()).await })
    }

    /// Writes tasks that nobody claimed here.
    pub(crate) async fn record(&self, tasks: &[Task]) {
        let mut commit = Commit::new();
        for task in tasks {
            commit.create_task(task);
        }
        self.store.commit(commit).await.unwrap();
    }

    /// Lets everything happen that can happen without time passing. Other threads and the disk take the
    /// time they take; only a hang is a failure.
    pub(crate) async fn until(&self, what: &str, mut wanted: impl FnMut() -> bool) {
        let waiting = async {
            while !wanted() {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(120), waiting).await.is_err() {
            panic!("never: {what}");
        }
    }

    pub(crate) async fn until_dispatcher_ended(&self) {
        let ended = || self.service.dispatch.ended().has_changed().is_err();
        self.until("the dispatcher has ended", ended).await;
    }

    /// Waits until more than `count` wait for time to pass; the wheel is one as long as there is one.
    pub(crate) async fn until_waiting(&self, count: usize) {
        self.until("somebody waits", || self.clock.sleepers() > count).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Stops the dispatcher as a daemon does.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.dispatcher.await.unwrap().unwrap();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code, message and hint of an error, in exactly the one envelope.
    pub(crate) fn error(&self) -> (u16, String, String, String) {
        let json = self.json();
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        let error = json["error"].as_object().unwrap();
        assert_eq!(error.keys().map(String::as_str).collect::<Vec<_>>(), ["code", "hint", "message"]);
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        (self.status, text("code"), text("message"), text("hint"))
    }

    /// Checks an error: its status and code, and what message and hint hold.
    pub(crate) fn expect(&self, status: u16, code: &str, message: &str, hint: &str) {
        let error = self.error();
        assert_eq!((error.0, error.1.as_str()), (status, code), "{error:?}");
        assert!(error.2.contains(message), "message: {error:?}");
        assert!(error.3.contains(hint), "hint: {error:?}");
        assert!(!error.2.contains("\nhint: "), "{error:?}");
    }
}
