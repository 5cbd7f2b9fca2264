//! What holds for any query, header and body.

use axum::extract::{FromRequestParts, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::IntoResponse;
use data_encoding::BASE64URL_NOPAD;
use futures::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::extract::{NoParams, Nothing, Params, object};
use super::failure::Failure;
use super::listing::Position;
use super::page::{Binding, PageQuery};
use super::resources::RunBody;
use super::{health, jobs, logs, run, slots, tasks};

/// See [`crate::fuzzing::request`].
pub(crate) fn request(input: &[u8]) {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (query, idempotency_key, body) = (line(), line(), line());
    queries(query);
    cursors(query);
    header(idempotency_key);
    bodies(body);
}

fn queries(query: &[u8]) {
    let uri = [b"/v1/x?", query].concat();
    // What is no URI never comes as far as this.
    let Ok(uri) = Uri::try_from(uri) else { return };
    query_of::<Params<PageQuery>>(&uri);
    query_of::<Params<jobs::ListQuery>>(&uri);
    query_of::<Params<tasks::ListQuery>>(&uri);
    query_of::<Params<tasks::ShowQuery>>(&uri);
    query_of::<Params<slots::ListQuery>>(&uri);
    query_of::<Params<logs::Query>>(&uri);
    query_of::<Params<health::ReadyQuery>>(&uri);
    query_of::<NoParams>(&uri);
}

fn query_of<T: FromRequestParts<(), Rejection = Failure>>(uri: &Uri) {
    let (mut parts, ()) = Request::builder().uri(uri).body(()).expect("the URI is one").into_parts();
    let read = T::from_request_parts(&mut parts, &()).now_or_never().expect("nothing is waited for");
    read.map(drop).unwrap_or_else(refused);
}

/// As a cursor that somebody made up, and as one that names a made-up position of the right query.
fn cursors(text: &[u8]) {
    cursor::<String>(text);
    cursor::<(Timestamp, String)>(text);
    cursor::<Position>(text);
}

fn cursor<P: DeserializeOwned + Serialize + PartialEq>(text: &[u8]) {
    let query = Binding::new(&["tasks"]);
    if let Ok(text) = std::str::from_utf8(text) {
        query.position::<P>(Some(text)).map(drop).unwrap_or_else(refused);
    }
    let bound = BASE64URL_NOPAD.decode(query.cursor(&()).as_bytes()).expect("a cursor is one");
    let made_up = BASE64URL_NOPAD.encode(&[&bound, text].concat());
    match query.position::<P>(Some(&made_up)) {
        Ok(position) => {
            let position = position.expect("there was a cursor");
            let read = query.position::<P>(Some(&query.cursor(&position)));
            assert!(read.is_ok_and(|read| read.is_some_and(|read| read == position)));
        }
        Err(failure) => refused(failure),
    }
}

fn header(idempotency_key: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(idempotency_key) else { return };
    let headers = HeaderMap::from_iter([("idempotency-key".parse().expect("this is a name"), value)]);
    run::idempotency_key(&headers).map(drop).unwrap_or_else(refused);
}

fn bodies(body: &[u8]) {
    object::<Nothing>(body).map(drop).unwrap_or_else(refused);
    match object::<RunBody>(body) {
        Ok(body) => wish(body),
        Err(failure) => refused(failure),
    }
}

/// What is accepted can be written down, and read again.
fn wish(body: RunBody) {
    let written = serde_json::to_vec(&body).expect("a body is plain data");
    assert_eq!(object::<RunBody>(&written).as_ref(), Ok(&body));
    if let Some(name) = &body.display_name {
        run::display_name(name).map(drop).unwrap_or_else(refused);
    }
    match run::overrides(body) {
        Ok(overrides) => {
            let written = postcard::to_stdvec(&overrides).expect("a wish is plain data");
            assert_eq!(postcard::from_bytes(&written), Ok(overrides));
        }
        Err(failure) => refused(failure),
    }
}

/// A refusal is the caller's mistake, and says something.
fn refused(failure: Failure) {
    assert!(!failure.message.is_empty());
    let status = failure.clone().into_response().status();
    assert!(matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE), "{failure:?}");
}
