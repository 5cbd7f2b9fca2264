//! Hints: the line of an error that begins with `hint: `, and the name that was probably meant.

/// What a message says, and the hint on its last line.
pub(crate) fn split(message: &str) -> (&str, Option<&str>) {
    match message.split_once("\nhint: ") {
        Some((said, hint)) => (said, Some(hint)),
        None => (message, None),
    }
}

/// The line that ends a message about a name, where there is a likely one.
pub(crate) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("\nhint: did you mean `{name}`?")).unwrap_or_default()
}

/// What is longer was not meant to be a name, and takes long to compare.
const LONGEST_NAME: usize = 256;

/// Whether a text may be a slip of a name at all.
pub(crate) fn is_name_like(text: &str) -> bool {
    text.len() <= LONGEST_NAME
}

/// How alike two names are, at least, for one to be a slip of the other.
const LIKE: f64 = 0.8;

/// The one of `names` that `wanted` was probably meant to be.
pub(crate) fn nearest<S: AsRef<str>>(wanted: &str, names: impl IntoIterator<Item = S>) -> Option<S> {
    if !is_name_like(wanted) {
        return None;
    }
    let wanted = wanted.to_lowercase();
    let likeness = |name: &S| strsim::jaro_winkler(&name.as_ref().to_lowercase(), &wanted);
    let rated = names.into_iter().map(|name| (likeness(&name), name));
    let near = rated.filter(|(likeness, _)| *likeness >= LIKE);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_is_too_long_for_a_name_is_near_none() {
        let long = |length| "schedule".to_owned() + &"e".repeat(length);
        assert_eq!(nearest(&long(20), ["schedule"]), Some("schedule"));
        assert_eq!(nearest(&long(300), ["schedule"]), None);
    }
}
