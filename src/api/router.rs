//! Every route, in one list, and what each request passes through.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::bounds::{Bounds, Places};
use super::failure::{Code, Failure};
use super::service::{Service, Serving, Shared};
use super::{
    admin, apps, auth, backfill, connections, guard, health, jobs, logs, metrics, observe, openapi, pushed,
    queue, revisions, run, services, slots, sources, status, steer, stored, tasks, terminate,
};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, as long as there is no query.
    Open,
    /// Whoever has the token.
    Token,
    /// A build that has a token of its own, which opens one source once. The service's own is none here.
    Build,
}

struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    handler: fn() -> MethodRouter<Shared>,
}

const fn open(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: Method::GET, path, access: Access::Open, handler }
}

const fn read(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: Method::GET, path, access: Access::Token, handler }
}

const fn fetch(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: Method::GET, path, access: Access::Build, handler }
}

const fn act(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: Method::POST, path, access: Access::Token, handler }
}

const fn remove(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: Method::DELETE, path, access: Access::Token, handler }
}

const fn put_to(path: &'static str, handler: fn() -> MethodRouter<Shared>) -> Route {
    Route { method: Method::PUT, path, access: Access::Token, handler }
}

const ROUTES: &[Route] = &[
    open("/livez", || get(health::live)),
    open("/readyz", || get(health::ready)),
    open("/healthz/schedules", || get(status::schedules)),
    read("/metrics", || get(metrics::render)),
    read("/openapi.json", || get(openapi::document)),
    read("/v1/apps", || get(apps::list)),
    read("/v1/apps/{app}", || get(apps::show)),
    remove("/v1/apps/{app}", || delete(pushed::remove)),
    read("/v1/apps/{app}/env", || get(pushed::env)),
    act("/v1/apps/{app}/env", || post(pushed::set_env)),
    act("/v1/apps/{app}/services", || post(pushed::bind)),
    remove("/v1/apps/{app}/services/{service}", || delete(pushed::unbind)),
    read("/v1/stored-apps", || get(pushed::list)),
    read("/v1/services", || get(services::list)),
    act("/v1/services", || post(services::create)),
    act("/v1/services/{name}", || post(services::update)),
    remove("/v1/services/{name}", || delete(services::remove)),
    read("/v1/apps/{app}/tasks", || get(tasks::of_app)),
    act("/v1/apps/{app}/tasks", || post(run::on_app)),
    read("/v1/apps/{app}/tasks/{id}", || get(tasks::show)),
    read("/v1/apps/{app}/tasks/{id}/logs", || get(logs::show)),
    act("/v1/apps/{app}/tasks/{id}/terminate", || post(terminate::by_id)),
    act("/v1/apps/{app}/push", || post(revisions::push)),
    act("/v1/apps/{app}/rollback", || post(revisions::rollback)),
    act("/v1/apps/{app}/restage", || post(revisions::restage)),
    read("/v1/apps/{app}/revisions", || get(revisions::list)),
    read("/v1/apps/{app}/revisions/{number}", || get(revisions::show)),
    act("/v1/apps/{app}/jobs", || post(stored::create)),
    read("/v1/jobs", || get(jobs::list)),
    read("/v1/jobs/{job}", || get(jobs::show)),
    remove("/v1/jobs/{job}", || delete(stored::remove)),
    act("/v1/jobs/{job}/schedules", || post(stored::schedule)),
    remove("/v1/jobs/{job}/schedules/{schedule}", || delete(stored::unschedule)),
    read("/v1/jobs/{job}/tasks", || get(tasks::of_job)),
    act("/v1/jobs/{job}/tasks", || post(run::of_job)),
    read("/v1/jobs/{job}/slots", || get(slots::list)),
    read("/v1/status", || get(status::show)),
    read("/v1/stored-jobs", || get(stored::list)),
    act("/v1/jobs/{job}/pause", || post(steer::pause)),
    act("/v1/jobs/{job}/resume", || post(steer::resume)),
    act("/v1/jobs/{job}/skip-next", || post(steer::skip_next)),
    act("/v1/jobs/{job}/backfill", || post(backfill::of_job)),
    act("/v1/apps/{app}/tasks/{id}/rerun", || post(backfill::rerun)),
    read("/v1/queue", || get(queue::list)),
    act("/v1/apps/{app}/tasks/{id}/front", || post(queue::front_by_id)),
    act("/v1/apps/{app}/tasks/{id}/drop", || post(queue::drop_by_id)),
    act("/v1/tasks/{name}/front", || post(queue::front_by_name)),
    act("/v1/tasks/{name}/drop", || post(queue::drop_by_name)),
    read("/v1/tasks", || get(tasks::all)),
    read("/v1/tasks/{name}", || get(tasks::show_named)),
    act("/v1/tasks/{name}/terminate", || post(terminate::by_name)),
    read("/v1/sources/{hash}", || get(sources::show)),
    put_to("/v1/sources/{hash}", || put(sources::receive)),
    fetch("/v1/sources/{hash}/content", || get(sources::content)),
    act("/v1/reload", || post(admin::reload)),
    act("/v1/token/rotate", || post(admin::rotate_token)),
];

