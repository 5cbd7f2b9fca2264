//! What a request is answered when it cannot be fulfilled: one shape for every error.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};

use super::resources::{ErrorBody, ErrorEnvelope};
use crate::config::EditError;
use crate::daemon::{ChangeError, ReloadError};
use crate::executor::ExecutorError;
use crate::hint;
use crate::push::PushError;
use crate::push::source::SourceError;
use crate::store::StoreError;
use crate::task::{BackfillError, QueueError, RunError, SteerError, TerminateError};

/// The kinds of failure, as programs tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Overlap,
    Paused,
    NotPaused,
    NoSchedule,
    Ambiguous,
    NotWaiting,
    NotEnded,
    TooManySlots,
    BadConfig,
    Exists,
    Deleting,
    Running,
    Bound,
    ReadOnly,
    GivenToken,
    RequestTimeout,
    TooLarge,
    BadSource,
    Offset,
    UnderWay,
    DiskFull,
    UriTooLong,
    IdempotencyMismatch,
    NoCommand,
    NoRevision,
    Building,
    NotReady,
    Current,
    NothingToBuild,
    NoBuilder,
    TooManyRuns,
    HeadTooLarge,
    Internal,
    Busy,
    Stopping,
    StoreFailed,
}

impl Code {
    fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::BadRequest => ("bad-request", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::Overlap => ("overlap", StatusCode::CONFLICT),
            Self::Paused => ("paused", StatusCode::CONFLICT),
            Self::NotPaused => ("not-paused", StatusCode::CONFLICT),
            Self::NoSchedule => ("no-schedule", StatusCode::CONFLICT),
            Self::Ambiguous => ("ambiguous", StatusCode::CONFLICT),
            Self::NotWaiting => ("not-waiting", StatusCode::CONFLICT),
            Self::NotEnded => ("not-ended", StatusCode::CONFLICT),
            Self::TooManySlots => ("too-many-slots", StatusCode::UNPROCESSABLE_ENTITY),
            Self::BadConfig => ("bad-config", StatusCode::CONFLICT),
            Self::Exists => ("exists", StatusCode::CONFLICT),
            Self::Deleting => ("deleting", StatusCode::CONFLICT),
            Self::Running => ("running", StatusCode::CONFLICT),
            Self::Bound => ("bound", StatusCode::CONFLICT),
            Self::ReadOnly => ("read-only", StatusCode::CONFLICT),
            Self::GivenToken => ("given-token", StatusCode::CONFLICT),
            Self::RequestTimeout => ("request-timeout", StatusCode::REQUEST_TIMEOUT),
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::BadSource => ("bad-source", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Offset => ("offset", StatusCode::CONFLICT),
            Self::UnderWay => ("under-way", StatusCode::CONFLICT),
            Self::DiskFull => ("disk-full", StatusCode::INSUFFICIENT_STORAGE),
            Self::UriTooLong => ("uri-too-long", StatusCode::URI_TOO_LONG),
            Self::IdempotencyMismatch => ("idempotency-mismatch", StatusCode::UNPROCESSABLE_ENTITY),
            Self::NoCommand => ("no-command", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Building => ("building", StatusCode::CONFLICT),
            Self::NotReady => ("not-ready", StatusCode::CONFLICT),
            Self::Current => ("current", StatusCode::CONFLICT),
            Self::NothingToBuild => ("nothing-to-build", StatusCode::CONFLICT),
            Self::NoBuilder => ("no-builder", StatusCode::CONFLICT),
            Self::NoRevision => ("no-revision", StatusCode::CONFLICT),
            Self::TooManyRuns => ("too-many-runs", StatusCode::TOO_MANY_REQUESTS),
            Self::HeadTooLarge => ("head-too-large", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE),
            Self::Stopping => ("stopping", StatusCode::SERVICE_UNAVAILABLE),
            Self::StoreFailed => ("store-failed", StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// After how many seconds the same request may go better.
    fn retry_after(self) -> Option<u32> {
        match self {
            Self::Busy => Some(1),
            Self::TooManyRuns | Self::Stopping => Some(5),
            _ => None,
        }
    }
}

/// Why a request was not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    /// A failure in these words; a last line `hint: …` becomes its hint.
    pub(super) fn new(code: Code, text: impl ToString) -> Self {
        let text = text.to_string();
        let (message, hint) = hint::split(&text);
        Self { code, message: message.to_owned(), hint: hint.map(str::to_owned) }
    }

    pub(super) fn bad_request(text: impl ToString) -> Self {
        Self::new(Code::BadRequest, text)
    }

    pub(super) fn not_found(text: impl ToString) -> Self {
        Self::new(Code::NotFound, text)
    }

    pub(super) fn stopping() -> Self {
        Self::new(Code::Stopping, "the service is stopping\nhint: ask again when it is back")
    }

    pub(super) fn hint(self, hint: impl Into<Option<String>>) -> Self {
        Self { hint: hint.into().or(self.hint), ..self }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.code.parts().1, self.code.retry_after());
        let mut response = (status, Json(ErrorEnvelope::from(self))).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Failure> for ErrorEnvelope {
    fn from(failure: Failure) -> Self {
        let code = failure.code.parts().0.to_owned();
        Self { error: ErrorBody { code, message: failure.message, hint: failure.hint } }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::stopping(),
            StoreError::Write { .. } => Self::new(Code::StoreFailed, error),
            _ => {
                tracing::error!(%error, "a request could not read the store");
                Self::new(Code::Internal, error)
            }
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::NoApp(_) | RunError::NoJob { .. } => Self::not_found(error),
            RunError::NoCommand(_) => Self::new(Code::NoCommand, error),
            RunError::NoRevision(_) => Self::new(Code::NoRevision, error),
            RunError::Overlap { .. } => Self::new(Code::Overlap, error),
            RunError::Forgotten { .. } | RunError::IdempotencyMismatch => {
                Self::new(Code::IdempotencyMismatch, error)
            }
            RunError::TooMany | RunError::QueueFull { .. } => Self::new(Code::TooManyRuns, error),
            RunError::Store(error) => error.into(),
            RunError::Stopping => Self::stopping(),
        }
    }
}

impl From<SteerError> for Failure {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::NoJob { .. } => Self::not_found(error),
            SteerError::Over { .. } | SteerError::Count { .. } => Self::bad_request(error),
            SteerError::NotPaused { .. } => Self::new(Code::NotPaused, error),
            SteerError::Paused { .. } => Self::new(Code::Paused, error),
            SteerError::NoSchedule { .. } => Self::new(Code::NoSchedule, error),
            SteerError::Store(error) => error.into(),
            SteerError::Stopping => Self::stopping(),
        }
    }
}

impl From<TerminateError> for Failure {
    fn from(error: TerminateError) -> Self {
        match error {
            TerminateError::NoTask { .. } => Self::not_found(error),
            TerminateError::Store(error) => error.into(),
            TerminateError::Stopping => Self::stopping(),
        }
    }
}

impl From<BackfillError> for Failure {
    fn from(error: BackfillError) -> Self {
        match error {
            BackfillError::NoSchedule { .. } => Self::not_found(error),
            BackfillError::Unknown { .. } => Self::bad_request(error),
            BackfillError::TooMany { .. } => Self::new(Code::TooManySlots, error),
            BackfillError::Store(error) => error.into(),
        }
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NoTask { .. } => Self::not_found(error),
            QueueError::Started { .. } | QueueError::Ended { .. } | QueueError::NotYet { .. } => {
                Self::new(Code::NotWaiting, error)
            }
            QueueError::Store(error) => error.into(),
            QueueError::Stopping => Self::stopping(),
        }
    }
}

