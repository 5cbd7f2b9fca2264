use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{Params, Segments};
use super::failure::Failure;
use super::listing::{self, Filter};
use super::lookup;
use super::page::{Binding, Limit};
use super::resources::{ErrorEnvelope, Page, TaskResource};
use super::service::{Serving, Shared};
use super::wait::{Wait, until_ended};
use crate::app::AppName;
use crate::job::{JobName, JobRef};
use crate::task::{Phase, Task};

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
    /// In this phase only.
    #[param(inline)]
    phase: Option<Phase>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Answer when it has ended, or after so many seconds.
    #[param(value_type = Option<u32>, maximum = 60)]
    wait: Option<Wait>,
}

type Tasks = Result<Json<Page<TaskResource>>, Failure>;

/// `GET /v1/tasks`: of all Apps, also of those that are no longer configured.
#[utoipa::path(
    get,
    path = "/v1/tasks",
    params(ListQuery),
    responses((status = 200, description = "A page", body = Page<TaskResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn all(State(serving): State<Shared>, Params(query): Params<ListQuery>) -> Tasks {
    list(&serving, None, None, query).await
}

/// `GET /v1/apps/{app}/tasks`.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/tasks",
    params(("app" = String, Path), ListQuery),
    responses((status = 200, description = "A page", body = Page<TaskResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn of_app(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    Params(query): Params<ListQuery>,
) -> Tasks {
    let app = lookup::app_with_tasks(&serving.config(), &serving.service.store, &app)?;
    list(&serving, Some(app), None, query).await
}

/// `GET /v1/jobs/{job}/tasks`: also of a job that is no longer configured.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job}/tasks",
    params(("job" = String, Path), ListQuery),
    responses((status = 200, description = "A page", body = Page<TaskResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn of_job(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    Params(query): Params<ListQuery>,
) -> Tasks {
    let JobRef { app, job } = lookup::job_with_tasks(&serving, &job).await?;
    list(&serving, Some(app), Some(job), query).await
}

async fn list(serving: &Serving, app: Option<AppName>, job: Option<JobName>, query: ListQuery) -> Tasks {
    let names = [app.as_ref().map_or("", AppName::as_str), job.as_ref().map_or("", JobName::as_str)];
    let binding = Binding::new(&["tasks", names[0], names[1], query.phase.map_or("", Phase::as_str)]);
    let after = binding.position(query.cursor.as_deref())?;
    let (filter, limit) = (Filter { job, phase: query.phase }, query.limit.0);
    let scan = serving.scan(move |store| {
        let apps = match app {
            Some(app) => vec![app],
            None => store.counters()?.into_keys().collect(),
        };
        listing::tasks(store, apps, &filter, limit, after.as_ref())
    });
    let (tasks, last) = scan.await?;
    let items = tasks.iter().map(TaskResource::from).collect();
    Ok(Json(Page { items, next: last.map(|position| binding.cursor(&position)) }))
}

/// `GET /v1/apps/{app}/tasks/{id}`.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/tasks/{id}",
    params(("app" = String, Path), ("id" = u64, Path), ShowQuery),
    responses((status = 200, description = "The task", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments((app, id)): Segments<(String, String)>,
    Params(query): Params<ShowQuery>,
) -> Result<Json<TaskResource>, Failure> {
    let task = lookup::task(&serving, &app, &id)?;
    answer(&serving, task, query).await
}

/// `GET /v1/tasks/{name}`.
#[utoipa::path(
    get,
    path = "/v1/tasks/{name}",
    params(("name" = String, Path), ShowQuery),
    responses((status = 200, description = "The task", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show_named(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    Params(query): Params<ShowQuery>,
) -> Result<Json<TaskResource>, Failure> {
    let task = lookup::task_named(&serving, &name).await?;
    answer(&serving, task, query).await
}

async fn answer(serving: &Serving, task: Task, query: ShowQuery) -> Result<Json<TaskResource>, Failure> {
    let task = match query.wait {
        Some(wait) => until_ended(serving, task, wait).await?,
        None => task,
    };
    Ok(Json(TaskResource::from(&task)))
}
