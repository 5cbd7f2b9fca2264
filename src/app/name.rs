/// Why a text is not a name: it must be a DNS label (RFC 1123), as Kubernetes asks of object names
/// and label values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name is missing")]
    Empty,
    /// The text is longer than Kubernetes takes.
    #[error("expected at most {limit} characters, found {found}")]
    TooLong {
        /// The most characters allowed.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A character that a DNS label cannot hold.
    #[error("expected lower-case letters, digits and `-`, found `{found}` at position {position}")]
    Character {
        /// The first wrong character.
        found: char,
        /// Its position, counted from 1.
        position: usize,
    },
    /// The first or last character is a hyphen.
    #[error("expected a letter or digit at both ends, found `-`")]
    Hyphen,
}

/// Checks that `text` is a DNS label of at most `limit` characters.
pub(crate) fn dns_label(text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let wrong = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if let Some((index, found)) = text.chars().enumerate().find(|(_, c)| wrong(*c)) {
        return Err(NameError::Character { found, position: index + 1 });
    }
    if text.len() > limit {
        return Err(NameError::TooLong { limit, found: text.len() });
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(NameError::Hyphen);
    }
    Ok(())
}

/// Turns any text into the DNS label nearest to it, for hints (`ETL_Nightly` becomes `etl-nightly`).
pub fn suggest_name(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let mapped: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let short: String = mapped.trim_matches('-').chars().take(63).collect();
    let label = short.trim_matches('-').to_owned();
    (!label.is_empty()).then_some(label)
}

macro_rules! label_name {
    ($(#[$doc:meta])* $name:ident, $limit:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The most characters that such a name may have.
            pub const LIMIT: usize = $limit;

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::app::NameError;

            fn from_str(text: &str) -> Result<Self, $crate::app::NameError> {
                $crate::app::dns_label(text, Self::LIMIT)?;
                Ok(Self(std::sync::Arc::from(text)))
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::app::NameError;

            fn try_from(text: String) -> Result<Self, $crate::app::NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}
pub(crate) use label_name;

label_name! {
    /// The name of an App: a DNS label, because it becomes a Kubernetes label value.
    AppName, 63
}

label_name! {
    /// The name of a service that Apps bind to.
    ServiceName, 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_dns_label() {
        assert!("etl".parse::<AppName>().is_ok());
        assert_eq!("".parse::<AppName>(), Err(NameError::Empty));
        assert_eq!("Etl".parse::<AppName>(), Err(NameError::Character { found: 'E', position: 1 }));
        assert_eq!("et_l".parse::<AppName>(), Err(NameError::Character { found: '_', position: 3 }));
        assert_eq!("-etl".parse::<AppName>(), Err(NameError::Hyphen));
        assert_eq!("x".repeat(64).parse::<AppName>(), Err(NameError::TooLong { limit: 63, found: 64 }));
    }

    #[test]
    fn the_suggestion_is_itself_a_name() {
        assert_eq!(suggest_name("ETL_Nightly ").as_deref(), Some("etl-nightly"));
        assert_eq!(suggest_name("__"), None);
    }
}
