//! Revisions of Apps that are pushed: made, listed, waited for.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{Body, NoParams, Params, Segments};
use super::failure::Failure;
use super::lookup;
use super::page::{Binding, PageQuery};
use super::resources::{
    ErrorEnvelope, Page, PushBody, RestageBody, RevisionResource, RevisionWord, RollbackBody,
};
use super::service::{Serving, Shared};
use super::steer::{LONGEST_NAME, line};
use super::wait::Wait;
use crate::app::AppName;
use crate::config::{AppPush, Code, NewRevision, RevisionEdit};
use crate::push::{PushError, RevisionNumber};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    /// Answered when it is no longer being built, or after so many seconds as it is.
    #[param(value_type = Option<u32>, maximum = 60)]
    wait: Option<Wait>,
}

/// `POST /v1/apps/{app}/push`: an App that is not there is made.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/push",
    params(("app" = String, Path)),
    request_body = PushBody,
    responses(
        (status = 200, description = "The revision that it would be", body = RevisionResource),
        (status = 202, description = "The revision, on disk; `state` says how far it is", body = RevisionResource),
        (status = "default", description = "Why not", body = ErrorEnvelope),
    ),
)]
pub(super) async fn push(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<PushBody>,
) -> Result<impl IntoResponse, Failure> {
    let app: AppName = app.parse().map_err(|error| Failure::bad_request(format!("App `{app}`: {error}")))?;
    let PushBody { source, image, app: keys, build, by, dry_run } = body;
    let code = match (source, image) {
        (Some(source), None) => {
            Code::Source(source.parse().map_err(|error| Failure::bad_request(format!("`source`: {error}")))?)
        }
        (None, Some(image)) => Code::Image(image),
        (source, _) => {
            let found = if source.is_some() { "both" } else { "neither" };
            return Err(Failure::bad_request(format!("expected a `source` or an `image`, found {found}")));
        }
    };
    let edit = RevisionEdit::Push(AppPush { code, app: keys, build, by: named_by(by)? });
    if dry_run {
        let made = serving.service.pushes.try_out(&app, edit).map_err(PushError::from)?;
        return Ok((StatusCode::OK, Json(resource(&app, &made))).into_response());
    }
    Ok(made(&serving, app, edit).await?.into_response())
}

/// `POST /v1/apps/{app}/rollback`: a new revision with the code and the command of an earlier one.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/rollback",
    params(("app" = String, Path)),
    request_body = RollbackBody,
    responses((status = 202, description = "The revision, on disk and in effect", body = RevisionResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn rollback(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<RollbackBody>,
) -> Result<impl IntoResponse, Failure> {
    let app = lookup::any_app(&serving.config(), &app)?;
    let number = body.revision.ok_or_else(|| Failure::bad_request("expected a `revision`, found none"))?;
    let edit = RevisionEdit::Rollback { to: RevisionNumber(number), by: named_by(body.by)? };
    made(&serving, app, edit).await
}

/// `POST /v1/apps/{app}/restage`: a new revision of the current one's source, built anew.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/restage",
    params(("app" = String, Path)),
    request_body(content = Option<RestageBody>, description = "May be empty."),
    responses((status = 202, description = "The revision, on disk; `state` says how far it is", body = RevisionResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn restage(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<RestageBody>,
) -> Result<impl IntoResponse, Failure> {
    let app = lookup::any_app(&serving.config(), &app)?;
    made(&serving, app, RevisionEdit::Restage { by: named_by(body.by)? }).await
}

async fn made(
    serving: &Serving,
    app: AppName,
    edit: RevisionEdit,
) -> Result<impl IntoResponse + use<>, Failure> {
    let made = serving.service.pushes.edit(&app, edit).await?;
    let location = format!("/v1/apps/{app}/revisions/{}", made.revision.number);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(resource(&app, &made))))
}

fn resource(app: &AppName, made: &NewRevision) -> RevisionResource {
    let warnings = made.warnings.iter().map(|warning| format!("{}\nhint: {}", warning.message, warning.hint));
    RevisionResource {
        warnings: warnings.collect(),
        ..RevisionResource::new(app, &made.revision, made.app.current)
    }
}

/// `GET /v1/apps/{app}/revisions`: newest first.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/revisions",
    params(("app" = String, Path), PageQuery),
    responses((status = 200, description = "A page", body = Page<RevisionResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<RevisionResource>>, Failure> {
    let config = serving.config();
    let app = lookup::any_app(&config, &app)?;
    let binding = Binding::new(&["revisions", app.as_str()]);
    let before: Option<u32> = binding.position(query.cursor.as_deref())?;
    let current = config.stored.apps.get(&app).and_then(|app| app.current);
    let all = config.stored.revisions.get(&app).into_iter().flat_map(|all| all.values().rev());
    let behind = all.filter(|revision| before.is_none_or(|before| revision.number.0 < before));
    let revisions: Vec<_> = behind
        .take(query.limit.0 + 1)
        .map(|revision| RevisionResource::new(&app, revision, current))
        .collect();
    Ok(Json(binding.page(revisions, query.limit, |revision: &RevisionResource| revision.number)))
}

/// `GET /v1/apps/{app}/revisions/{number}`.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/revisions/{number}",
    params(("app" = String, Path), ("number" = u32, Path), ShowQuery),
    responses((status = 200, description = "The revision", body = RevisionResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments((app, number)): Segments<(String, String)>,
    Params(query): Params<ShowQuery>,
) -> Result<Json<RevisionResource>, Failure> {
    let app = lookup::any_app(&serving.config(), &app)?;
    let number = number
        .parse()
        .map_err(|_| Failure::bad_request(format!("expected the number of a revision, found `{number}`")))?;
    let Some(wait) = query.wait else { return found(&serving, &app, number).map(Json) };
    let _place = serving.places.wait()?;
    let mut changed = serving.service.pushes.changed();
    let mut timeout = std::pin::pin!(serving.service.clock.sleep(wait.0));
    loop {
        // Marked as seen before looking, so that no end falls between.
        changed.borrow_and_update();
        let found = found(&serving, &app, number)?;
        if found.state != RevisionWord::Building {
            return Ok(Json(found));
        }
        tokio::select! {
            changed = changed.changed() => if changed.is_err() { return Ok(Json(found)) },
            () = &mut timeout => return Ok(Json(found)),
            () = serving.stop.cancelled() => return Ok(Json(found)),
        }
    }
}

fn found(serving: &Serving, app: &AppName, number: RevisionNumber) -> Result<RevisionResource, Failure> {
    let config = serving.config();
    let current = config.stored.apps.get(app).and_then(|app| app.current);
    let revision = config.stored.revisions.get(app).and_then(|revisions| revisions.get(&number));
    let revision = revision.ok_or_else(|| {
        let text = format!("App `{app}` has no revision {number}");
        Failure::not_found(text).hint(format!("`tekcron app {app}` lists those that there are"))
    })?;
    Ok(RevisionResource::new(app, revision, current))
}

fn named_by(by: Option<String>) -> Result<Option<String>, Failure> {
    by.map(|by| line("by", by, LONGEST_NAME)).transpose()
}
