//! Services that Apps bind. One that stands in a file is read-only here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::extract::{Body, NoBody, NoParams, Params, Segments};
use super::failure::Failure;
use super::page::{Binding, PageQuery};
use super::pushed;
use super::resources::{ErrorEnvelope, Page, ServiceBody, ServiceResource, as_recorded};
use super::service::Shared;
use super::steer::{LONGEST_NAME, line};
use crate::app::{CredentialSource, ServiceName};
use crate::config::{Config, service_name};
use crate::daemon::Credentials;

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
    // Who reads a body quotes what is of another type.
    if body.credentials.as_ref().is_some_and(|credentials| !credentials.is_object()) {
        return Err(Failure::bad_request("`credentials`: expected an object, found something else"));
    }
    let given = [
        body.credentials.map(|credentials| Credentials::Given(credentials.to_string().into())),
        body.secret.map(Credentials::Secret),
    ];
    let mut given: Vec<_> = given.into_iter().flatten().collect();
    let (Some(credentials), true) = (given.pop(), given.is_empty()) else {
        let text = "expected either `credentials` or `secret`";
        return Err(Failure::bad_request(text));
    };
    let now = serving.service.clock.now();
    let reloader = &serving.service.reloader;
    let changed = reloader.create_service(&name, (body.label, body.tags), credentials, (by, now)).await?;
    let service = shown(&changed.after, &name).ok_or_else(Failure::stopping)?;
    Ok((StatusCode::CREATED, Json(service)))
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
