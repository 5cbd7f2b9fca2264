//! What it means that a create did not answer "created": one pure function.
//!
//! Refusals that a real API server and Tekton's webhook gave are the tests' fixtures. A create is *final*
//! where the server has judged the object; it is *unreachable* where the server surely did not take it and
//! another try may help; everything else is *unknown*, because it may have been taken all the same.

use jiff::SignedDuration;
use kube::core::Status;

use crate::causes::in_full;
use crate::executor::SubmitError;

/// Where Tekton is had from.
pub(super) const INSTALL: &str =
    "install Tekton Pipelines 0.60 or newer (https://tekton.dev/docs/installation/pipelines/)";

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) code: u16,
    /// `Retry-After`, in whole seconds.
    pub(super) retry_after: Option<u32>,
    /// The body, where it is a `Status`; else its beginning as the message.
    pub(super) status: Status,
}

/// Judges an answer to a create. "Already exists" is not one of them.
pub(super) fn judge(refusal: &Refusal) -> SubmitError {
    let Refusal { code, status, .. } = refusal;
    let message = status.message.trim();
    let wait = refusal.retry_after.or(Some(status.details.as_ref().map_or(0, |d| d.retry_after_seconds)));
    let retry_after = wait.filter(|wait| *wait > 0).map(|wait| SignedDuration::from_secs(wait.into()));
    let unreachable = |why: &str| SubmitError::Unreachable { message: words(why, message), retry_after };
    let refused = |why: &str| SubmitError::Refused {
        reason: reason(*code, &status.reason).to_owned(),
        message: words(why, message),
    };
    match code {
        401 => unreachable("the API server does not accept the credentials (401)"),
        403 if message.contains("exceeded quota") => unreachable("a quota of the namespace is used up (403)"),
        403 => refused("the API server does not allow it (403)"),
        404 if message.contains("namespaces") => refused("the namespace does not exist (404)"),
        404 => refused(&format!("the cluster has no PipelineRuns (404): {INSTALL}")),
        // Two writers of one object: nobody else should write ours.
        409 => unreachable("the API server reports a conflict (409)"),
        400..=499 if *code != 408 && *code != 429 => refused(&format!("the API server refused it ({code})")),
        429 => unreachable("the API server has too much to do (429)"),
        500 if message.contains("failed calling webhook") => {
            unreachable("a webhook of the cluster does not answer (500)")
        }
        _ => SubmitError::Unknown { message: words(&format!("the API server answered {code}"), message) },
    }
}

/// The words of an answer to something that is no create.
pub(super) fn in_words(status: &Status) -> String {
    match judge(&Refusal { code: status.code, retry_after: None, status: status.clone() }) {
        SubmitError::Refused { message, .. }
        | SubmitError::Unavailable { message }
        | SubmitError::Unreachable { message, .. }
        | SubmitError::Unknown { message } => message,
    }
}

fn reason(code: u16, said: &str) -> &str {
    match (code, said) {
        (_, said) if !said.is_empty() && !said.contains(char::is_whitespace) => said,
        (403, _) => "Forbidden",
        (404, _) => "NotFound",
        (422, _) => "Invalid",
        _ => "BadRequest",
    }
}

fn words(why: &str, message: &str) -> String {
    match message {
        "" => why.to_owned(),
        message => format!("{why}: {message}"),
    }
}

/// Judges a create that got no answer.
pub(super) fn judge_failure(error: &kube::Error) -> SubmitError {
    let message = in_full(error);
    match never_sent(error) {
        true => SubmitError::Unreachable { message, retry_after: None },
        false => SubmitError::Unknown { message },
    }
}

/// Whether the request surely did not leave: there was no connection, or no credentials to send.
fn never_sent(error: &kube::Error) -> bool {
    match error {
        kube::Error::Auth(_) => true,
        kube::Error::Service(error) => error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
