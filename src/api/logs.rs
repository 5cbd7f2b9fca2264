use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::bounds::Place;
use super::extract::{Params, Segments};
use super::failure::Failure;
use super::lookup;
use super::resources::ErrorEnvelope;
use super::service::{Serving, Shared};
use crate::executor::LogQuery;
use crate::task::{Phase, Task};

/// How often it is looked whether a task has reached the executor.
const LOOK: Duration = Duration::from_millis(200);

/// The most lines that can be asked for.
const LONGEST_TAIL: usize = 1_000_000_000;

/// Says that a log was there, and is no more.
const REMOVED: &str = "tekcron-log";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// The last so many lines.
    #[param(value_type = Option<u32>, maximum = 1_000_000_000)]
    tail: Option<Tail>,
    /// Go on until the task has ended.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    follow: Switch,
    /// Time and stream before each line.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    timestamps: Switch,
}

#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct Switch(bool);

impl TryFrom<String> for Switch {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("expected `true` or `false`, found `{text}`"))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Tail(usize);

impl TryFrom<String> for Tail {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(lines) if lines <= LONGEST_TAIL => Ok(Self(lines)),
            _ => Err(format!("expected a number of lines, found `{text}`")),
        }
    }
}

/// `GET /v1/apps/{app}/tasks/{id}/logs`.
#[utoipa::path(
    get,
    path = "/v1/apps/{app}/tasks/{id}/logs",
    params(("app" = String, Path), ("id" = u64, Path), Query),
    responses((status = 200, description = "The log", body = String, content_type = "text/plain"), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments((app, id)): Segments<(String, String)>,
    Params(query): Params<Query>,
) -> Result<Response, Failure> {
    let task = lookup::task(&serving, &app, &id)?;
    let query = LogQuery {
        tail: query.tail.map(|tail| tail.0),
        follow: query.follow.0,
        timestamps: query.timestamps.0,
    };
    let removed = task.phase.is_terminal() && task.log.kept == 0 && task.log.cut > 0;
    let body = match (query.follow, has_reached_executor(&task)) {
        (false, false) => Body::empty(),
        (false, true) => Body::from_stream(serving.service.executor.logs(&task.name, query).await?),
        (true, _) => followed(Arc::clone(&serving), task, query, serving.places.wait()?),
    };
    let mut response = ([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response();
    if removed {
        response.headers_mut().insert(REMOVED, axum::http::HeaderValue::from_static("removed"));
    }
    Ok(response)
}

fn has_reached_executor(task: &Task) -> bool {
    task.phase > Phase::Pending
}

/// The log from when the task has reached the executor until it has ended. A service that stops breaks it off.
fn followed(serving: Shared, task: Task, query: LogQuery, place: Place) -> Body {
    let (stop, stopping) = (serving.stop.clone().cancelled_owned(), serving.stop.clone());
    let opened = stream::once(async move {
        let task = reached(&serving, task).await?;
        serving.service.executor.logs(&task.name, query).await.map_err(io::Error::other)
    });
    let log = opened.try_flatten().inspect_err(|error| {
        tracing::warn!(%error, "a log could not be followed");
    });
    // Broken off rather than ended: who follows it can tell, and goes on at the next service.
    let cut = stream::once(async move {
        drop(place);
        stopping.is_cancelled().then(|| Err(io::Error::other("the service is stopping")))
    });
    Body::from_stream(log.take_until(stop).chain(cut.filter_map(futures::future::ready)))
}

async fn reached(serving: &Serving, mut task: Task) -> io::Result<Task> {
    let service = &serving.service;
    while !has_reached_executor(&task) {
        service.clock.sleep(LOOK).await;
        let found = service.store.task(&task.app, task.id).map_err(io::Error::other)?;
        task = found.ok_or_else(|| io::Error::other("the task was removed"))?;
    }
    Ok(task)
}
