//! What a scripted API server does instead of answering.

use std::time::Duration;

use serde_json::{Value, json};

/// What happens to a call.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// This answer, and nothing is done.
    Answer { code: u16, body: String, retry_after: Option<u32> },
    /// The connection is closed, and nothing is done.
    CloseBefore,
    /// It is done, and the connection is closed.
    CloseAfter,
    /// Nothing is done, and nobody answers, until the rules are cleared.
    Hang,
    /// It is done, and nobody answers, until the rules are cleared.
    HangAfter,
    /// It waits until the rules are cleared, and then is as usual.
    Wait,
    /// A stream breaks off after so many bytes.
    Cut(usize),
    /// A watch ends, as usual, after so long.
    EndAfter(Duration),
}

/// What happens to the next calls of a kind.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) verb: &'static str,
    pub(crate) resource: &'static str,
    /// How often; none is always.
    pub(crate) times: Option<usize>,
    pub(crate) act: Act,
}

impl Act {
    /// An answer of the API server's own.
    pub(crate) fn status(code: u16, reason: &str, message: &str) -> Self {
        Self::Answer { code, body: status(code, reason, message).to_string(), retry_after: None }
    }

    /// What the API server hands on of a node that has just begun again, and does not know its pods yet.
    pub(crate) fn no_such_log_on_the_node(pod: &str) -> Self {
        let message = format!("the server could not find the requested resource ( pods/log {pod})");
        let mut body = status(404, "NotFound", &message);
        body["details"] = json!({ "name": pod, "kind": "pods/log" });
        Self::Answer { code: 404, body: body.to_string(), retry_after: None }
    }

    /// An answer that no API server gives, but what stands before it.
    pub(crate) fn text(code: u16, body: &str) -> Self {
        Self::Answer { code, body: body.to_owned(), retry_after: None }
    }

    pub(crate) fn too_many(seconds: u32) -> Self {
        let body = status(429, "TooManyRequests", "the server has received too many requests").to_string();
        Self::Answer { code: 429, body, retry_after: Some(seconds) }
    }
}

pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}
