/// Why a text names no container image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an image as in `registry.example/etl:1.4`, found `{found}`\nhint: {hint}")]
pub struct ImageError {
    found: String,
    hint: String,
}

/// Checks `text` by the grammar that container runtimes read references with: `[REGISTRY/]PATH[:TAG][@DIGEST]`.
/// Whether there is such an image, only a registry knows.
///
/// # Errors
/// [`ImageError`].
pub fn check_image(text: &str) -> Result<(), ImageError> {
    let wrong = |hint: &str| ImageError { found: text.to_owned(), hint: hint.to_owned() };
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err(wrong("after `@` stands a digest: `sha256:` and 64 digits of 0-9a-f"));
    }
    // A colon before the last slash belongs to the registry's port.
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].split_once(':') {
        Some((end, tag)) => (&rest[..last + end.len()], Some(tag)),
        None => (rest, None),
    };
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(wrong("a tag has at most 128 letters, digits, `_`, `.` and `-`, no `.` or `-` first"));
    }
    if name.len() > 255 {
        return Err(wrong("registry and path have at most 255 characters"));
    }
    let path = match name.split_once('/') {
        Some((registry, path)) if looks_like_a_registry(registry) => {
            if !is_registry(registry) {
                return Err(wrong("before the first `/` stands a host, perhaps with a port"));
            }
            path
        }
        _ => name,
    };
    if path.split('/').all(is_component) {
        return Ok(());
    }
    match path.to_ascii_lowercase() {
        lower if lower.split('/').all(is_component) => Err(wrong("an image's path is in lower case")),
        _ => Err(wrong("a path has lower-case letters and digits, with `.`, `_`, `-` or `/` between them")),
    }
}

/// By what Docker tells `registry.example/etl` from `library/etl`.
fn looks_like_a_registry(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':', '[']) || text.chars().any(|c| c.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok() && port.is_none_or(is_port);
    }
    let label = |label: &str| {
        label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !(label.is_empty() || label.starts_with('-') || label.ends_with('-'))
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Runs of lower-case letters and digits; between them `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut between = text.split(plain).filter(|separator| !separator.is_empty());
    let separates = |text: &str| matches!(text, "." | "_" | "__") || text.chars().all(|c| c == '-');
    text.starts_with(plain) && text.ends_with(plain) && between.all(separates)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let length = if algorithm == "sha256" { hex.len() == 64 } else { hex.len() >= 32 };
    let named = algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
        && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '_' | '-'));
    named && length && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runtimes_take_is_taken() {
        let digest = "0123456789abcdef".repeat(4);
        for text in [
            "busybox",
            "busybox:1.37",
            "library/busybox",
            "docker.io/library/busybox:1.37",
            "localhost/etl",
            "localhost:5000/etl:1.4",
            "Registry.Example:443/team/etl__x/a-b.c:V1_2.3-rc",
            "[::1]:5000/etl",
            "10.0.0.1:5000/a/b/c/d",
            &format!("etl@sha256:{digest}"),
            &format!("registry.example/etl:1.4@sha256:{digest}"),
        ] {
            assert_eq!(check_image(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_they_refuse_is_refused_with_a_hint() {
        let long = format!("a{}", "/a".repeat(130));
        for (text, hint) in [
            ("", "a path has"),
            ("busybox:", "a tag has"),
            ("busybox:-x", "a tag has"),
            ("busybox@latest", "after `@`"),
            ("busybox@sha256:abc", "after `@`"),
            ("ETL", "an image's path is in lower case"),
            ("registry.example/ETL:1", "an image's path is in lower case"),
            ("-registry.example/etl", "before the first `/`"),
            ("registry.example:port/etl", "before the first `/`"),
            ("registry.example/", "a path has"),
            ("registry.example//etl", "a path has"),
            ("https://registry.example/etl", "before the first `/`"),
            ("a..b", "a path has"),
            ("a___b", "a path has"),
            ("$(params.image)", "a path has"),
            ("etl 1.4", "a path has"),
            (&long, "registry and path have"),
        ] {
            let refused = check_image(text).unwrap_err();
            assert!(refused.hint.starts_with(hint), "{text}: {refused}");
        }
    }
}
