//! Jobs that are created by command. A job that stands in a file is read-only here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use super::extract::{Body, NoBody, NoParams, Params, Segments};
use super::failure::Failure;
use super::page::{Binding, PageQuery};
use super::resources::{ErrorEnvelope, JobResource, Page, StoredJobResource};
use super::service::{Serving, Shared};
use super::{jobs, lookup};
use crate::config::{Config, JobEdit};
use crate::job::JobRef;
use crate::schedule::ScheduleKey;

/// `POST /v1/apps/{app}/jobs`: a new job, in the keys of a `[[jobs]]` table.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/jobs",
    params(("app" = String, Path)),
    request_body(content = serde_json::Map<String, Value>, description = "As a `[[jobs]]` table of an App file; `tekcron schema` prints its schema."),
    responses((status = 201, description = "The job, on disk and in effect", body = JobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn create(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    Body(job, _place): Body<Map<String, Value>>,
) -> Result<impl IntoResponse, Failure> {
    let app = lookup::app(&serving.config(), &app)?.name.clone();
    created(&serving, JobEdit::Create(app, job)).await
}

/// `POST /v1/jobs/{job}/schedules`: one schedule more, in the keys of an item of `schedules`.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job}/schedules",
    params(("job" = String, Path)),
    request_body(content = serde_json::Map<String, Value>, description = "As an item of `schedules` in an App file."),
    responses((status = 201, description = "The job, on disk and in effect", body = JobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn schedule(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    Body(schedule, _place): Body<Map<String, Value>>,
) -> Result<impl IntoResponse, Failure> {
    let job = named(&serving.config(), &job)?;
    created(&serving, JobEdit::Schedule(job, schedule)).await
}

async fn created(serving: &Serving, edit: JobEdit) -> Result<impl IntoResponse + use<>, Failure> {
    let (changed, job) = serving.service.reloader.edit(edit).await?;
    let location = format!("/v1/jobs/{job}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(shown(serving, &changed.after, &job).await?)))
}

/// `DELETE /v1/jobs/{job}`: its running tasks go on, and its history stays.
#[utoipa::path(
    delete,
    path = "/v1/jobs/{job}",
    params(("job" = String, Path)),
    responses((status = 200, description = "The job as it was; it is gone", body = StoredJobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn remove(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    _: NoBody,
) -> Result<Json<StoredJobResource>, Failure> {
    let job = named(&serving.config(), &job)?;
    let (changed, job) = serving.service.reloader.edit(JobEdit::Delete(job)).await?;
    Ok(Json(stored(&changed.before, &job)))
}

/// `DELETE /v1/jobs/{job}/schedules/{schedule}`.
#[utoipa::path(
    delete,
    path = "/v1/jobs/{job}/schedules/{schedule}",
    params(("job" = String, Path), ("schedule" = String, Path, description = "Its key")),
    responses((status = 200, description = "The job without it", body = JobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn unschedule(
    State(serving): State<Shared>,
    Segments((job, schedule)): Segments<(String, String)>,
    _: NoParams,
    _: NoBody,
) -> Result<Json<JobResource>, Failure> {
    let job = named(&serving.config(), &job)?;
    let key: ScheduleKey = schedule.parse().map_err(Failure::bad_request)?;
    let (changed, job) = serving.service.reloader.edit(JobEdit::Unschedule(job, key)).await?;
    Ok(Json(shown(&serving, &changed.after, &job).await?))
}

/// `GET /v1/stored-jobs`: by App and name, those that rest among them.
#[utoipa::path(
    get,
    path = "/v1/stored-jobs",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<StoredJobResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<StoredJobResource>>, Failure> {
    let config = serving.config();
    let binding = Binding::new(&["stored-jobs"]);
    let after: Option<String> = binding.position(query.cursor.as_deref())?;
    let after = after.map(|name| name.parse::<JobRef>().map_err(Failure::bad_request)).transpose()?;
    let behind = config.stored.jobs.keys().filter(|job| after.as_ref().is_none_or(|after| *job > after));
    let jobs: Vec<_> = behind.take(query.limit.0 + 1).map(|job| stored(&config, job)).collect();
    Ok(Json(binding.page(jobs, query.limit, |job: &StoredJobResource| job.name.clone())))
}

/// The job of that name: a stored one though it rests, else as everywhere.
fn named(config: &Config, name: &str) -> Result<JobRef, Failure> {
    if let Some(job) = name.parse::<JobRef>().ok().filter(|job| config.stored.jobs.contains_key(job)) {
        return Ok(job);
    }
    lookup::job(config, name).map(|(app, job)| JobRef::of(app, job))
}

fn stored(config: &Config, job: &JobRef) -> StoredJobResource {
    StoredJobResource {
        name: job.to_string(),
        app: job.app.to_string(),
        file: config.apps.get(&job.app).map(|app| app.file.clone()),
        runs: config.job(job).is_some_and(|(_, job)| job.stored),
        toml: config.stored.jobs.get(job).map(|job| job.toml().to_owned()).unwrap_or_default(),
    }
}

async fn shown(serving: &Serving, config: &Config, job: &JobRef) -> Result<JobResource, Failure> {
    let (app, found) = config.job(job).ok_or_else(Failure::stopping)?;
    let steering = serving.service.store.steering(job)?;
    jobs::shown(serving, app, found, &steering).await
}
