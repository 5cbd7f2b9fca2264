use std::ops::Bound;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;

use super::extract::{NoParams, Params, Segments};
use super::failure::Failure;
use super::page::{Binding, PageQuery};
use super::resources::{AppResource, ErrorEnvelope, Page};
use super::service::{Serving, Shared};
use super::{jobs, lookup};
use crate::app::App;
use crate::config::Config;
use crate::store::{Store, StoreError};

/// `GET /v1/apps`: by name.
#[utoipa::path(
    get,
    path = "/v1/apps",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<AppResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<PageQuery>,
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
#[utoipa::path(
    get,
    path = "/v1/apps/{app}",
    params(("app" = String, Path)),
    responses((status = 200, description = "The App", body = AppResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
) -> Result<Json<AppResource>, Failure> {
    shown(&serving, &serving.config(), &name).await.map(Json)
}

/// The App of that name as it is shown.
///
/// # Errors
/// 404 with the nearest name.
pub(super) async fn shown(serving: &Serving, config: &Config, name: &str) -> Result<AppResource, Failure> {
    let caveats = serving.service.executor.caveats();
    let app = lookup::app(config, name)?.clone();
    let now = serving.service.clock.now();
    serving.scan(move |store| resource(&app, store, &caveats, now)).await
}

fn resource(app: &App, store: &Store, caveats: &[String], now: Timestamp) -> Result<AppResource, StoreError> {
    let jobs: Vec<_> = app.jobs.values().collect();
    let (last_task, jobs) = jobs::of_one_app(store, app, &jobs, now)?;
    Ok(AppResource::new(app, jobs, last_task.as_ref(), caveats))
}
