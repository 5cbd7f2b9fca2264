//! The OpenAPI document of the API, made from its handlers and resources.
//!
//! It is written beside the code and not derived from the router: a test holds one against the other, and
//! every answer against its schema.

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Schema};
use utoipa::{Modify, OpenApi as Described};

use super::extract::NoParams;
use super::resources::ErrorEnvelope;
use super::{
    admin, apps, backfill, health, jobs, logs, metrics, pushed, queue, revisions, run, services, slots,
    sources, status, steer, stored, tasks, terminate,
};

#[derive(Described)]
#[openapi(
    info(title = "tekcron", description = "A cron-style batch scheduler. Times are RFC 3339 UTC."),
    paths(
        health::live,
        health::ready,
        status::schedules,
        metrics::render,
        document,
        apps::list,
        apps::show,
        pushed::remove,
        pushed::env,
        pushed::set_env,
        pushed::bind,
        pushed::unbind,
        pushed::list,
        services::list,
        services::create,
        services::update,
        services::remove,
        tasks::of_app,
        run::on_app,
        tasks::show,
        logs::show,
        terminate::by_id,
        revisions::push,
        revisions::rollback,
        revisions::restage,
        revisions::list,
        revisions::show,
        jobs::list,
        jobs::show,
        tasks::of_job,
        run::of_job,
        slots::list,
        status::show,
        stored::create,
        stored::remove,
        stored::schedule,
        stored::unschedule,
        stored::list,
        steer::pause,
        steer::resume,
        steer::skip_next,
        backfill::of_job,
        backfill::rerun,
        queue::list,
        queue::front_by_id,
        queue::drop_by_id,
        queue::front_by_name,
        queue::drop_by_name,
        tasks::all,
        tasks::show_named,
        terminate::by_name,
        sources::show,
        sources::receive,
        sources::content,
        admin::reload,
        admin::rotate_token,
    ),
    modifiers(&Token, &NeverLeftOut, &Names),
    security(("token" = []))
)]
struct Document;

/// The document.
pub fn openapi() -> OpenApi {
    Document::openapi()
}

/// `GET /openapi.json`: this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses(
        (status = 200, description = "The document", body = serde_json::Value),
        (status = "default", description = "Why not", body = ErrorEnvelope),
    ),
)]
pub(super) async fn document(_: NoParams) -> Json<OpenApi> {
    Json(openapi())
}

/// What opens the routes.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.clone()));
        components.add_security_scheme("build", SecurityScheme::Http(bearer));
    }
}

/// Each operation is called by its method and path: handlers of several modules have one name.
struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in [
                ("get", &mut item.get),
                ("post", &mut item.post),
                ("put", &mut item.put),
                ("delete", &mut item.delete),
            ] {
                let words = path.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
                let name = std::iter::once(method).chain(words).collect::<Vec<_>>().join("-");
                operation.as_mut().map(|operation| operation.operation_id.replace(name));
            }
        }
    }
}

/// A field without a value is `null` in an answer; only a request may leave one out.
struct NeverLeftOut;

impl Modify for NeverLeftOut {
    fn modify(&self, document: &mut OpenApi) {
        let schemas = &mut document.components.get_or_insert_default().schemas;
        for (_, schema) in
            schemas.iter_mut().filter(|(name, _)| !name.ends_with("Body") || name.as_str() == "ErrorBody")
        {
            if let RefOr::T(Schema::Object(object)) = schema {
                object.required = object.properties.keys().cloned().collect();
            }
        }
    }
}
