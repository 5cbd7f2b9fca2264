//! Connections: how many are served, and how long each may take.
//!
//! A connection whose next request does not arrive in time is closed: one that was never used, one that
//! trickles, one whose other end is gone. Where all places are taken, `crowd` further connections are each
//! told so with 503 and `Retry-After`; only `/livez` and `/readyz` answer them as ever, so that nobody ends
//! a busy service for a dead one. Who comes then waits in the system's queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use std::os::fd::AsFd;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bounds::Bounds;
use super::failure::{Code, Failure};
use super::router::is_open;
use super::service::Shared;
use super::stream::Polite;

/// From the end of an answer to the end of the next request's head.
const NEXT_REQUEST: Duration = Duration::from_secs(30);

/// The same of a connection that is only told to come back.
const CROWD_REQUEST: Duration = Duration::from_secs(2);

/// The most bytes of a request's head, and of what is read ahead.
const LARGEST_HEAD: usize = 64 << 10;

/// A connection that is silent for so long is asked whether its other end is still there.
const SILENCE: Duration = Duration::from_secs(60);

/// Marks a request on a connection that has no place.
#[derive(Debug, Clone, Copy)]
struct Crowded;

/// Serves connections until `stop` is cancelled, then takes no more, and ends with the last of them.
pub(super) async fn serve<L>(mut listener: L, router: Router, bounds: Bounds, stop: CancellationToken)
where
    L: Listener<Addr = SocketAddr>,
{
    let crowded = router.clone().layer(Extension(Crowded));
    let (places, crowd) = (semaphore(bounds.connections), semaphore(bounds.crowd));
    let open = TaskTracker::new();
    loop {
        // Nobody is let in who could not even be told to come back.
        let next = async {
            let told = Arc::clone(&crowd).acquire_owned().await;
            (told, listener.accept().await.0)
        };
        let Some((told, stream)) = stop.run_until_cancelled(next).await else { break };
        let (place, router, patience) = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => (Ok(place), router.clone(), NEXT_REQUEST),
            Err(_) => (told, crowded.clone(), CROWD_REQUEST),
        };
        let stop = stop.clone();
        open.spawn(async move {
            connection(stream, router, patience, stop).await;
            drop(place);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

fn semaphore(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places))
}

async fn connection(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(LARGEST_HEAD);
    http.keep_alive(patience == NEXT_REQUEST);
    let served = http.serve_connection(TokioIo::new(Polite::new(stream)), TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended before its time");
    }
}

/// Small answers are not held back, and an end that went without a word is noticed.
pub(super) fn prepare(stream: &impl AsFd) {
    // Where the system does not know these, time-outs are all there is.
    let _ = sockopt::set_tcp_nodelay(stream, true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, SILENCE);
    let _ = sockopt::set_tcp_keepintvl(stream, SILENCE / 4);
}

/// Tells those who have no place to come back.
pub(super) async fn refuse_crowd(State(serving): State<Shared>, request: Request, next: Next) -> Response {
    let crowded = request.extensions().get::<Crowded>().is_some();
    if !crowded || is_open(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    let most = serving.bounds.connections;
    let text = format!("as many connections as may be served, {most}, are open\nhint: ask again in a while");
    Failure::new(Code::Busy, text).into_response()
}
