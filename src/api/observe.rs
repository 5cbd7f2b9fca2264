use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::service::Shared;

/// Counts and logs each request: method, route, status and time. Never its query, headers or body.
pub(super) async fn observe(State(serving): State<Shared>, request: Request, next: Next) -> Response {
    let clock = &serving.service.clock;
    let began = clock.monotonic();
    let method = request.method().clone();
    // The pattern and not the path: its number is bounded.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), clock.monotonic() - began);
    tracing::debug!(%method, route, status, took = ?took, "a request was answered");
    let labels = [("route", route), ("status", status.to_string())];
    ::metrics::counter!("tekcron_http_requests_total", &labels).increment(1);
    response
}
