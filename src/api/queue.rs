//! What waits to start: shown, moved to the front, taken out.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{NoBody, NoParams, Params, Segments};
use super::failure::Failure;
use super::lookup;
use super::page::{Binding, Limit};
use super::resources::{Blocked, ErrorEnvelope, Page, QueueResource, TaskResource};
use super::service::Shared;
use crate::schedule::Blocker;
use crate::task::{QueueEntry, QueuePlace, QueueQuery};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The most items.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Of this App only.
    app: Option<String>,
}

type Answer = Result<Json<TaskResource>, Failure>;

/// `GET /v1/queue`: in the order in which it will start.
#[utoipa::path(
    get,
    path = "/v1/queue",
    params(ListQuery),
    responses((status = 200, description = "A page", body = Page<QueueResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Page<QueueResource>>, Failure> {
    let app = query.app.as_deref();
    let app =
        app.map(|app| lookup::app_with_tasks(&serving.config(), &serving.service.store, app)).transpose()?;
    let binding = Binding::new(&["queue", app.as_ref().map_or("", |app| app.as_str())]);
    let after: Option<QueuePlace> = binding.position(query.cursor.as_deref())?;
    let limit = query.limit;
    let entries = serving.service.dispatch.queue(QueueQuery { app, after, limit: limit.0 + 1 }).await?;
    let Page { items, next } = binding.page(entries, limit, |entry: &QueueEntry| entry.place.clone());
    Ok(Json(Page { items: items.iter().map(resource).collect(), next }))
}

fn resource(entry: &QueueEntry) -> QueueResource {
    let group = || entry.group.as_ref().map(ToString::to_string).unwrap_or_default();
    let (blocked, behind, waits_for) = match entry.waits_for {
        None => (Blocked::Nothing, None, "about to start".to_owned()),
        Some(Blocker::Run(task)) => (Blocked::Run, Some(task), format!("task {task} of its job")),
        Some(Blocker::App(limit)) => {
            let (most, app, running) = (limit.most, &entry.task.app, limit.running);
            (Blocked::App, None, format!("max_running = {most} of App {app}: {running} run"))
        }
        Some(Blocker::Group(limit)) => {
            let (most, running) = (limit.most, limit.running);
            (Blocked::Group, None, format!("max_running = {most} of group {}: {running} run", group()))
        }
    };
    QueueResource {
        task: TaskResource::from(&entry.task),
        blocked,
        behind,
        group: entry.group.as_ref().map(ToString::to_string),
        waits_for,
    }
}

/// `POST /v1/apps/{app}/tasks/{id}/front`.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/tasks/{id}/front",
    params(("app" = String, Path), ("id" = u64, Path)),
    responses((status = 200, description = "The task, before all others on disk", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn front_by_id(
    State(serving): State<Shared>,
    Segments((app, id)): Segments<(String, String)>,
    _: NoParams,
    _: NoBody,
) -> Answer {
    let task = lookup::task(&serving, &app, &id)?;
    Ok(Json(TaskResource::from(&serving.service.dispatch.move_to_front(task.app, task.id).await?)))
}

/// `POST /v1/tasks/{name}/front`.
#[utoipa::path(
    post,
    path = "/v1/tasks/{name}/front",
    params(("name" = String, Path)),
    responses((status = 200, description = "The task, before all others on disk", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn front_by_name(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
    _: NoBody,
) -> Answer {
    let task = lookup::task_named(&serving, &name).await?;
    Ok(Json(TaskResource::from(&serving.service.dispatch.move_to_front(task.app, task.id).await?)))
}

/// `POST /v1/apps/{app}/tasks/{id}/drop`.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/tasks/{id}/drop",
    params(("app" = String, Path), ("id" = u64, Path)),
    responses((status = 200, description = "The task, ended", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn drop_by_id(
    State(serving): State<Shared>,
    Segments((app, id)): Segments<(String, String)>,
    _: NoParams,
    _: NoBody,
) -> Answer {
    let task = lookup::task(&serving, &app, &id)?;
    Ok(Json(TaskResource::from(&serving.service.dispatch.drop_waiting(task.app, task.id).await?)))
}

/// `POST /v1/tasks/{name}/drop`.
#[utoipa::path(
    post,
    path = "/v1/tasks/{name}/drop",
    params(("name" = String, Path)),
    responses((status = 200, description = "The task, ended", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn drop_by_name(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
    _: NoBody,
) -> Answer {
    let task = lookup::task_named(&serving, &name).await?;
    Ok(Json(TaskResource::from(&serving.service.dispatch.drop_waiting(task.app, task.id).await?)))
}
