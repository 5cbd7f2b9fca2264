//! Apps that were pushed: what they are given, what they were made of, and their end. One that stands in a file is
//! read-only here.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{Body, NoBody, NoParams, Params, Segments};
use super::failure::Failure;
use super::page::{Binding, PageQuery};
use super::resources::{
    AppResource, BindBody, DeletedAppResource, EnvBody, EnvResource, ErrorEnvelope, Page, StoredAppResource,
    as_recorded,
};
use super::service::{Serving, Shared};
use super::steer::{LONGEST_NAME, line};
use super::{apps, lookup};
use crate::app::{AppName, ServiceName};
use crate::config::{AppEdit, Config, StoredApp, StoredName};
use crate::daemon::Change;
use crate::hint::nearest;
use crate::store::Commit;

/// How long a deletion is waited for before it is said how far it is.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    /// Whether tasks that have not ended are terminated first; else they are in the way.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    force: bool,
}

/// `GET /v1/apps/{app}/env`: of any App.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/env",
    params(("app" = String, Path)),
    responses((status = 200, description = "Its variables", body = EnvResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn env(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
) -> Result<Json<EnvResource>, Failure> {
    let config = serving.config();
    let app = lookup::app(&config, &name)?;
    Ok(Json(EnvResource {
        app: app.name.to_string(),
        env: app.env.clone(),
        services: app.services.iter().map(ToString::to_string).collect(),
    }))
}

/// `POST /v1/apps/{app}/env`: in effect with the next task.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/env",
    params(("app" = String, Path)),
    request_body = EnvBody,
    responses((status = 200, description = "The App, on disk and in effect", body = AppResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn set_env(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<EnvBody>,
) -> Result<Json<AppResource>, Failure> {
    let EnvBody { set, unset, by } = body;
    edit(&serving, &app, AppEdit::Env { set, unset }, by).await
}

/// `POST /v1/apps/{app}/services`: in effect with the next task.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/services",
    params(("app" = String, Path)),
    request_body = BindBody,
    responses((status = 200, description = "The App, on disk and in effect", body = AppResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn bind(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<BindBody>,
) -> Result<Json<AppResource>, Failure> {
    let service = service(&serving.config(), &body.service)?;
    edit(&serving, &app, AppEdit::Bind(service), body.by).await
}

/// `DELETE /v1/apps/{app}/services/{service}`: in effect with the next task.
#[utoipa::path(
    delete,
    path = "/v1/apps/{app}/services/{service}",
    params(("app" = String, Path), ("service" = String, Path)),
    responses((status = 200, description = "The App, on disk and in effect", body = AppResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn unbind(
    State(serving): State<Shared>,
    Segments((app, name)): Segments<(String, String)>,
    _: NoParams,
    _: NoBody,
) -> Result<Json<AppResource>, Failure> {
    let config = serving.config();
    // One that is gone may still be named.
    let service = match name.parse::<ServiceName>() {
        Ok(name) if stored(&config, &app).is_ok_and(|app| app.binds(&name)) => name,
        _ => service(&config, &name)?,
    };
    edit(&serving, &app, AppEdit::Unbind(service), None).await
}

async fn edit(
    serving: &Serving,
    app: &str,
    edit: AppEdit,
    by: Option<String>,
) -> Result<Json<AppResource>, Failure> {
    let by = by.map(|by| line("by", by, LONGEST_NAME)).transpose()?;
    let name = lookup::any_app(&serving.config(), app)?;
    let at = serving.service.clock.now();
    let change = serving.service.reloader.change(|config| {
        let toml = edit.apply(config, &name)?;
        let before = config.stored_app(&name)?;
        let now = StoredApp { toml, by: by.or_else(|| before.by.clone()), at, ..before.clone() };
        let (mut stored, mut commit) = (config.stored.as_ref().clone(), Commit::new());
        commit.put_app(&name, &now);
        stored.apps.insert(name.clone(), now);
        Ok((Change { stored, commit, about: Some(StoredName::App(name.clone())) }, ()))
    });
    let (changed, ()) = change.await?;
    tracing::info!(app = %name, generation = changed.after.generation, "an App was changed by command");
    apps::shown(serving, &changed.after, name.as_str()).await.map(Json)
}

/// `DELETE /v1/apps/{app}`: what runs is ended first; tasks, logs, slots, jobs and revisions go with it.
#[utoipa::path(
    delete,
    path = "/v1/apps/{app}",
    params(("app" = String, Path), DeleteQuery),
    responses(
        (status = 200, description = "It is gone", body = DeletedAppResource),
        (status = 202, description = "It is on its way out, and what runs has not ended", body = DeletedAppResource),
        (status = "default", description = "Why not", body = ErrorEnvelope),
    ),
)]
pub(super) async fn remove(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    Params(query): Params<DeleteQuery>,
    _: NoBody,
) -> Result<impl IntoResponse, Failure> {
    let name = lookup::any_app(&serving.config(), &app)?;
    let _place = serving.places.wait()?;
    let removals = &serving.service.removals;
    let mut gone = removals.gone();
    removals.delete(&name, query.force).await?;
    let mut timeout = std::pin::pin!(serving.service.clock.sleep(LONGEST_WAIT));
    loop {
        // Marked as seen before looking, so that no end falls between.
        gone.borrow_and_update();
        let is_gone = !serving.config().stored.apps.contains_key(&name);
        let status = if is_gone { StatusCode::OK } else { StatusCode::ACCEPTED };
        let answer = (status, Json(DeletedAppResource { name: name.to_string(), gone: is_gone }));
        if is_gone {
            return Ok(answer);
        }
        tokio::select! {
            changed = gone.changed() => if changed.is_err() { return Ok(answer) },
            () = &mut timeout => return Ok(answer),
            () = serving.stop.cancelled() => return Ok(answer),
        }
    }
}

/// `GET /v1/stored-apps`: by name, those that rest among them.
#[utoipa::path(
    get,
    path = "/v1/stored-apps",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<StoredAppResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<StoredAppResource>>, Failure> {
    let config = serving.config();
    let binding = Binding::new(&["stored-apps"]);
    let after: Option<String> = binding.position(query.cursor.as_deref())?;
    let behind = config
        .stored
        .apps
        .iter()
        .filter(|(name, _)| after.as_deref().is_none_or(|after| name.as_str() > after));
    let apps: Vec<_> =
        behind.take(query.limit.0 + 1).map(|(name, app)| exported(&config, name, app)).collect();
    Ok(Json(binding.page(apps, query.limit, |app: &StoredAppResource| app.name.clone())))
}

fn exported(config: &Config, name: &AppName, app: &StoredApp) -> StoredAppResource {
    StoredAppResource {
        name: name.to_string(),
        toml: config.exported_app(name).unwrap_or_default(),
        current: app.current.map(|number| number.0),
        file: config.apps.get(name).filter(|app| !app.stored).map(|app| app.file.clone()),
        services: config.exported_services(app),
        by: app.by.clone(),
        changed: as_recorded(app.at),
        deleting: app.deleting,
    }
}

fn stored<'a>(config: &'a Config, name: &str) -> Result<&'a StoredApp, Failure> {
    let name = lookup::any_app(config, name)?;
    config.stored.apps.get(&name).ok_or_else(|| lookup::no_app(config, name.as_str()))
}

/// The service of that name.
///
/// # Errors
/// 404 with the nearest name.
pub(super) fn service(config: &Config, name: &str) -> Result<ServiceName, Failure> {
    let known = config.services.keys().chain(config.stored.services.keys());
    if let Some(found) = known.clone().find(|known| known.as_str() == name) {
        return Ok(found.clone());
    }
    let near = nearest(name, known.map(ToString::to_string)).map(|near| format!("did you mean `{near}`?"));
    let hint = near.unwrap_or_else(|| "`tekcron services` lists them".to_owned());
    Err(Failure::not_found(format!("the service `{name}` does not exist")).hint(hint))
}
