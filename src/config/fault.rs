use std::fmt::Display;
use std::ops::Range;

/// Why a value is not what it should be, wherever the value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The bytes of the value's text that are wrong, where it is not all of it.
    pub(super) span: Option<Range<usize>>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, span: None }
    }

    /// As an error of ours reads: a line, then perhaps `hint: …`.
    pub(super) fn of(error: &impl Display) -> Self {
        let text = error.to_string();
        match text.split_once("\nhint:") {
            Some((message, hint)) => Self::new(message).hint(hint.trim()),
            None => Self::new(text),
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The word of `words` that `found` was probably meant to be.
pub(super) fn nearest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    let rated = words.into_iter().map(|word| (strsim::jaro_winkler(&word.to_lowercase(), &found), word));
    let near = rated.filter(|(likeness, _)| *likeness > 0.84);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
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
        let fault = Fault::of(&"expected a, found b\nhint: try c");
        assert_eq!(fault, Fault::new("expected a, found b").hint("try c"));
        assert_eq!(Fault::of(&"no"), Fault::new("no"));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["schedule", "schedules", "timezone", "timeout", "catch_up"];
        for (found, expected) in [
            ("shedule", Some("schedule")),
            ("schedul", Some("schedule")),
            ("time_zone", Some("timezone")),
            ("Timeout", Some("timeout")),
            ("catchup", Some("catch_up")),
            ("colour", None),
        ] {
            assert_eq!(nearest(found, words), expected, "{found}");
        }
    }
}
