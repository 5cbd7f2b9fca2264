//! Errors in one line, with what caused them.

/// An error with its causes; those that the text before says already are left out. A hint stays the last line.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let (mut text, hint) = match text.split_once("\nhint: ") {
        Some((text, hint)) => (text.to_owned(), Some(hint.to_owned())),
        None => (text, None),
    };
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    match hint {
        Some(hint) => format!("{text}\nhint: {hint}"),
        None => text,
    }
}
