use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{NoParams, Params};
use super::failure::Failure;
use super::resources::{ErrorEnvelope, ReadyResource};
use super::service::{Serving, Shared};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadyQuery {
    /// The causes, as JSON; for those who have the token.
    verbose: Option<String>,
}

/// `GET /livez`: the process answers.
#[utoipa::path(
    get,
    path = "/livez",
    security(()),
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain"), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn live(_: NoParams) -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it can take on work. Why not, or what else is in the way, is told to those who are known.
#[utoipa::path(
    get,
    path = "/readyz",
    params(ReadyQuery),
    security((), ("token" = [])),
    responses((status = 200, description = "It is ready", content((String = "text/plain"), (ReadyResource = "application/json"))),
        (status = 503, description = "It is not", content((String = "text/plain"), (ReadyResource = "application/json"))),
        (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn ready(State(serving): State<Shared>, Params(query): Params<ReadyQuery>) -> Response {
    let mut causes = causes(&serving);
    let ready = causes.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match (query.verbose, ready) {
        (Some(_), ready) => {
            // Reads go on, and claims wait: no reason to send nobody here.
            causes.extend(serving.service.executor.trouble());
            (status, Json(ReadyResource { ready, causes })).into_response()
        }
        (None, true) => (status, "ok\n").into_response(),
        (None, false) => (status, "not ready\n").into_response(),
    }
}

fn causes(serving: &Serving) -> Vec<String> {
    let store = &serving.service.store;
    let failed = store.failure().map(ToString::to_string);
    let stalled =
        store.stalled().map(|took| format!("the disk has not taken a write for {} s", took.as_secs()));
    let stopping = serving.stop.is_cancelled().then(|| Failure::stopping().message);
    failed.into_iter().chain(stalled).chain(stopping).collect()
}
