use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{NoParams, Params};
use super::failure::Failure;
use super::resources::{ErrorEnvelope, SchedulesResource, StatusResource};
use super::service::Shared;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct SchedulesQuery {
    /// What is wrong with which job; for those who have the token.
    verbose: Option<String>,
}

/// `GET /healthz/schedules`: whether everything that should have run, has run, as the last look found it. Names
/// of jobs are told to those who are known.
#[utoipa::path(
    get,
    path = "/healthz/schedules",
    params(SchedulesQuery),
    security((), ("token" = [])),
    responses((status = 200, description = "All has run", body = SchedulesResource),
        (status = 503, description = "Something has not", body = SchedulesResource),
        (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn schedules(
    State(serving): State<Shared>,
    Params(query): Params<SchedulesQuery>,
) -> Response {
    let StatusResource { ok, at, watched, breaches } =
        StatusResource::from(&*serving.service.watching.current());
    let broken = breaches.len();
    let breaches = query.verbose.map(|_| breaches);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(SchedulesResource { ok, at, watched, broken, breaches })).into_response()
}

/// `GET /v1/status`: whether everything that should have run, has run by now.
#[utoipa::path(
    get,
    path = "/v1/status",
    responses((status = 200, description = "What has not", body = StatusResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    _: NoParams,
) -> Result<Json<StatusResource>, Failure> {
    let watching = std::sync::Arc::clone(&serving.service.watching);
    let status = serving.scan(move |_| watching.look()).await?;
    Ok(Json(StatusResource::from(&*status)))
}
