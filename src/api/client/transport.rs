use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::error::{ClientError, innermost, is_authority, is_distrust, is_other_protocol};
use crate::api::resources::ErrorEnvelope;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take that is not waited for on purpose.
const ANSWER: Duration = Duration::from_secs(30);

/// Speaks to one service.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

/// Whether `url` leads to the machine that we are on.
pub fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback() || address.is_unspecified())
}

impl Client {
    /// A client of the service at `base` (`http` or `https`), which proves itself with `token`. With `ca`
    /// (PEM) a server must prove itself by one of those certificates, else by one that the system trusts.
    ///
    /// # Errors
    /// [`ClientError::Authority`] and [`ClientError::Token`].
    pub fn new(base: Url, token: &SecretString, ca: Option<&[u8]>) -> Result<Self, ClientError> {
        let unusable = |error: reqwest::Error| ClientError::Authority(innermost(&error));
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| ClientError::Token)?;
        bearer.set_sensitive(true);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tekcron/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT);
        if is_this_machine(&base) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = ca {
            builder = builder.tls_certs_only(authorities(pem)?);
        } else if base.scheme() == "http" {
            // Spares reading the system's certificates.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { http: builder.build().map_err(unusable)?, base })
    }

    /// Where the service is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The URL of a route; every part is one segment, whatever it holds.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url).timeout(ANSWER)
    }

    /// A GET that the service may hold back for `held`.
    pub(super) fn get_held(&self, url: Url, held: Duration) -> RequestBuilder {
        self.http.get(url).timeout(ANSWER + held)
    }

    /// A GET whose answer may take as long as it likes.
    pub(super) fn get_stream(&self, url: Url) -> RequestBuilder {
        self.http.get(url)
    }

    pub(super) fn delete(&self, url: Url) -> RequestBuilder {
        self.http.delete(url).timeout(ANSWER)
    }

    /// A DELETE that the service may hold back for `held`.
    pub(super) fn delete_held(&self, url: Url, held: Duration) -> RequestBuilder {
        self.http.delete(url).timeout(ANSWER + held)
    }

    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url).timeout(ANSWER)
    }

    /// A PUT that may take as long as what it sends.
    pub(super) fn put(&self, url: Url) -> RequestBuilder {
        self.http.put(url)
    }

    /// The JSON that `request` is answered with.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.accepted(request).await?;
        let (url, kind) = (response.url().to_string(), kind(&response));
        let body = response.bytes().await.map_err(|error| self.broken(&error))?;
        serde_json::from_slice(&body)
            .map_err(|error| ClientError::Answer { url, found: format!("{kind}: {error}") })
    }

    /// The text that `request` is answered with.
    pub(super) async fn text(&self, request: RequestBuilder) -> Result<String, ClientError> {
        self.accepted(request).await?.text().await.map_err(|error| self.broken(&error))
    }

    /// The answer to `request`, where it is no refusal.
    pub(super) async fn accepted(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|error| self.not_answered(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn refusal(&self, response: Response) -> ClientError {
        let (status, url) = (response.status(), response.url().to_string());
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return self.broken(&error),
        };
        match serde_json::from_slice::<ErrorEnvelope>(&body) {
            Ok(envelope) => ClientError::Refused { status, body: envelope.error },
            Err(_) => ClientError::Answer { url, found: format!("status {status} without a reason") },
        }
    }

    fn not_answered(&self, error: &reqwest::Error) -> ClientError {
        let url = self.base.to_string();
        if is_authority(error) {
            ClientError::AuthorityServes { url }
        } else if is_other_protocol(error) {
            ClientError::Protocol { url }
        } else if is_distrust(error) {
            ClientError::Untrusted { url, message: innermost(error) }
        } else if error.is_connect() {
            ClientError::Unreachable { url, message: innermost(error) }
        } else {
            self.broken(error)
        }
    }

    pub(super) fn broken(&self, error: &reqwest::Error) -> ClientError {
        let message = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        ClientError::Broken { url: self.base.to_string(), message }
    }
}

/// What an answer claims to be.
fn kind(response: &Response) -> String {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.map_or_else(|| "something else".to_owned(), |kind| format!("`{}`", kind.escape_debug()))
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    let found =
        Certificate::from_pem_bundle(pem).map_err(|error| ClientError::Authority(innermost(&error)))?;
    if found.is_empty() {
        return Err(ClientError::Authority("expected certificates, found none".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_unspecified_addresses_are_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:7070", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:7070", true),
            ("http://localhost:7070", true),
            ("http://0.0.0.0:7070", true),
            ("http://localhost.example:7070", false),
            ("http://10.0.0.1:7070", false),
            ("http://127.0.0.1.example", false),
            ("http://[2001:db8::1]", false),
        ] {
            assert_eq!(is_this_machine(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
