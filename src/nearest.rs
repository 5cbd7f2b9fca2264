//! The name that was probably meant: for hints.

/// How alike two names are, at least, for one to be a slip of the other.
const LIKE: f64 = 0.8;

/// The one of `names` that `wanted` was probably meant to be.
pub(crate) fn nearest<S: AsRef<str>>(wanted: &str, names: impl IntoIterator<Item = S>) -> Option<S> {
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
}
