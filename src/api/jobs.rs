use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{NoParams, Params, Segments};
use super::failure::Failure;
use super::lookup;
use super::page::{Binding, Limit};
use super::resources::{ErrorEnvelope, JobResource, Page};
use super::service::Shared;
use crate::app::App;
use crate::job::{Job, JobName, JobRef};
use crate::store::{Store, StoreError};

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

/// `GET /v1/jobs`: by App and name.
#[utoipa::path(
    get,
    path = "/v1/jobs",
    params(ListQuery),
    responses((status = 200, description = "A page", body = Page<JobResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Page<JobResource>>, Failure> {
    let config = serving.config();
    let only = query.app.as_deref().map(|app| lookup::app(&config, app)).transpose()?;
    let only = only.map(|app| app.name.clone());
    let binding = Binding::new(&["jobs", only.as_ref().map_or("", |app| app.as_str())]);
    let after: Option<(String, String)> = binding.position(query.cursor.as_deref())?;
    let (now, limit) = (serving.service.clock.now(), query.limit);
    let scan = serving.scan(move |store| {
        let behind = |app: &App, job: &Job| {
            let place = (app.name.as_str(), job.name.as_str());
            after.as_ref().is_none_or(|(app, job)| place > (app.as_str(), job.as_str()))
        };
        let jobs = config.jobs().filter(|(app, _)| only.as_ref().is_none_or(|only| app.name == *only));
        let jobs: Vec<_> = jobs.filter(|(app, job)| behind(app, job)).take(limit.0 + 1).collect();
        jobs.chunk_by(|(a, _), (b, _)| a.name == b.name)
            .map(|of_app| of_one_app(store, of_app.iter().map(|(app, job)| (app.as_ref(), *job)), now))
            .collect::<Result<Vec<_>, _>>()
    });
    let jobs = scan.await?.concat();
    Ok(Json(binding.page(jobs, limit, |job| (job.app.clone(), bare(job)))))
}

fn bare(job: &JobResource) -> String {
    job.name.strip_prefix(&format!("{}.", job.app)).unwrap_or(&job.name).to_owned()
}

fn of_one_app<'a>(
    store: &Store,
    jobs: impl Iterator<Item = (&'a App, &'a Job)>,
    now: Timestamp,
) -> Result<Vec<JobResource>, StoreError> {
    let jobs: Vec<_> = jobs.collect();
    let Some((app, _)) = jobs.first() else { return Ok(Vec::new()) };
    let names: Vec<JobName> = jobs.iter().map(|(_, job)| job.name.clone()).collect();
    let (_, last) = lookup::last_tasks(store, &app.name, &names)?;
    let shown = jobs.iter().zip(last).map(|((app, job), last)| {
        let steering = store.steering(&JobRef::of(app, job))?;
        Ok(JobResource::new(app, job, last.as_ref(), now).steered(app, job, &steering, now))
    });
    shown.collect()
}

/// `GET /v1/jobs/{job}`.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job}",
    params(("job" = String, Path)),
    responses((status = 200, description = "The job", body = JobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
) -> Result<Json<JobResource>, Failure> {
    let config = serving.config();
    let (app, job) = lookup::job(&config, &job)?;
    let (name, names) = (app.name.clone(), [job.name.clone()]);
    let (_, last) = serving.scan(move |store| lookup::last_tasks(store, &name, &names)).await?;
    let (last, now) = (last.into_iter().flatten().next(), serving.service.clock.now());
    let steering = serving.service.store.steering(&JobRef::of(app, job))?;
    Ok(Json(JobResource::new(app, job, last.as_ref(), now).steered(app, job, &steering, now)))
}
