use std::fmt;
use std::ops::Range;

/// Why a text is no cron expression: one line that names the field, what was expected there and
/// what was found, then a `hint:` line: what to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    message: String,
    hint: String,
    span: Range<usize>,
}

impl ExpressionError {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), span }
    }

    pub(super) fn with_hint(self, hint: String) -> Self {
        Self { hint, ..self }
    }

    /// What is wrong, without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to try.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Where in the text, in bytes. Empty only where the text is.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

impl std::error::Error for ExpressionError {}
