use std::fmt::Display;
use std::ops::Range;

use crate::hint;

/// Why a value is not what it should be, wherever the value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    /// What to do about it.
    pub(super) hint: String,
    /// The bytes of the value's text that are wrong, where it is not all of it.
    pub(super) span: Option<Range<usize>>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), span: None }
    }

    /// As an error of ours reads: a line, then perhaps `hint: …`; where it has none, `otherwise`.
    pub(super) fn of(error: &impl Display, otherwise: &str) -> Self {
        let text = error.to_string();
        let (message, hint) = hint::split(&text);
        Self::new(message, hint.unwrap_or(otherwise))
    }
}

/// As in "`keep`, `delete`".
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_taken_out_of_an_errors_text() {
        let fault = Fault::of(&"expected a, found b\nhint: try c", "or d");
        assert_eq!(fault, Fault::new("expected a, found b", "try c"));
        assert_eq!(Fault::of(&"no", "or d"), Fault::new("no", "or d"));
    }
}
