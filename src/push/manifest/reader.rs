use serde::Deserialize;
use serde_yaml_ng::Value;

use super::place::{Step, locate};
use crate::config::{Found, Problems, Severity, Source};

/// A text of YAML, and what was found wrong with it.
pub(super) struct Reader {
    source: Source,
}

impl Reader {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Self { source: Source::new(file, text) }
    }

    /// The same, of a text that nobody is to see.
    pub(super) fn of_secrets(file: &str, text: &str) -> Self {
        let reader = Self::new(file, text);
        reader.source.hide(0..text.len());
        reader
    }

    /// The document, with its merges carried out. What is none has been refused.
    pub(super) fn document(&self) -> Option<Value> {
        let mut documents = serde_yaml_ng::Deserializer::from_str(self.source.text());
        let first = documents.next().map_or(Ok(Value::Null), Value::deserialize);
        let read = first.and_then(|mut value| value.apply_merge().map(|()| value));
        match read {
            Ok(_) if documents.next().is_some() => {
                self.report(
                    (1, 1),
                    0,
                    &[],
                    "expected one document, found several",
                    "each in a file of its own",
                );
                None
            }
            Ok(value) => Some(value),
            Err(error) => {
                let place = error.location().map_or((1, 1), |place| (place.line(), place.column()));
                let message = format!("this is not YAML: {}", without_place(&error.to_string()));
                let hint = "keys of one mapping stand in the same column, and are indented by spaces";
                self.report(place, 0, &[], &message, hint);
                None
            }
        }
    }

    /// Says of the part that `steps` lead to that something is wrong.
    pub(super) fn refuse(&self, steps: &[Step], message: &str, hint: &str) {
        let place = locate(self.source.text(), steps).unwrap_or((1, 1));
        let width = match steps.last() {
            Some(Step::Key(key)) => key.len(),
            _ => 0,
        };
        if is_private(steps) {
            self.hide_around(place, width);
        }
        self.report(place, width, steps, message, hint);
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_sound(&self) -> bool {
        self.source.is_sound()
    }

    pub(super) fn into_problems(self) -> Problems {
        self.source.into_problems().into_iter().collect()
    }

    fn report(&self, place: (usize, usize), width: usize, steps: &[Step], message: &str, hint: &str) {
        let (at, end) = self.bytes(place);
        let span = at..if width == 0 { end } else { (at + width).min(end) };
        let (severity, path) = (Severity::Error, path(steps));
        self.source.report(Found {
            severity,
            span,
            path,
            message: message.to_owned(),
            hint: hint.to_owned(),
        });
    }

    /// The bytes of a place, and of the end of its line.
    fn bytes(&self, (line, column): (usize, usize)) -> (usize, usize) {
        let text = self.source.text();
        let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
        let rest = text[start..].lines().next().unwrap_or_default();
        let at = rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at);
        (start + at, start + rest.trim_end().len())
    }

    /// Keeps a line out of the report, but for the key at `place`: values of the environment may be secret.
    fn hide_around(&self, place: (usize, usize), width: usize) {
        let (at, end) = self.bytes(place);
        let (start, _) = self.bytes((place.0, 1));
        self.source.hide(start..at);
        self.source.hide((at + width).min(end)..end);
    }
}

/// Whether what stands there is nobody's business.
fn is_private(steps: &[Step]) -> bool {
    matches!(steps, [_, _, Step::Key(key), _, ..] if key == "env")
}

/// As in `applications[0].memory`.
fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Item(at) => path.push_str(&format!("[{at}]")),
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => path.push_str(&format!(".{key}")),
        }
    }
    path
}

/// The words of the reader without the place, which is shown.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(words, _)| words)
}
