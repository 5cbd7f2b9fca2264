//! `log_stream = "stdout"`: each captured line once more, as JSON on our own output, so that the cluster's log
//! agents deliver it, also that of a task whose pod is gone.

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::task::TaskName;

/// A longer line comes in pieces.
const LONGEST: usize = 64 << 10;

/// Whose lines they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Origin {
    pub(super) app: Box<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<Box<str>>,
    pub(super) task: TaskName,
    pub(super) id: Box<str>,
}

/// Makes lines of pieces.
#[derive(Debug)]
pub(super) struct Emitter {
    origin: Arc<Origin>,
    begun: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    #[serde(flatten)]
    origin: &'a Origin,
    /// Whether the line goes on in the next one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    line: &'a str,
}

impl Emitter {
    pub(super) fn new(origin: Arc<Origin>) -> Self {
        Self { origin, begun: Vec::new() }
    }

    /// Takes a piece of text of a line of `time`, and writes the lines that it completes to `out`.
    pub(super) fn take(&mut self, text: &[u8], time: Timestamp, out: &mut dyn Write) {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            self.begun.extend_from_slice(text);
            if ends || self.begun.len() >= LONGEST {
                self.emit(time, !ends, out);
            }
        }
    }

    /// Writes what was begun and will not end.
    pub(super) fn finish(&mut self, time: Timestamp, out: &mut dyn Write) {
        if !self.begun.is_empty() {
            self.emit(time, false, out);
        }
    }

    fn emit(&mut self, time: Timestamp, partial: bool, out: &mut dyn Write) {
        let text = String::from_utf8_lossy(&self.begun);
        let line = Line { time, origin: &self.origin, partial, line: &text };
        if let Ok(mut json) = serde_json::to_vec(&line) {
            json.push(b'\n');
            // Nobody may read our output any more; the log store has the line.
            let _ = out.write_all(&json);
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_however_it_came() {
        let origin =
            Origin { app: "etl".into(), job: None, task: "etl-abc".parse().unwrap(), id: "7".into() };
        let mut emitter = Emitter::new(Arc::new(origin));
        let time = "2026-12-01T02:00:00Z".parse().unwrap();
        let mut out = Vec::new();
        for piece in [&b"one"[..], b" line\nan\xff", b"other\n\n", b"last"] {
            emitter.take(piece, time, &mut out);
        }
        emitter.finish(time, &mut out);
        let line = |text: &str| {
            format!(
                r#"{{"time":"2026-12-01T02:00:00Z","app":"etl","task":"etl-abc","id":"7","line":"{text}"}}"#
            )
        };
        let lines = ["one line", "an\u{fffd}other", "", "last"].map(line).join("\n");
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), lines);
    }
}
