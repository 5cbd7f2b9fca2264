//! What Kubernetes takes as keys and values of labels.

/// Whether `text` may be the value of a label, and is not empty.
pub(crate) fn is_label_value(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63 && text.chars().all(inner) && end(text.chars().next()) && end(text.chars().last())
}

/// Whether `text` may be the key of a label: a name, perhaps after a DNS name and `/`.
pub(crate) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_value(name),
        None => is_label_value(text),
    }
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|label| super::dns_label(label, 63).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_name_perhaps_after_a_domain() {
        for key in ["disktype", "kubernetes.io/arch", "a/B_c.d", "node-role.kubernetes.io/batch"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/a", "a/", "a/b/c", "A/b", "-a", "a b", "a..b/c"] {
            assert!(!is_label_key(key), "{key}");
        }
    }
}
