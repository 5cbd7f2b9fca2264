//! An API server that does no more than it must, as a process of its own: its time is nobody's here.
//!
//! It takes PipelineRuns, lists and watches them and their TaskRuns, and serves the logs of their pods. Told so,
//! it has all of them run, as a real cluster's status shows it. Answers come at once, or, to creates, after as
//! long as a real one's webhook and disk take, during which it does nothing.

mod objects;
mod runs;

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, Response};
use futures::{Stream, StreamExt, stream};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::objects::{Kind, Objects};

/// The argument by which this program is the server.
pub(crate) const ROLE: &str = "serve-the-api";

/// Lines that each pod has written.
const LINES: usize = 20;

/// The server's process; with it, it ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// One that takes `latency` for a create.
    pub(crate) fn start(latency: Duration) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args([ROLE, &latency.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let mut port = String::new();
        let mut stdout = child.stdout.take().expect("it is piped");
        let mut byte = [0];
        while stdout.read(&mut byte).is_ok_and(|read| read == 1) && byte != *b"\n" {
            port.push(char::from(byte[0]));
        }
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Shared {
    objects: Mutex<Objects>,
    version: watch::Sender<u64>,
    latency: Duration,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and tells the watches.
    fn with<T>(&self, change: impl FnOnce(&mut Objects) -> T) -> T {
        let mut objects = self.lock();
        let done = change(&mut objects);
        let version = objects.version();
        drop(objects);
        self.version.send_replace(version);
        done
    }
}

/// Serves until whoever started it has gone; a create takes `latency`.
pub(crate) fn serve(latency: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.spawn(async move {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        println!("{}", listener.local_addr().expect("it listens").port());
        let (objects, version) = (Mutex::default(), watch::Sender::new(0));
        let shared = Arc::new(Shared { objects, version, latency });
        while let Ok((connection, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                // Small answers go at once.
                let _ = connection.set_nodelay(true);
                let service = service_fn(|request| answer(Arc::clone(&shared), request));
                // A client may go at any time.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
            });
        }
    });
    runtime.block_on(async {
        let over = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
        // However it ended.
        let _ = over.await;
    });
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> std::io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.map_err(std::io::Error::other)?;
    let query = |key: &str| {
        let pairs = head.uri.query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let path: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
    let answer = match path.as_slice() {
        ["control", "run-all"] => json(200, shared.with(runs::run_all)),
        ["control", "stats"] => json(200, shared.lock().stats()),
        ["apis", "tekton.dev", "v1", "namespaces", _, resource, rest @ ..] => {
            let Some(kind) = Kind::named(resource) else { return Ok(json(404, "{}")) };
            match (&head.method, rest) {
                (&Method::POST, []) => {
                    if !shared.latency.is_zero() {
                        tokio::time::sleep(shared.latency).await;
                    }
                    match shared.with(|objects| objects.create(&body)) {
                        Some(created) => json(201, created),
                        None => json(
                            409,
                            r#"{"kind":"Status","code":409,"reason":"AlreadyExists","message":"it exists"}"#,
                        ),
                    }
                }
                (&Method::GET, [name]) => match shared.lock().get(kind, name) {
                    Some(object) => json(200, object),
                    None => {
                        json(404, r#"{"kind":"Status","code":404,"reason":"NotFound","message":"not found"}"#)
                    }
                },
                (&Method::GET, []) if query("watch") == Some("true") => {
                    let from = query("resourceVersion").and_then(|version| version.parse().ok());
                    Response::new(Body::from_stream(watch(shared, kind, from.unwrap_or(0))))
                }
                (&Method::GET, []) => {
                    let limit = query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
                    json(200, shared.lock().list(kind, limit, query("continue").unwrap_or_default()))
                }
                _ => json(405, "{}"),
            }
        }
        ["api", "v1", "namespaces", _, "pods", _, "log"] => {
            shared.lock().logs += 1;
            // A reading that goes on from the newest line finds what it has.
            let text = Bytes::from(runs::log(LINES));
            let first = stream::iter([Ok::<_, std::io::Error>(text)]);
            match query("follow") {
                Some("true") => Response::new(Body::from_stream(first.chain(stream::pending()))),
                _ => Response::new(Body::from_stream(first)),
            }
        }
        _ => json(404, "{}"),
    };
    Ok(answer)
}

fn json(code: u16, body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(body.into()).expect("the parts are literals")
}

/// What happened to objects of `kind` after version `from`, and happens from now on.
fn watch(shared: Arc<Shared>, kind: Kind, from: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    let changed = shared.version.subscribe();
    stream::unfold((shared, changed, from), move |(shared, mut changed, mut seen)| async move {
        loop {
            let (events, now) = shared.lock().since(kind, seen);
            seen = now;
            if !events.is_empty() {
                return Some((Ok(Bytes::from(events)), (shared, changed, seen)));
            }
            changed.wait_for(|version| *version > seen).await.ok()?;
        }
    })
}
