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
    #[error("no tekcron answers at `{url}`: {message}\nhint: {}", hint_of_silence(message))]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// The system's words.
        message: String,
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
    #[error("{}{}", body.message, hint(body.hint.as_deref()))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// Its reasons.
        body: ErrorBody,
    },
    /// Whoever answers there does not speak as tekcron does.
    #[error("expected an answer of tekcron from `{url}`, found {found}")]
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
            Self::Authority(_) | Self::Token | Self::Answer { .. } => false,
        }
    }
}

fn hint(hint: Option<&str>) -> String {
    hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default()
}

fn hint_of_silence(message: &str) -> &'static str {
    if message.contains("certificate") {
        "--ca FILE names the certificates to trust, and the host in the URL must be one of its names"
    } else {
        "start it with `tekcron serve`, or say where it is with --url or --data-dir"
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
