//! A scripted service: it answers each expected request once, and a request that nobody expected, or one
//! that never came, fails the test.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::serve::Listener;
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;

pub(crate) const TOKEN: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY";

/// How a request is answered.
pub(crate) enum Reply {
    Json(u16, Value),
    Text(&'static str),
    /// What the channel gives, until its other end is dropped.
    Stream(mpsc::UnboundedReceiver<&'static str>),
    /// The connection breaks before the answer is whole.
    Broken,
    /// The connection breaks behind this text.
    BrokenAfter(&'static str),
    /// Look there.
    Redirect(String),
    /// No answer, ever.
    Silence,
}

impl Reply {
    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::Json(200, serde_json::to_value(value).unwrap())
    }

    pub(crate) fn created(value: &impl Serialize) -> Self {
        Self::Json(201, serde_json::to_value(value).unwrap())
    }

    pub(crate) fn page<T: Serialize>(items: &[T], next: Option<&str>) -> Self {
        Self::Json(200, json!({ "items": items, "next": next }))
    }

    pub(crate) fn error(status: u16, code: &str, message: &str, hint: Option<&str>) -> Self {
        Self::Json(status, json!({ "error": { "code": code, "message": message, "hint": hint } }))
    }

    fn into_response(self) -> Response<Body> {
        let (status, body) = match self {
            Self::Json(status, value) => (status, Body::from(value.to_string())),
            Self::Text(text) => (200, Body::from(text)),
            Self::Stream(pieces) => {
                let pieces = stream::unfold(pieces, |mut pieces| async move {
                    Some((Ok::<_, std::io::Error>(pieces.recv().await?), pieces))
                });
                (200, Body::from_stream(pieces))
            }
            Self::Broken => {
                let piece: Result<Bytes, _> = Err(std::io::Error::other("the line was cut"));
                (200, Body::from_stream(stream::iter([piece])))
            }
            Self::BrokenAfter(text) => {
                let text = stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
                // What is at hand is sent when there is nothing more for a moment.
                let cut = stream::once(async {
                    tokio::task::yield_now().await;
                    Err(std::io::Error::other("the line was cut"))
                });
                (200, Body::from_stream(text.chain(cut)))
            }
            Self::Redirect(there) => {
                let redirect = Response::builder().status(307).header("location", there);
                return redirect.body(Body::empty()).unwrap();
            }
            Self::Silence => unreachable!("silence is kept, not sent"),
        };
        Response::builder().status(status).body(body).unwrap()
    }
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Bytes,
}

#[derive(Default)]
struct Script {
    expected: VecDeque<(String, Reply)>,
    seen: Vec<Request>,
    unexpected: Vec<String>,
}

/// The service, with a data directory that leads to it.
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) data_dir: TempDir,
    script: Arc<Mutex<Script>>,
}

impl Fake {
    /// A service that expects `script`, in that order: `METHOD PATH?QUERY` and the reply.
    pub(crate) async fn start(script: impl IntoIterator<Item = (&str, Reply)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(listener, url, script)
    }

    pub(crate) fn serve<'a, L: Listener<Addr: std::fmt::Debug>>(
        listener: L,
        url: String,
        script: impl IntoIterator<Item = (&'a str, Reply)>,
    ) -> Self {
        let expected = script.into_iter().map(|(line, reply)| (line.to_owned(), reply)).collect();
        let script = Arc::new(Mutex::new(Script { expected, ..Script::default() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let data_dir = TempDir::new().unwrap();
        std::fs::write(data_dir.path().join("address"), format!("{url}\n")).unwrap();
        std::fs::write(data_dir.path().join("token"), format!("{TOKEN}\n")).unwrap();
        Self { url, data_dir, script }
    }

    /// `tekcron` with `args`, led here by the data directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = tekcron(args);
        command.env("TEKCRON_DATA_DIR", self.data_dir.path());
        command
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args)).await
    }

    /// All requests; the whole script must have been played.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let script = lock(&self.script);
        assert_eq!(script.unexpected, Vec::<String>::new(), "requests that nobody expected");
        let missing: Vec<_> = script.expected.iter().map(|(line, _)| line).collect();
        assert!(missing.is_empty(), "requests that never came: {missing:?}");
        script.seen.clone()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap()
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if headers.get("authorization").is_none_or(|found| found != &format!("Bearer {TOKEN}")) {
        let hint = Some("the token is in the file `token` of the data directory");
        return Reply::error(401, "unauthorized", "expected a valid token", hint).into_response();
    }
    let line = format!("{method} {uri}");
    let reply = {
        let mut script = lock(&script);
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        script.seen.push(Request { headers, body: json, bytes: body });
        match script.expected.front() {
            Some((expected, _)) if *expected == line => script.expected.pop_front().map(|(_, reply)| reply),
            _ => {
                script.unexpected.push(line);
                None
            }
        }
    };
    match reply {
        Some(Reply::Silence) => std::future::pending().await,
        Some(reply) => reply.into_response(),
        None => Reply::error(500, "internal", "nobody expected this", None).into_response(),
    }
}

/// `tekcron` with `args` and no environment, in a directory without configuration.
pub(crate) fn tekcron(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekcron"));
    command.args(args).env_clear().current_dir(empty_directory()).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn empty_directory() -> &'static Path {
    static DIRECTORY: std::sync::OnceLock<TempDir> = std::sync::OnceLock::new();
    DIRECTORY.get_or_init(|| TempDir::new().unwrap()).path()
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) async fn of(mut command: Command) -> Self {
        command.output().await.unwrap().into()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What a person sees: both streams and the exit code.
impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.out.is_empty() {
            writeln!(f, "{}", self.out.trim_end())?;
        }
        for line in self.err.lines() {
            writeln!(f, "! {line}")?;
        }
        write!(f, "[{}]", self.code)
    }
}