impl From<ReloadError> for Failure {
    fn from(error: ReloadError) -> Self {
        match error {
            // The report holds hints of its own, one a problem.
            ReloadError::Config(_) => Self { code: Code::BadConfig, message: error.to_string(), hint: None },
            ReloadError::Look(_) => Self::new(Code::Internal, error),
            ReloadError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => error.into(),
            ChangeError::Credentials(_) => Self::new(Code::StoreFailed, error),
            ChangeError::Edit(error) => match error {
                EditError::NoApp(_)
                | EditError::NoService(_)
                | EditError::NoJob(_)
                | EditError::NoRevision { .. }
                | EditError::NoSchedule { .. } => Self::not_found(error),
                EditError::Exists(_) | EditError::ServiceExists(_) => Self::new(Code::Exists, error),
                EditError::InFile { .. } | EditError::AppInFile { .. } | EditError::ServiceInFile { .. } => {
                    Self::new(Code::ReadOnly, error)
                }
                EditError::Running { .. } => Self::new(Code::Running, error),
                EditError::Bound { .. } => Self::new(Code::Bound, error),
                EditError::Files(_) => Self::new(Code::StoreFailed, error),
                EditError::Building { .. } => Self::new(Code::Building, error),
                EditError::NotReady { .. } => Self::new(Code::NotReady, error),
                EditError::Current { .. } => Self::new(Code::Current, error),
                EditError::NothingToBuild(_) => Self::new(Code::NothingToBuild, error),
                EditError::NoBuilder(_) => Self::new(Code::NoBuilder, error),
                EditError::Deleting(_) => Self::new(Code::Deleting, error),
                // The report holds hints of its own, one a problem.
                EditError::Wrong(_) => {
                    Self { code: Code::BadRequest, message: error.to_string(), hint: None }
                }
            },
        }
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        match error {
            PushError::Change(error) => error.into(),
            PushError::Source(error) => error.into(),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let code = match error {
            SourceError::NotThere(_) => Code::NotFound,
            SourceError::Offset { .. } => Code::Offset,
            SourceError::UnderWay(_) => Code::UnderWay,
            SourceError::TooLarge { .. } => Code::TooLarge,
            SourceError::Hash { .. } | SourceError::Tar(_) => Code::BadSource,
            SourceError::Full { .. } => Code::DiskFull,
            SourceError::Io { .. } => Code::Internal,
        };
        if matches!(code, Code::DiskFull | Code::Internal) {
            tracing::error!(%error, "a source cannot be kept");
        }
        Self::new(code, error)
    }
}

impl From<ExecutorError> for Failure {
    fn from(error: ExecutorError) -> Self {
        tracing::warn!(%error, "a request could not reach the executor");
        Self::new(Code::Internal, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_line_becomes_the_hint() {
        let failure = Failure::from(RunError::IdempotencyMismatch);
        assert_eq!(failure.message, "the idempotency key was used for another request");
        assert_eq!(failure.hint.as_deref(), Some("send a new key with each new request"));
        assert_eq!(Failure::bad_request("no").hint, None);
    }
}
