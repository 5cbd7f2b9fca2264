//! The body of a request: bounded in size and time, and together with all others in memory.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::bounds::{Place, Places};
use super::extract::LARGEST_BODY;
use super::failure::{Code, Failure};

/// A body that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(30);

/// Of a body that is too large, as much is read and dropped: who is still sending hears no answer.
const MOST_DROPPED: usize = 64 << 20;

/// The body of `request`, and its place among all bodies.
///
/// # Errors
/// 413 where it is too large, 408 where it does not arrive, 503 where others have all the memory.
pub(super) async fn read(request: Request, places: &Places) -> Result<(Bytes, Place), Failure> {
    let (parts, body) = request.into_parts();
    let declared = body.size_hint().upper().map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    if declared.is_some_and(|bytes| bytes > LARGEST_BODY) && asks_first(&parts.headers) {
        return Err(too_large());
    }
    let place = places.body(declared.unwrap_or(LARGEST_BODY).min(LARGEST_BODY))?;
    // tokio's timer is enough here, and costs no descriptor.
    match tokio::time::timeout(LONGEST, collect(body)).await {
        Ok(collected) => Ok((collected?, place)),
        Err(_) => Err(Failure::new(
            Code::RequestTimeout,
            format!("expected the whole body within {} seconds", LONGEST.as_secs()),
        )),
    }
}

/// Whether the client sends its body only when it is asked to.
fn asks_first(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

async fn collect(body: Body) -> Result<Bytes, Failure> {
    let (mut pieces, mut collected, mut read) = (body.into_data_stream(), BytesMut::new(), 0);
    while let Some(piece) = pieces.next().await {
        let unread = |error| Failure::bad_request(format!("the body could not be read: {error}"));
        let piece = piece.map_err(unread)?;
        read += piece.len();
        if read <= LARGEST_BODY {
            collected.extend_from_slice(&piece);
            continue;
        }
        collected = BytesMut::new();
        if read > MOST_DROPPED {
            break;
        }
    }
    if read > LARGEST_BODY { Err(too_large()) } else { Ok(collected.freeze()) }
}

fn too_large() -> Failure {
    Failure::new(Code::TooLarge, "expected a body of at most 1 MiB, found a larger one")
}
