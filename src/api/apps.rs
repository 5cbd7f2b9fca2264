use std::ops::Bound;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;

use super::extract::{NoParams, Params, Segments};
use super::failure::Failure;
use super::page::{Binding, Limit};
use super::resources::{AppResource, Page, TaskResource};
use super::service::Shared;
use super::{jobs, lookup};
use crate::app::{App, Timeout};
use crate::job::JobName;
use crate::store::{Store, StoreError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// `GET /v1/apps`: by name.
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Page<AppResource>>, Failure> {
    let binding = Binding::new(&["apps"]);
    let after: Option<String> = binding.position(query.cursor.as_deref())?;
    let (config, caveats) = (serving.config(), serving.service.executor.caveats());
    let (now, limit) = (serving.service.clock.now(), query.limit);
    let scan = serving.scan(move |store| {
        let behind = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let apps = config.apps.range::<str, _>((behind, Bound::Unbounded)).take(limit.0 + 1);
        apps.map(|(_, app)| resource(app, store, &caveats, now)).collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(binding.page(scan.await?, limit, |app| app.name.clone())))
}

/// `GET /v1/apps/{app}`.
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
) -> Result<Json<AppResource>, Failure> {
    let (config, caveats) = (serving.config(), serving.service.executor.caveats());
    let app = lookup::app(&config, &name)?.clone();
    let now = serving.service.clock.now();
    Ok(Json(serving.scan(move |store| resource(&app, store, &caveats, now)).await?))
}

fn resource(app: &App, store: &Store, caveats: &[String], now: Timestamp) -> Result<AppResource, StoreError> {
    let names: Vec<JobName> = app.jobs.keys().cloned().collect();
    let (last_task, of_jobs) = lookup::last_tasks(store, &app.name, &names)?;
    let jobs = app.jobs.values().zip(of_jobs);
    Ok(AppResource {
        name: app.name.to_string(),
        image: app.image.clone(),
        path: app.path.as_ref().map(|path| path.display().to_string()),
        command: app.command.as_ref().map(ToString::to_string),
        cpu: app.resources.cpu.map(|cpu| cpu.to_string()),
        memory: app.resources.memory.map(|memory| memory.to_string()),
        disk: app.resources.disk.map(|disk| disk.to_string()),
        timeout_seconds: match app.timeout {
            Timeout::None => None,
            Timeout::After(duration) => Some(duration.as_secs()),
        },
        env: app.env.keys().cloned().collect(),
        services: app.services.iter().map(ToString::to_string).collect(),
        keep: app.retention.keep,
        state: app.state,
        jobs: jobs.map(|(job, last)| jobs::resource(app, job, last.as_ref(), now)).collect(),
        last_task: last_task.as_ref().map(TaskResource::from),
        caveats: caveats.to_vec(),
    })
}
