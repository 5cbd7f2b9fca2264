//! Services that Apps bind. One that stands in a file is read-only here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;

use super::extract::{Body, NoBody, NoParams, Params, Segments};
use super::failure::Failure;
use super::page::{Binding, PageQuery};
use super::pushed;
use super::resources::{ErrorEnvelope, Page, ServiceBody, ServiceEditBody, ServiceResource, as_recorded};
use super::service::Shared;
use super::steer::{LONGEST_NAME, line};
use crate::app::{CredentialSource, ServiceName};
use crate::config::{Config, service_name};
use crate::daemon::Credentials;

const ONE_OF: &str = "expected either `credentials` or `secret`";

/// `GET /v1/services`: by name.
#[utoipa::path(
    get,
    path = "/v1/services",
    params(PageQuery),
    responses((status = 200, description = "A page", body = Page<ServiceResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<ServiceResource>>, Failure> {
    let config = serving.config();
    let binding = Binding::new(&["services"]);
    let after: Option<String> = binding.position(query.cursor.as_deref())?;
    let behind =
        config.services.keys().filter(|name| after.as_deref().is_none_or(|after| name.as_str() > after));
    let services: Vec<_> = behind.take(query.limit.0 + 1).filter_map(|name| shown(&config, name)).collect();
    Ok(Json(binding.page(services, query.limit, |service: &ServiceResource| service.name.clone())))
}

/// `POST /v1/services`.
#[utoipa::path(
    post,
    path = "/v1/services",
    request_body = ServiceBody,
    responses((status = 201, description = "The service, on disk", body = ServiceResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn create(
    State(serving): State<Shared>,
    _: NoParams,
    Body(body, _place): Body<ServiceBody>,
) -> Result<impl IntoResponse, Failure> {
    let by = body.by.map(|by| line("by", by, LONGEST_NAME)).transpose()?;
    let name = service_name(&body.name).map_err(Failure::bad_request)?;
    let Some(credentials) = given(body.credentials, body.secret)? else {
        return Err(Failure::bad_request(ONE_OF));
    };
    let now = serving.service.clock.now();
    let reloader = &serving.service.reloader;
    let changed = reloader.create_service(&name, (body.label, body.tags), credentials, (by, now)).await?;
    let service = shown(&changed.after, &name).ok_or_else(Failure::stopping)?;
    Ok((StatusCode::CREATED, Json(service)))
}

/// `POST /v1/services/{name}`: for the next tasks of the Apps that bind it.
#[utoipa::path(
    post,
    path = "/v1/services/{name}",
    params(("name" = String, Path)),
    request_body = ServiceEditBody,
    responses((status = 200, description = "The service, on disk", body = ServiceResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn update(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<ServiceEditBody>,
) -> Result<Json<ServiceResource>, Failure> {
    let name = pushed::service(&serving.config(), &name)?;
    let credentials = given(body.credentials, body.secret)?;
    if credentials.is_none() && body.label.is_none() && body.tags.is_none() {
        return Err(Failure::bad_request(
            "expected `credentials`, `secret`, `label` or `tags`, found none of them",
        ));
    }
    let what = (body.label, body.tags);
    let changed = serving.service.reloader.update_service(&name, what, credentials).await?;
    shown(&changed.after, &name).map(Json).ok_or_else(Failure::stopping)
}

/// The credentials that a body gives, if any.
fn given(credentials: Option<Value>, secret: Option<String>) -> Result<Option<Credentials>, Failure> {
    match (credentials, secret) {
        (Some(_), Some(_)) => Err(Failure::bad_request(ONE_OF)),
        // Who reads a body quotes what is of another type.
        (Some(credentials), None) if !credentials.is_object() => {
            Err(Failure::bad_request("`credentials`: expected an object, found something else"))
        }
        (Some(credentials), None) => Ok(Some(Credentials::Given(credentials.to_string().into()))),
        (None, secret) => Ok(secret.map(Credentials::Secret)),
    }
}

/// `DELETE /v1/services/{name}`: its credentials go with it.
#[utoipa::path(
    delete,
    path = "/v1/services/{name}",
    params(("name" = String, Path)),
    responses((status = 200, description = "The service as it was; it is gone", body = ServiceResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn remove(
    State(serving): State<Shared>,
    Segments(name): Segments<String>,
    _: NoParams,
    _: NoBody,
) -> Result<Json<ServiceResource>, Failure> {
    let name = pushed::service(&serving.config(), &name)?;
    let changed = serving.service.reloader.delete_service(&name).await?;
    let mut service = shown(&changed.before, &name).unwrap_or_else(|| resting(&name));
    // That of a file stays where it is, and what is gone is the other.
    service.stored = true;
    Ok(Json(service))
}

fn resting(name: &ServiceName) -> ServiceResource {
    let (label, place, credentials) = Default::default();
    let (tags, apps) = Default::default();
    let (by, created) = Default::default();
    ServiceResource {
        name: name.to_string(),
        label,
        tags,
        credentials,
        place,
        apps,
        stored: true,
        by,
        created,
    }
}

fn shown(config: &Config, name: &ServiceName) -> Option<ServiceResource> {
    let service = config.services.get(name)?;
    let (credentials, place) = match &service.credentials {
        CredentialSource::Env(variable) => ("env", variable.clone()),
        CredentialSource::File(path) => ("file", path.display().to_string()),
        CredentialSource::Secret(secret) => ("secret", secret.clone()),
    };
    let bound = config.apps.values().filter(|app| app.services.contains(name));
    let stored = config.stored.services.get(name).filter(|_| service.stored);
    Some(ServiceResource {
        name: name.to_string(),
        label: service.label.clone(),
        tags: service.tags.clone(),
        credentials: credentials.to_owned(),
        place,
        apps: bound.map(|app| app.name.to_string()).collect(),
        stored: service.stored,
        by: stored.and_then(|stored| stored.by.clone()),
        created: stored.map(|stored| as_recorded(stored.at)),
    })
}
