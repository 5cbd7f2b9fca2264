//! Sources: how much of one is here, and its bytes.
//!
//! A body here is larger than any other, and has bounds of its own: `max_source`, few at once, and a pace. It is never
//! in memory but for a piece. What arrived before it was cut off stays, and is gone on with; what is refused does not.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use super::auth::bearer;
use super::extract::{NoParams, Params, Segments};
use super::failure::{Code, Failure};
use super::lookup;
use super::resources::{ErrorEnvelope, OffsetEnvelope, SourceResource};
use super::service::Shared;
use crate::blocking::blocking;
use crate::push::source::{Receiving, SourceError, Standing};
use crate::push::{SourceHash, SourceTokens, TokenError};

/// What is written at once.
const PIECE: usize = 1 << 20;

/// A body that takes longer to bring [`LEAST`] is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// See [`PATIENCE`].
const LEAST: usize = 64 << 10;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiveQuery {
    /// The byte of the source that the body begins with; 0 unless given.
    #[serde(default)]
    #[param(value_type = Option<u64>)]
    offset: Offset,
}

#[derive(Default, Deserialize)]
#[serde(try_from = "String")]
struct Offset(u64);

impl TryFrom<String> for Offset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("expected a number of bytes, found `{text}`"))
    }
}

/// `GET /v1/sources/{hash}`. A source that nobody sent is no error: none of it is here.
#[utoipa::path(
    get,
    path = "/v1/sources/{hash}",
    params(("hash" = String, Path, description = "The SHA-256 of its tar, as 64 hexadecimal digits")),
    responses((status = 200, description = "How much of it is here", body = SourceResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn show(
    State(serving): State<Shared>,
    Segments(hash): Segments<String>,
    _: NoParams,
) -> Result<Json<SourceResource>, Failure> {
    let (hash, sources) = (read(&hash)?, serving.service.sources.clone());
    let standing = asked(move || sources.standing(&hash)).await?;
    Ok(Json(shown(&hash, standing)))
}

/// `PUT /v1/sources/{hash}`: the rest of a source's tar, from a byte on.
#[utoipa::path(
    put,
    path = "/v1/sources/{hash}",
    params(("hash" = String, Path, description = "The SHA-256 of its tar, as 64 hexadecimal digits"), ReceiveQuery),
    request_body(content = String, content_type = "application/x-tar", description = "The tar from byte `offset` to its end."),
    responses(
        (status = 200, description = "It is here, checked, and on disk", body = SourceResource),
        (status = 409, description = "It goes on at another byte, or somebody else sends it", body = OffsetEnvelope),
        (status = "default", description = "Why not", body = ErrorEnvelope),
    ),
)]
pub(super) async fn receive(
    State(serving): State<Shared>,
    Segments(hash): Segments<String>,
    Params(query): Params<ReceiveQuery>,
    request: Request,
) -> Result<Json<SourceResource>, Refused> {
    let hash = read(&hash)?;
    let max = serving.config().settings.max_source;
    let (sources, Offset(offset)) = (serving.service.sources.clone(), query.offset);
    let _place = serving.places.upload()?;
    let standing = {
        let sources = sources.clone();
        asked(move || sources.standing(&hash)).await?
    };
    if standing.complete {
        return Ok(Json(shown(&hash, standing)));
    }
    let body = request.into_body();
    let declared = body.size_hint().lower();
    if offset.saturating_add(declared) > max.bytes() {
        return Err(SourceError::TooLarge { max }.into());
    }
    let receiving = asked(move || sources.receive(&hash, offset, max)).await?;
    let standing = take(receiving, body).await?;
    Ok(Json(shown(&hash, standing)))
}

