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
use super::service::{Serving, Shared};
use crate::app::App;
use crate::job::{Job, JobName, JobRef, Steering};
use crate::store::{Store, StoreError};
use crate::task::Task;

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
            .map(|of_app| {
                let of_this: Vec<&Job> = of_app.iter().map(|(_, job)| *job).collect();
                of_app.first().map_or(Ok(Vec::new()), |(app, _)| Ok(of_one_app(store, app, &of_this, now)?.1))
            })
            .collect::<Result<Vec<_>, StoreError>>()
    });
    let jobs = scan.await?.concat();
    Ok(Json(binding.page(jobs, limit, |job| (job.app.clone(), bare(job)))))
}

fn bare(job: &JobResource) -> String {
    job.name.strip_prefix(&format!("{}.", job.app)).unwrap_or(&job.name).to_owned()
}

/// Jobs of one App as they are shown, and the App's last task.
pub(super) fn of_one_app(
    store: &Store,
    app: &App,
    jobs: &[&Job],
    now: Timestamp,
) -> Result<(Option<Task>, Vec<JobResource>), StoreError> {
    let names: Vec<JobName> = jobs.iter().map(|job| job.name.clone()).collect();
    let (last_task, of_jobs) = lookup::last_tasks(store, &app.name, &names)?;
    let shown = jobs.iter().zip(of_jobs).map(|(job, last)| {
        let steering = store.steering(&JobRef::of(app, job))?;
        Ok(JobResource::new(app, job, &steering, last.as_ref(), now))
    });
    Ok((last_task, shown.collect::<Result<_, StoreError>>()?))
}

/// One job as it is shown.
pub(super) async fn shown(
    serving: &Serving,
    app: &App,
    job: &Job,
    steering: &Steering,
) -> Result<JobResource, Failure> {
    let (name, names) = (app.name.clone(), [job.name.clone()]);
    let (_, last) = serving.scan(move |store| lookup::last_tasks(store, &name, &names)).await?;
    let last = last.into_iter().flatten().next();
    Ok(JobResource::new(app, job, steering, last.as_ref(), serving.service.clock.now()))
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
    let steering = serving.service.store.steering(&JobRef::of(app, job))?;
    Ok(Json(shown(&serving, app, job, &steering).await?))
}
