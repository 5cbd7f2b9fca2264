//! A text of the cluster's that mostly is one of few: those take no memory of their own.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::executor::label::FINALIZER;

/// What Tekton says of each run while it goes well, and what we gave it.
const KNOWN: [&str; 14] = [
    "",
    "Succeeded",
    "True",
    "False",
    "Unknown",
    "Pending",
    "Started",
    "Running",
    "TaskRun",
    "user-container",
    "step-user-container",
    "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0",
    "Not all Steps in the Task have finished executing",
    FINALIZER,
];

/// Any text.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Word(Cow<'static, str>);

impl Word {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        let known = KNOWN.into_iter().find(|known| *known == text);
        Self(known.map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed))
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, text: &&str) -> bool {
        *self.0 == **text
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(text.into())
            }
        }

        from.deserialize_str(Text)
    }
}