/// Every route: method, path with its variable segments in braces, and who may ask.
pub fn routes() -> impl Iterator<Item = (Method, &'static str, Access)> {
    ROUTES.iter().map(|route| (route.method.clone(), route.path, route.access))
}

/// Whether this is answered to everybody. `HEAD` goes where `GET` goes.
pub(super) fn is_open(method: &Method, path: &str) -> bool {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    ROUTES.iter().any(|route| route.access == Access::Open && route.method == method && route.path == path)
}

/// Whether whoever answers this looks at the token itself.
pub(super) fn is_for_builds(method: &Method, path: &str) -> bool {
    let is_of = |route: &&Route| {
        let (wanted, found) = (route.path.split('/'), path.split('/'));
        wanted.clone().count() == found.clone().count()
            && wanted.zip(found).all(|(wanted, found)| wanted == found || wanted.starts_with('{'))
    };
    ROUTES.iter().any(|route| route.access == Access::Build && route.method == method && is_of(&route))
}

/// The API of `service`, reached at `listen`. What waits for something ends when `stop` is cancelled.
pub fn router(service: Service, listen: SocketAddr, stop: CancellationToken) -> Router {
    let bounds = Bounds::of_this_process();
    let serving: Shared = Arc::new(Serving { service, listen, bounds, places: Places::within(bounds), stop });
    let router = of(ROUTES.iter());
    let state = || Arc::clone(&serving);
    // The last one is passed first.
    let guarded = router
        .layer(from_fn_with_state(state(), auth::authenticate))
        .layer(from_fn_with_state(state(), guard::guard))
        .layer(from_fn_with_state(state(), connections::refuse_crowd));
    outermost(guarded, serving)
}

/// The open routes of `service` alone, each without a query, for whoever asks and by whatever name.
pub fn probes(service: Service, listen: SocketAddr, stop: CancellationToken) -> Router {
    let bounds = Bounds::of_probes();
    let serving: Shared = Arc::new(Serving { service, listen, bounds, places: Places::within(bounds), stop });
    let open = of(ROUTES.iter().filter(|route| route.access == Access::Open));
    outermost(open.layer(from_fn(bare)), serving)
}

fn of<'a>(routes: impl Iterator<Item = &'a Route>) -> Router<Shared> {
    let router = routes.fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    router.fallback(no_route).method_not_allowed_fallback(no_method)
}

/// What every answer passes through, whoever asked.
fn outermost(router: Router<Shared>, serving: Shared) -> Router {
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(from_fn_with_state(Arc::clone(&serving), observe::observe))
        .with_state(serving)
}

/// What a query adds to an open route is for those who have the token.
async fn bare(request: Request, next: Next) -> Response {
    match request.uri().query() {
        None => next.run(request).await,
        Some(_) => no_route(request.uri().clone()).await.into_response(),
    }
}

async fn no_route(uri: axum::http::Uri) -> Failure {
    let hint = "the routes are listed in `docs/api.md`".to_owned();
    Failure::not_found(format!("there is no `{}`", uri.path())).hint(hint)
}

async fn no_method(method: Method, uri: axum::http::Uri) -> Failure {
    Failure::new(Code::MethodNotAllowed, format!("`{}` does not take `{method}`", uri.path()))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
    tracing::error!(panic = text, "a request panicked");
    let hint = "this is a defect of tekcron; its log says more".to_owned();
    Failure::new(Code::Internal, "the request failed").hint(hint).into_response()
}
