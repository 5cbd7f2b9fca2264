//! Path, query and body of a request, with refusals in our own envelope.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::body;
use super::bounds::Place;
use super::failure::Failure;
use super::service::Shared;
use super::wording::reworded;

/// The most bytes of a request's body.
pub(super) const LARGEST_BODY: usize = 1 << 20;

/// The variable segments of the path.
pub(super) struct Segments<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let segments = Path::from_request_parts(parts, state).await;
        segments.map(|Path(value)| Self(value)).map_err(|refusal| {
            let text = refusal.body_text();
            let cause =
                text.strip_prefix("Invalid URL: Invalid UTF-8").map(|_| "expected UTF-8 behind its `%`");
            Failure::bad_request(format!("the path is wrong: {}", cause.unwrap_or(&text)))
        })
    }
}

/// The query. What it holds beyond `T` is refused.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(refusal) => {
                let text = refusal.body_text();
                let cause = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                Err(Failure::bad_request(format!("the query is wrong: {}", reworded(cause))))
            }
        }
    }
}

/// No query at all: what would be ignored is refused.
pub(super) struct NoParams;

impl<S: Send + Sync> FromRequestParts<S> for NoParams {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match parts.uri.query() {
            None | Some("") => Ok(Self),
            Some(query) => {
                Err(Failure::bad_request(format!("the query is wrong: expected none, found `{query}`")))
            }
        }
    }
}

/// The body as JSON, whatever content type it claims; an empty one is `T`'s default. It is held for as long
/// as its place is.
pub(super) struct Body<T>(pub(super) T, pub(super) Place);

impl<T: DeserializeOwned + Default> FromRequest<Shared> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, serving: &Shared) -> Result<Self, Failure> {
        let (bytes, place) = body::read(request, &serving.places).await?;
        Ok(Self(object(&bytes)?, place))
    }
}

/// The bytes of a body as JSON; without any, `T`'s default.
pub(super) fn object<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, Failure> {
    if bytes.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    // serde would take the fields in a row.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Failure::bad_request("the body is wrong: expected an object, found an array"));
    }
    Json::from_bytes(bytes).map(|Json(value)| value).map_err(|refusal| malformed(&refusal))
}

/// No body, or an empty object: what would be ignored is refused.
pub(super) struct NoBody;

impl FromRequest<Shared> for NoBody {
    type Rejection = Failure;

    async fn from_request(request: Request, serving: &Shared) -> Result<Self, Failure> {
        let Body(Nothing {}, _) = Body::from_request(request, serving).await?;
        Ok(Self)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// What was said ends in line and column.
fn malformed(refusal: &JsonRejection) -> Failure {
    let text = refusal.body_text();
    let said = text.split_once(": ").map_or(&*text, |(_, said)| said);
    match refusal {
        JsonRejection::JsonDataError(_) => {
            Failure::bad_request(format!("the body is wrong: {}", reworded(said)))
        }
        // The path of what was not read to its end means nothing.
        _ => Failure::bad_request(format!(
            "the body is not JSON: {}",
            said.rsplit(": ").next().unwrap_or(said)
        )),
    }
}
