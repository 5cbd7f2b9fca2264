//! A notice as a POST, by the specification of Standard Webhooks.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

use super::deliver::{PATIENCE, Undelivered};
use super::notice::Notice;
use super::receivers::Webhook;
use super::{secret, sign};
use crate::api::client::is_this_machine;
use crate::blocking::blocking;

/// The longest that a receiver may have us wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Posts it. A redirect is not followed: whoever answers there was not meant.
pub(super) async fn post(
    webhook: &Webhook,
    instance: &str,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), Undelivered> {
    let url: Url = webhook.url.parse().map_err(|_| Undelivered::because("its URL is none"))?;
    let source = webhook.secret.clone();
    let key = blocking(move || Ok(secret::read(&source).and_then(|secret| secret::key(&secret)))).await;
    let key = key.map_err(|error| Undelivered::because(error.to_string()))?;
    let key = key.map_err(|error| Undelivered::because(format!("its secret: {error}")))?;
    let (second, body) = (now.as_second(), notice.body(instance));
    let signature = sign::signature(&key, &notice.id, second, &body);
    let request = client(&url)
        .map_err(|error| in_words(&error))?
        .post(url)
        .header("webhook-id", &notice.id)
        .header("webhook-timestamp", second.to_string())
        .header("webhook-signature", signature)
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    let response = request.send().await.map_err(|error| in_words(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Err(Undelivered {
        message: match status.is_redirection() {
            true => format!("it answers {status}, and a redirect is not followed"),
            false => format!("it answers {status}"),
        },
        retry_after: wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT)),
        for_good: status == StatusCode::GONE,
    })
}

fn client(url: &Url) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .user_agent(concat!("tekcron/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(PATIENCE);
    if is_this_machine(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // Spares reading the system's certificates.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

/// The innermost cause: what is above it quotes the URL.
fn in_words(error: &reqwest::Error) -> Undelivered {
    if error.is_timeout() {
        return Undelivered::because("it gave no answer in time");
    }
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    Undelivered::because(causes.last().map_or_else(|| "the request failed".to_owned(), ToString::to_string))
}
