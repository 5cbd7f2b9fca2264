use axum::Json;
use axum::extract::State;

use super::extract::{NoBody, NoParams, Segments};
use super::failure::Failure;
use super::lookup;
use super::resources::{ErrorEnvelope, TaskResource, TerminateResource, TerminateResult};
use super::service::{Serving, Shared};
use crate::task::{Task, Terminated};

type Answer = Result<Json<TerminateResource>, Failure>;

/// `POST /v1/apps/{app}/tasks/{id}/terminate`.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/tasks/{id}/terminate",
    params(("app" = String, Path), ("id" = u64, Path)),
    responses((status = 200, description = "What became of it", body = TerminateResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn by_id(
    State(serving): State<Shared>,
    Segments((app, id)): Segments<(String, String)>,
    _: NoParams,
    _: NoBody,
) -> Answer {
    let task = lookup::task(&serving, &app, &id)?;
    terminate(&serving, task).await
}

/// `POST /v1/tasks/{name}/terminate`.
#[utoipa::path(
    post,
    path = "/v1/tasks/{name}/terminate",
    params(("name" = String, Path)),
    responses((status = 200, description = "What became of it", body = TerminateResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn by_name(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
    _: NoBody,
) -> Answer {
    let task = lookup::task_named(&serving, &name).await?;
    terminate(&serving, task).await
}

async fn terminate(serving: &Serving, task: Task) -> Answer {
    let (result, task) = match serving.service.dispatch.terminate(task.app, task.id).await? {
        Terminated::Requested(task) => (TerminateResult::Requested, task),
        Terminated::Ended(task) => (TerminateResult::Ended, task),
        Terminated::AlreadyEnded(task) => (TerminateResult::AlreadyEnded, task),
    };
    Ok(Json(TerminateResource { result, task: TaskResource::from(&task) }))
}
