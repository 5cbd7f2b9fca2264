use std::io;

use reqwest::StatusCode;

use crate::api::resources::ErrorBody;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The certificates that the server is to be checked against cannot be used.
    #[error("the certificate authority cannot be used: {0}\nhint: --ca expects PEM certificates")]
    Authority(String),
    /// The token holds what no header can.
    #[error("expected a token of letters, digits, `-` and `_`, found other characters")]
    Token,
    /// Nobody answers there.
    #[error(
        "no tekcron answers at `{url}`: {message}\nhint: start it with `tekcron serve`, or say where it is with --url or --data-dir"
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// The system's words.
        message: String,
    },
    /// Somebody answers there, and does not prove to be the service.
    #[error("who answers at `{url}` is not trusted: {message}\nhint: {}", hint_of_distrust(message))]
    Untrusted {
        /// Who was asked.
        url: String,
        /// The TLS library's words.
        message: String,
    },
    /// The server proves itself by a certificate that is none for servers.
    #[error(
        "the certificate of `{url}` is one of an authority (CA:TRUE), which may sign others but not serve\nhint: make the service's with `openssl req -x509 … -addext basicConstraints=critical,CA:FALSE`"
    )]
    AuthorityServes {
        /// The server.
        url: String,
    },
    /// Something else than what the URL says is spoken there.
    #[error("expected {} from `{url}`, found another protocol\nhint: {}", spoken(url), other_scheme(url))]
    Protocol {
        /// Who was asked.
        url: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection to `{url}` broke: {message}")]
    Broken {
        /// The other end.
        url: String,
        /// The system's words.
        message: String,
    },
    /// The service says no.
    #[error("{}{}", body.message, hint(*status, body.hint.as_deref()))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Its reasons.
        body: ErrorBody,
    },
    /// Whoever answers there does not speak as tekcron does.
    #[error(
        "expected an answer of tekcron from `{url}`, found {found}\nhint: another server may listen there; the file `address` in the data directory says where tekcron does"
    )]
    Answer {
        /// What was asked.
        url: String,
        /// What came.
        found: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed in a while: the service is away, not unwilling.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Authority(_)
            | Self::Token
            | Self::Untrusted { .. }
            | Self::AuthorityServes { .. }
            | Self::Protocol { .. }
            | Self::Answer { .. } => false,
        }
    }
}

/// The service's hint; but how a token is sent is nothing that people do by hand.
fn hint(status: StatusCode, hint: Option<&str>) -> String {
    let hint = match status {
        StatusCode::UNAUTHORIZED => Some(
            "the token comes from TEKCRON_TOKEN, --token-file, or the file `token` in --data-dir; after a rotation only the new one is valid",
        ),
        _ => hint,
    };
    hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default()
}

fn hint_of_distrust(message: &str) -> &'static str {
    if message.contains("certificate expired") {
        "renew the certificate of the service"
    } else {
        "--ca FILE names the certificates to trust, and the host in the URL must be one of its names"
    }
}

fn spoken(url: &str) -> &'static str {
    if url.starts_with("https:") { "TLS" } else { "HTTP" }
}

fn other_scheme(url: &str) -> &'static str {
    if url.starts_with("https:") {
        "the URL of a service without a certificate begins with `http://`"
    } else {
        "the URL of a service with a certificate begins with `https://`"
    }
}

/// Whether the other end spoke neither TLS nor HTTP where that was expected.
pub(super) fn is_other_protocol(error: &(dyn std::error::Error + 'static)) -> bool {
    match tls_error(error) {
        Some(rustls::Error::InvalidMessage(_)) => true,
        Some(_) => false,
        // The HTTP library's words for an answer that begins otherwise.
        None => innermost(error).starts_with("invalid HTTP version"),
    }
}

/// Whether TLS was begun there, and refused.
pub(super) fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    tls_error(error).is_some()
}

/// Whether the server's certificate is one of an authority.
pub(super) fn is_authority(error: &(dyn std::error::Error + 'static)) -> bool {
    tls_error(error).is_some_and(crate::api::tls::is_authority)
}

fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    std::iter::successors(Some(error), |cause| beneath(*cause)).find_map(|cause| cause.downcast_ref())
}

/// An I/O error is not the source of what it wraps, but passes over it.
fn beneath<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// The innermost cause: what the system said, without the layers above it.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
