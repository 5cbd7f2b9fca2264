use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml_ng::Value;

/// One step on the way to a part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// Line and column, both counted from 1.
pub(super) type Place = (usize, usize);

/// Where the part of `text` is that `steps` lead to: its key, where it has one. What came by a merge stands where
/// its mapping does.
///
/// The reader of YAML tells a place only with an error: so the text is read once more, up to one that is made there.
pub(super) fn locate(text: &str, steps: &[Step]) -> Option<Place> {
    let document = serde_yaml_ng::Deserializer::from_str(text).next()?;
    match (Seek { steps }).deserialize(document) {
        Ok(()) if steps.is_empty() => None,
        Ok(()) => locate(text, &steps[..steps.len() - 1]),
        Err(error) => error.location().map(|found| (found.line(), found.column())),
    }
}

/// Goes along `steps`, and fails at their end.
struct Seek<'a> {
    steps: &'a [Step],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, found: D) -> Result<(), D::Error> {
        found.deserialize_any(self)
    }
}

const HERE: &str = "here";

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a manifest")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let (wanted, rest) = match self.steps {
            [] => return Err(M::Error::custom(HERE)),
            [Step::Key(wanted), rest @ ..] => (Some(wanted.as_str()), rest),
            [Step::Item(_), ..] => (None, self.steps),
        };
        while let Some(is_wanted) = map.next_key_seed(IsKey { wanted, is_last: rest.is_empty() })? {
            match is_wanted {
                true => map.next_value_seed(Seek { steps: rest })?,
                false => drop(map.next_value::<Value>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        let (wanted, rest) = match self.steps {
            [] => return Err(S::Error::custom(HERE)),
            [Step::Item(wanted), rest @ ..] => (Some(*wanted), rest),
            [Step::Key(_), ..] => (None, self.steps),
        };
        for at in 0.. {
            let more = match Some(at) == wanted {
                true => items.next_element_seed(Seek { steps: rest })?.is_some(),
                false => items.next_element::<Value>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.leaf()
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.leaf()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.leaf()
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        // Nothing behind a tag means anything here.
        Err(A::Error::custom(HERE))
    }
}

impl Seek<'_> {
    /// A part that has none itself.
    fn leaf<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.steps.is_empty() { Err(E::custom(HERE)) } else { Ok(()) }
    }
}

/// Tells whether a key is the one that is sought; fails where it is, and is the last step.
struct IsKey<'a> {
    wanted: Option<&'a str>,
    is_last: bool,
}

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, found: D) -> Result<bool, D::Error> {
        let (wanted, is_last) = (self.wanted, self.is_last);
        found.deserialize_any(Key(|key: Option<&str>| wanted.is_some() && key == wanted, is_last))
    }
}

struct Key<F>(F, bool);

impl<F: FnOnce(Option<&str>) -> bool> Key<F> {
    fn end<E: serde::de::Error>(self, key: Option<&str>) -> Result<bool, E> {
        match (self.0)(key) {
            true if self.1 => Err(E::custom(HERE)),
            found => Ok(found),
        }
    }
}

impl<'de, F: FnOnce(Option<&str>) -> bool> Visitor<'de> for Key<F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        self.end(Some(key))
    }

    fn visit_bool<E: serde::de::Error>(self, key: bool) -> Result<bool, E> {
        self.end(Some(&key.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, key: i64) -> Result<bool, E> {
        self.end(Some(&key.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, key: u64) -> Result<bool, E> {
        self.end(Some(&key.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<bool, E> {
        self.end(None)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<bool, E> {
        self.end(None)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<bool, M::Error> {
        while map.next_entry::<Value, Value>()?.is_some() {}
        self.end(None)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<bool, S::Error> {
        while items.next_element::<Value>()?.is_some() {}
        self.end(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
---
common: &common
  memory: 1G
applications:
- name: etl
  <<: *common
  env:
    A: 1
    B: [x, {c: d}]
- {name: mail, env: {Z: 1}}
";

    fn found(path: &[&str]) -> Option<Place> {
        let step = |part: &&str| part.parse().map_or_else(|_| Step::Key((*part).to_owned()), Step::Item);
        locate(TEXT, &path.iter().map(step).collect::<Vec<_>>())
    }

    #[test]
    fn a_part_is_found_by_its_key_or_by_itself() {
        for (path, expected) in [
            (&["applications"][..], (4, 1)),
            (&["applications", "0"], (5, 3)),
            (&["applications", "0", "name"], (5, 3)),
            (&["applications", "0", "env", "B"], (9, 5)),
            (&["applications", "0", "env", "B", "0"], (9, 9)),
            (&["applications", "0", "env", "B", "1", "c"], (9, 13)),
            (&["applications", "1", "env", "Z"], (10, 22)),
        ] {
            assert_eq!(found(path), Some(expected), "{path:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_where_it_would_be() {
        assert_eq!(found(&["applications", "0", "memory"]), Some((5, 3)));
        assert_eq!(found(&["applications", "7", "memory"]), Some((4, 1)));
        assert_eq!(found(&["none"]), Some((2, 1)));
        assert_eq!(locate("", &[]), Some((1, 1)));
    }
}
