//! What serde says of a wrong body or query, in the words of every other refusal.
//!
//! It begins with the field in backticks where there is one, then has what was expected and what was found.

/// What serde's words begin with, behind the path of the field.
const BEGINNINGS: [&str; 5] =
    ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field ", "duplicate field "];

/// `text` in our words. What is not recognised stays as it is.
pub(super) fn reworded(text: &str) -> String {
    let (field, said) = apart(text);
    let said = match said.split_once(' ') {
        // Says itself which one.
        Some(("unknown" | "duplicate", rest)) if rest.starts_with("field ") => return said.to_owned(),
        Some(("unknown", rest)) => turned(rest.trim_start_matches("variant "), ""),
        Some(("invalid", rest)) => rest.split_once(": ").and_then(|(_, rest)| turned(rest, "the ")),
        _ => None,
    }
    .unwrap_or_else(|| said.to_owned());
    field.map_or_else(|| said.clone(), |field| format!("`{field}`: {said}"))
}

/// The path of the field, and what is said of it.
fn apart(text: &str) -> (Option<&str>, &str) {
    let begins = BEGINNINGS.iter().filter_map(|beginning| text.find(beginning)).min();
    match begins {
        Some(0) => (None, text),
        Some(begin) => (Some(text[..begin].trim_end_matches(": ")), &text[begin..]),
        None => match text.split_once(": ") {
            Some((field, said)) if !field.contains([' ', '`']) => (Some(field), said),
            _ => (None, text),
        },
    }
}

/// `FOUND, expected EXPECTED at line …` the other way round.
fn turned(text: &str, article: &str) -> Option<String> {
    let (found, expected) = text.split_once(", expected ")?;
    let (expected, place) = match expected.find(" at line ") {
        Some(begin) => expected.split_at(begin),
        None => (expected, ""),
    };
    let expected = match expected {
        "a map" => "an object",
        expected if expected.starts_with("struct ") => "an object",
        expected => expected,
    };
    let found = match found {
        "null" => "null".to_owned(),
        "map" => "an object".to_owned(),
        "sequence" => "an array".to_owned(),
        found => format!("{article}{found}"),
    };
    Some(format!("expected {expected}, found {found}{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_comes_first_then_what_was_expected_and_found() {
        for (said, expected) in [
            (
                "memory: invalid type: integer `512`, expected a string at line 1 column 13",
                "`memory`: expected a string, found the integer `512` at line 1 column 13",
            ),
            ("env.A B: invalid type: null, expected a string", "`env.A B`: expected a string, found null"),
            ("env: invalid type: sequence, expected a map", "`env`: expected an object, found an array"),
            ("invalid type: null, expected struct RunBody", "expected an object, found null"),
            (
                "phase: unknown variant `zz`, expected one of `a`, `b`",
                "`phase`: expected one of `a`, `b`, found `zz`",
            ),
            ("foo: unknown field `foo`, expected `limit`", "unknown field `foo`, expected `limit`"),
            ("duplicate field `limit`", "duplicate field `limit`"),
            ("limit: expected a number, found `x`", "`limit`: expected a number, found `x`"),
            ("something else: it is", "something else: it is"),
        ] {
            assert_eq!(reworded(said), expected, "{said}");
        }
    }
}