/// `GET /v1/sources/{hash}/content`: the tar, for the build that it is for, once.
#[utoipa::path(
    get,
    path = "/v1/sources/{hash}/content",
    params(("hash" = String, Path, description = "The SHA-256 of its tar, as 64 hexadecimal digits")),
    responses(
        (status = 200, description = "The tar", body = String, content_type = "application/x-tar"),
        (status = "default", description = "Why not", body = ErrorEnvelope),
    ),
    security(("build" = [])),
)]
pub(super) async fn content(
    State(serving): State<Shared>,
    Segments(hash): Segments<String>,
    _: NoParams,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let refused = |error: TokenError| Failure::new(Code::Unauthorized, error);
    let hash = read(&hash).map_err(|_| refused(TokenError::Unknown))?;
    let presented = bearer(&headers).ok_or_else(|| refused(TokenError::Unknown))?.to_owned();
    let named = SourceTokens::claimed(&presented).ok_or_else(|| refused(TokenError::Unknown))?;
    let build = lookup::task_named(&serving, named.as_str()).await.ok();
    let config = serving.config();
    let build = build.filter(|build| config.source_of(build) == Some(hash));
    let (sources, now) = (serving.service.sources.clone(), serving.service.clock.now());
    let opened = blocking(move || {
        // Before the token is used up, and told to nobody who has none.
        let source = sources.open_source(&hash);
        let tokens = SourceTokens::open(&config.settings.data_dir)?;
        Ok(tokens.redeem(&presented, &hash, build.as_ref(), now).map(|()| source))
    });
    let opened = opened.await.map_err(|error| Failure::new(Code::Internal, error))?;
    let source = tokio::fs::File::from_std(opened.map_err(refused)??);
    let length = source.metadata().await.map_err(|error| Failure::new(Code::Internal, error))?.len();
    let head = [(CONTENT_TYPE, "application/x-tar".to_owned()), (CONTENT_LENGTH, length.to_string())];
    Ok((head, Body::from_stream(ReaderStream::with_capacity(source, PIECE))).into_response())
}

async fn take(mut receiving: Receiving, body: Body) -> Result<Standing, Refused> {
    let mut pieces = body.into_data_stream();
    loop {
        let (piece, over) = next(&mut pieces, receiving.received()).await;
        receiving = asked(move || receiving.take(&piece).map(|()| receiving)).await?;
        match over {
            None => {}
            Some(Ok(())) => return asked(move || receiving.finish()).await,
            Some(Err(failure)) => return Err(failure.into()),
        }
    }
}

/// The next piece of a body; and, where there is none behind it, why.
async fn next(pieces: &mut BodyDataStream, received: u64) -> (Bytes, Option<Result<(), Failure>>) {
    let mut piece = BytesMut::with_capacity(PIECE + LEAST);
    let mut least = LEAST;
    loop {
        let some = async {
            while piece.len() < least.min(PIECE) {
                match pieces.next().await {
                    None => return Some(Ok(())),
                    Some(Ok(bytes)) => piece.extend_from_slice(&bytes),
                    Some(Err(error)) => {
                        let text = format!(
                            "the source was cut off: {error}\nhint: what is here stays; `tekcron push` goes on behind it"
                        );
                        return Some(Err(Failure::bad_request(text)));
                    }
                }
            }
            None
        };
        // tokio's timer is enough here, and costs no descriptor.
        match tokio::time::timeout(PATIENCE, some).await {
            Ok(None) if piece.len() < PIECE => least += LEAST,
            Ok(over) => return (piece.freeze(), over),
            Err(_) => {
                let (seconds, received) = (PATIENCE.as_secs(), received + piece.len() as u64);
                let text = format!(
                    "expected {LEAST} bytes more of the source, beyond byte {received}, within {seconds} seconds\nhint: what is here stays; `tekcron push` goes on behind it"
                );
                return (piece.freeze(), Some(Err(Failure::new(Code::RequestTimeout, text))));
            }
        }
    }
}

/// What `work` says, where it may block.
async fn asked<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, Refused> {
    let done = blocking(move || Ok(work())).await;
    Ok(done.map_err(|error| Failure::new(Code::Internal, error))??)
}

fn read(hash: &str) -> Result<SourceHash, Failure> {
    hash.parse().map_err(Failure::bad_request)
}

fn shown(hash: &SourceHash, standing: Standing) -> SourceResource {
    SourceResource { hash: hash.to_string(), received: standing.received, complete: standing.complete }
}

/// Why a source is not here, and where it goes on.
pub(super) struct Refused {
    failure: Failure,
    received: Option<u64>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, received: None }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        refused.failure
    }
}

impl From<SourceError> for Refused {
    fn from(error: SourceError) -> Self {
        let received = match &error {
            SourceError::Offset { received, .. } => Some(*received),
            _ => None,
        };
        Self { failure: error.into(), received }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Some(received) = self.received else { return self.failure.into_response() };
        let ErrorEnvelope { error } = self.failure.into();
        (StatusCode::CONFLICT, Json(OffsetEnvelope { error, received: Some(received) })).into_response()
    }
}
