use super::source::SourceError;
use crate::config::EditError;
use crate::daemon::ChangeError;

/// Why there is no new revision. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The App cannot have one.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Its source cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl From<EditError> for PushError {
    fn from(error: EditError) -> Self {
        Self::Change(error.into())
    }
}
