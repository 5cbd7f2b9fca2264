use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::{Code, Failure};
use super::router::{is_for_builds, is_open};
use super::service::Shared;
use super::token::Token;

/// Lets nobody pass without the token, wherever they want to go.
pub(super) async fn authenticate(State(serving): State<Shared>, request: Request, next: Next) -> Response {
    // Only a bare request is open: what a query adds is for those who are known.
    let (method, path) = (request.method(), request.uri().path());
    let open = request.uri().query().is_none() && is_open(method, path);
    // Those are asked for another token by whoever answers.
    if !open
        && !is_for_builds(method, path)
        && let Err(failure) = check(request.headers(), &serving.service.token)
    {
        let mut response = failure.into_response();
        let challenge = HeaderValue::from_static("Bearer realm=\"tekcron\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return response;
    }
    next.run(request).await
}

fn check(headers: &HeaderMap, token: &Token) -> Result<(), Failure> {
    let refused = |text: String| Err(Failure::new(Code::Unauthorized, text));
    let hint = format!("send `Authorization: Bearer TOKEN`; {}", token.whereabouts());
    let Some(presented) = bearer(headers) else {
        return refused(format!("expected a bearer token, found none\nhint: {hint}"));
    };
    if token.accepts(presented) {
        return Ok(());
    }
    match presented.chars().count() {
        Token::LENGTH => refused(format!("the token is not valid\nhint: it may have been rotated; {hint}")),
        found => {
            let expected = Token::LENGTH;
            refused(format!("expected a token of {expected} characters, found {found}\nhint: {hint}"))
        }
    }
}

/// The token that a request brings.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
