//! Connections, and how a call finds its answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::faults::{Act, status};
use super::objects::Refused;
use super::{NAMESPACE, Shared, logs, verbs};

/// Listens until the token is cancelled; with it all connections end.
pub(super) fn listen(runtime: &Runtime, shared: &Arc<Shared>, port: u16) -> (CancellationToken, u16) {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = std::net::TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, shared) = (CancellationToken::new(), Arc::clone(shared));
    let stopping = stop.clone();
    runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Some(Ok((connection, _))) = stopping.run_until_cancelled(listener.accept()).await {
            let (shared, stopping) = (Arc::clone(&shared), stopping.clone());
            tokio::spawn(async move {
                let service = service_fn(|request| dated(Arc::clone(&shared), request));
                let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
                // Broken connections are what this is for.
                let _ = stopping.run_until_cancelled(serving).await;
            });
        }
    });
    (stop, port)
}

/// An answer, or the connection's end.
pub(super) type Answered = io::Result<Response<Body>>;

/// Every answer says what the server's clock shows.
async fn dated(shared: Arc<Shared>, request: Request<Incoming>) -> Answered {
    let mut answer = answer(Arc::clone(&shared), request).await?;
    let now = shared.lock().time(&shared.clock);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
    answer.headers_mut().insert(DATE, date.parse().unwrap());
    Ok(answer)
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.map_err(io::Error::other)?;
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let metadata_only = header("accept").contains("PartialObjectMetadata");
    if shared.lock().checked
        && let Some(answer) = checks(&shared, head.uri.path(), &body)
    {
        return Ok(answer);
    }
    let Some(call) = Call::read(&head.method, &head.uri, header("content-type"), &body) else {
        return Ok(text(404, "404 page not found"));
    };
    let authorized = header("authorization") == "Bearer t0ken";
    let act = shared.with(|state| {
        state.calls.push(call.clone());
        let (now, most) = state.under_way.entry((call.verb, call.resource.clone())).or_default();
        *now += 1;
        *most = (*most).max(*now);
        let place = state
            .rules
            .iter()
            .position(|rule| call.is(rule.verb, rule.resource) && rule.times.is_none_or(|times| times > 0))?;
        let rule = &mut state.rules[place];
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.act.clone())
    });
    let _under_way = UnderWay { shared: Arc::clone(&shared), of: (call.verb, call.resource.clone()) };
    let act = match act {
        Some(Act::Answer { code, body, retry_after }) => {
            let mut answer = text(code, &body);
            if let Some(seconds) = retry_after {
                answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            return Ok(answer);
        }
        Some(Act::CloseBefore) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Act::Hang) => {
            until_cleared(&shared).await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Some(Act::Wait) => {
            until_cleared(&shared).await;
            None
        }
        act => act,
    };
    if !authorized {
        return Ok(object(401, &status(401, "Unauthorized", "Unauthorized")));
    }
    let answer = carry_out(&shared, &call, metadata_only, act.as_ref());
    match act {
        Some(Act::CloseAfter) => Err(io::ErrorKind::ConnectionReset.into()),
        Some(Act::HangAfter) => {
            until_cleared(&shared).await;
            Err(io::ErrorKind::TimedOut.into())
        }
        _ => Ok(answer),
    }
}

/// What a check asks for besides, which needs no right in the namespace.
fn checks(shared: &Shared, path: &str, body: &[u8]) -> Option<Response<Body>> {
    let state = shared.lock();
    let path: Vec<&str> = path.split('/').skip(1).collect();
    Some(match path.as_slice() {
        ["version"] => object(200, &json!({})),
        ["apis", "tekton.dev", "v1"] if state.installed => object(200, &json!({})),
        ["api", "v1", "namespaces", NAMESPACE] => object(200, &json!({ "metadata": { "name": NAMESPACE } })),
        ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"] => {
            let mut review: Value = serde_json::from_slice(body).unwrap();
            let verb = review["spec"]["resourceAttributes"]["verb"].as_str();
            review["status"] = json!({ "allowed": verb != state.denied });
            object(201, &review)
        }
        _ => return None,
    })
}

struct UnderWay {
    shared: Arc<Shared>,
    of: (&'static str, String),
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.shared.with(|state| {
            if let Some((now, _)) = state.under_way.get_mut(&self.of) {
                *now -= 1;
            }
        });
    }
}

async fn until_cleared(shared: &Shared) {
    let before = shared.lock().cleared;
    let mut changed = shared.changed.subscribe();
    // It stays as long as this.
    let _ = changed.wait_for(|_| shared.lock().cleared != before).await;
}

fn carry_out(shared: &Arc<Shared>, call: &Call, metadata_only: bool, act: Option<&Act>) -> Response<Body> {
    if call.group == "tekton.dev" && !shared.lock().installed {
        return text(404, "404 page not found");
    }
    if call.namespace != NAMESPACE && call.verb == "create" {
        return refusal((404, "NotFound", format!("namespaces \"{}\" not found", call.namespace)));
    }
    let answer = match (call.verb, call.resource.as_str()) {
        ("watch", _) => return verbs::watch(shared, call, act),
        ("get", "pods/log") => return logs::read(shared, call, act).unwrap_or_else(refusal),
        ("list", _) => verbs::list(shared, call),
        ("get", _) => verbs::get(shared, call),
        ("create", _) => verbs::create(shared, call),
        ("patch", _) => verbs::patch(shared, call),
        ("delete", _) => verbs::delete(shared, call),
        _ => Err((405, "MethodNotAllowed", "the server does not allow this method".to_owned())),
    };
    let code = if call.verb == "create" { 201 } else { 200 };
    match answer {
        Ok(found) if metadata_only => object(code, &metadata(&found)),
        Ok(found) => object(code, &found),
        Err(refused) => refusal(refused),
    }
}

/// An object, or a list of them, with nothing but their metadata.
fn metadata(object: &Value) -> Value {
    let version = "meta.k8s.io/v1";
    match object["items"].as_array() {
        Some(items) => {
            let items: Vec<Value> = items.iter().map(metadata).collect();
            let kind = "PartialObjectMetadataList";
            json!({ "kind": kind, "apiVersion": version, "metadata": object["metadata"], "items": items })
        }
        None => {
            json!({ "kind": "PartialObjectMetadata", "apiVersion": version, "metadata": object["metadata"] })
        }
    }
}

pub(super) fn refusal((code, reason, message): Refused) -> Response<Body> {
    object(code, &status(code, reason, &message))
}

pub(super) fn object(code: u16, body: &Value) -> Response<Body> {
    let answer = Response::builder().status(code).header(CONTENT_TYPE, "application/json");
    answer.body(Body::from(body.to_string())).unwrap()
}

fn text(code: u16, body: &str) -> Response<Body> {
    let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
    Response::builder().status(code).header(CONTENT_TYPE, kind).body(Body::from(body.to_owned())).unwrap()
}

/// A body of which more comes; it breaks off after `cut` bytes.
pub(super) fn streamed(
    pieces: impl futures::Stream<Item = Bytes> + Send + 'static,
    cut: Option<usize>,
) -> Response<Body> {
    use futures::StreamExt;
    let mut left = cut;
    let pieces = pieces.flat_map(move |piece| {
        let (piece, broken) = match &mut left {
            Some(left) if piece.len() >= *left => (piece.slice(..*left), true),
            Some(left) => {
                *left -= piece.len();
                (piece, false)
            }
            None => (piece, false),
        };
        let end = broken.then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        futures::stream::iter(std::iter::once(Ok(piece)).chain(end))
    });
    Response::builder().status(200).body(Body::from_stream(pieces)).unwrap()
}
