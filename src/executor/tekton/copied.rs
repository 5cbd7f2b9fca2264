//! Which lines of a container's log are here: what a reading that begins again has to pass over.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;

use jiff::Timestamp;

use crate::executor::log::for_each_record;

/// Lines of the newest seconds that are told apart; more are a flood, of which a break may double some.
const REMEMBERED: usize = 100_000;

/// From the chunks of a log with times, to the text that is new.
#[derive(Debug, Default)]
pub(super) struct Copied {
    newest: Option<Timestamp>,
    /// Whole lines of the newest seconds: how often each is here.
    lines: HashMap<u64, Seen>,
    /// The line that was not ended when a reading broke off, and how many of its bytes are here.
    part: Option<(Timestamp, usize)>,
    overlap: Option<Overlap>,
    /// A reading has begun in the middle of the log, and its first line not yet.
    at_first: bool,
    line: Line,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    second: i64,
    times: u32,
}

/// What a reading gives once more before it comes to what is new.
#[derive(Debug)]
struct Overlap {
    /// The last second of it.
    until: i64,
    left: HashMap<u64, u32>,
}

/// The line that is being read.
#[derive(Debug, Default)]
struct Line {
    /// Its time as text, as far as it has come.
    head: Vec<u8>,
    time: Option<Timestamp>,
    /// Whether it may be one that is here: then its text is kept until its end says so.
    doubtful: bool,
    /// Whether it is the rest of a line that began before what is being read: that one is here.
    is_rest: bool,
    text: Vec<u8>,
    given: usize,
    hasher: DefaultHasher,
}

impl Copied {
    /// What the log in directory `dir` has.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let mut copied = Self::default();
        let mut hasher = DefaultHasher::new();
        let mut bytes = 0;
        for_each_record(dir, |time, text, ends| {
            hasher.write(text);
            bytes += text.len();
            copied.newest = copied.newest.max(Some(time));
            copied.part = (!ends).then_some((time, bytes));
            if ends {
                copied.remember(time, &std::mem::take(&mut hasher));
                bytes = 0;
            }
        })?;
        Ok(copied)
    }

    /// The time of the newest line.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Whether all that is here are whole lines: then the log itself says what is here.
    pub(super) fn is_between_lines(&self) -> bool {
        self.part.is_none() && self.line.time.is_none() && self.line.head.is_empty()
    }

    /// From when on a reading is to be: whole seconds, as the API has them, and one more, since two streams of one
    /// container may be a little out of order.
    pub(super) fn since(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.newest?.as_second() - 1).ok()
    }

    /// Begins a reading that is [`since`](Self::since) then.
    pub(super) fn begin(&mut self) {
        let broken = std::mem::take(&mut self.line);
        if let Some(time) = broken.time
            && !broken.doubtful
            && broken.given > 0
        {
            self.part = Some((time, broken.given));
        }
        let Some(until) = self.newest.map(Timestamp::as_second) else { return };
        self.at_first = true;
        let left = self.lines.iter().filter(|(_, seen)| seen.second >= until - 1);
        let left = left.map(|(key, seen)| (*key, seen.times)).collect();
        self.overlap = Some(Overlap { until, left });
    }

    /// Takes a chunk, and gives the text in it that is new, with the time of its line.
    pub(super) fn take(&mut self, chunk: &[u8], mut give: impl FnMut(&[u8], Timestamp)) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let mut rest = piece;
            if self.line.time.is_none() {
                let Some(end) = rest.iter().position(|byte| matches!(byte, b' ' | b'\n')) else {
                    self.line.head.extend_from_slice(rest);
                    continue;
                };
                self.line.head.extend_from_slice(&rest[..end]);
                rest = if rest[end] == b' ' { &rest[end + 1..] } else { &rest[end..] };
                self.line_begins(&mut give);
            }
            let Some(time) = self.line.time else { continue };
            if self.line.is_rest {
                if rest.ends_with(b"\n") {
                    self.line = Line::default();
                }
                continue;
            }
            let (text, ends) = rest.strip_suffix(b"\n").map_or((rest, false), |text| (text, true));
            self.line.hasher.write(text);
            if self.line.doubtful {
                self.line.text.extend_from_slice(text);
            } else {
                self.line.given += text.len();
                give(text, time);
            }
            if ends {
                self.line_ends(time, &mut give);
            }
        }
    }

    /// The log has no more for now: what it has of a line that is not ended is given.
    pub(super) fn pause(&mut self, mut give: impl FnMut(&[u8], Timestamp)) {
        let is_new = |time: &Timestamp| self.line.doubtful && !self.line.is_rest && !self.is_here(*time);
        let Some(time) = self.line.time.filter(is_new) else { return };
        let here = self.part.filter(|(at, _)| *at == time).map_or(0, |(_, bytes)| bytes);
        if let Some(new) = self.line.text.get(here..) {
            give(new, time);
            self.newest = self.newest.max(Some(time));
            self.part = Some((time, self.line.text.len()));
        }
    }

    /// A container has ended, and with it its last line.
    pub(super) fn end(&mut self, mut give: impl FnMut(&[u8], Timestamp)) {
        if std::mem::take(&mut self.line.is_rest) {
            self.line = Line::default();
        }
        if let Some(time) = self.line.time {
            self.line_ends(time, &mut give);
        }
    }

    /// Whether the line of `time` that is being read is here as a whole, if it ends so.
    fn is_here(&self, time: Timestamp) -> bool {
        let key = key(time, &self.line.hasher);
        self.overlap.as_ref().and_then(|overlap| overlap.left.get(&key)).is_some_and(|left| *left > 0)
    }

    fn line_begins(&mut self, give: &mut impl FnMut(&[u8], Timestamp)) {
        let written = std::str::from_utf8(&self.line.head).ok().and_then(|time| time.parse().ok());
        // A runtime keeps a long line in pieces, of which the node gives those that were written since. They have no time
        // there, since the line has one where it begins.
        self.line.is_rest = std::mem::take(&mut self.at_first) && written.is_none();
        // A line of the API server's own has no time, and is part of the log all the same.
        let time: Timestamp = written.or(self.newest).unwrap_or(Timestamp::UNIX_EPOCH);
        if self.overlap.as_ref().is_some_and(|overlap| time.as_second() > overlap.until) {
            self.overlap = None;
            if let Some((at, _)) = self.part.take() {
                // It did not come again.
                give(b"\n", at);
            }
        }
        self.line.time = Some(time);
        self.line.doubtful = self.overlap.is_some();
        if !self.line.doubtful {
            self.newest = self.newest.max(Some(time));
        }
    }

    fn line_ends(&mut self, time: Timestamp, give: &mut impl FnMut(&[u8], Timestamp)) {
        let line = std::mem::take(&mut self.line);
        if line.doubtful {
            let left =
                self.overlap.as_mut().and_then(|overlap| overlap.left.get_mut(&key(time, &line.hasher)));
            if let Some(left) = left.filter(|left| **left > 0) {
                *left -= 1;
                return;
            }
            let begun = self.part.take_if(|(at, bytes)| *at == time && *bytes <= line.text.len());
            give(&line.text[begun.map_or(0, |(_, bytes)| bytes)..], time);
            self.newest = self.newest.max(Some(time));
        }
        give(b"\n", time);
        self.remember(time, &line.hasher);
    }

    /// A whole line is here. Those of seconds that will not be asked for again are forgotten.
    fn remember(&mut self, time: Timestamp, text: &DefaultHasher) {
        let second = time.as_second();
        let oldest = self.newest.map_or(second, Timestamp::as_second) - 1;
        if self.lines.len() >= REMEMBERED || self.lines.values().next().is_some_and(|s| s.second < oldest) {
            self.lines.retain(|_, seen| seen.second >= oldest);
        }
        if self.lines.len() < REMEMBERED {
            self.lines.entry(key(time, text)).or_insert(Seen { second, times: 0 }).times += 1;
        }
    }
}

fn key(time: Timestamp, text: &DefaultHasher) -> u64 {
    let mut key = text.clone();
    time.as_nanosecond().hash(&mut key);
    key.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::log::{LogReader, LogWriter, Stream};

    /// A log as the API gives it: from a second on.
    fn served(lines: &[(&str, &str)], since: Option<Timestamp>) -> String {
        let from = |time: &str| since.is_none_or(|since| time.parse::<Timestamp>().unwrap() >= since);
        lines.iter().filter(|(time, _)| from(time)).map(|(time, text)| format!("{time} {text}")).collect()
    }

    const LINES: [(&str, &str); 9] = [
        ("2026-12-01T02:00:00.100000000Z", "one\n"),
        ("2026-12-01T02:00:00.200000000Z", "same\n"),
        ("2026-12-01T02:00:00.200000000Z", "same\n"),
        ("2026-12-01T02:00:00.900000000Z", "\n"),
        ("2026-12-01T02:00:01.000000001Z", "a somewhat longer line\n"),
        ("2026-12-01T02:00:01.000000000Z", "late\n"),
        ("2026-12-01T02:00:01.500000000Z", "same\n"),
        ("2026-12-01T02:00:05.000000000Z", "five\n"),
        ("2026-12-01T02:00:05.000000000Z", "no newline"),
    ];

    /// Whatever byte a reading breaks off at, and wherever the daemon is killed, each line is here once.
    #[test]
    fn a_log_that_breaks_off_anywhere_is_here_once() {
        let whole: String = LINES.iter().map(|(_, text)| *text).collect();
        let all = served(&LINES, None);
        for (first, restart) in (0..=all.len()).flat_map(|at| [(at, false), (at, true)]) {
            let dir = tempfile::tempdir().unwrap();
            let open = || {
                (LogWriter::resume(dir.path().to_owned(), 1 << 20).unwrap(), Copied::of(dir.path()).unwrap())
            };
            let (mut log, mut copied) = open();
            assert_eq!(copied.since(), None);
            copied.begin();
            copied.take(&all.as_bytes()[..first], |text, at| log.take(Stream::Out, text, at));
            if restart {
                (log, copied) = open();
            }
            for second in [3, 40, usize::MAX] {
                let text = served(&LINES, copied.since());
                copied.begin();
                let chunk = &text.as_bytes()[..second.min(text.len())];
                for byte in chunk {
                    copied.take(&[*byte], |text, at| log.take(Stream::Out, text, at));
                }
            }
            copied.pause(|text, at| log.take(Stream::Out, text, at));
            log.finish(Stream::Out, copied.newest().unwrap());
            let mut reader = LogReader::new(dir.path().to_owned(), false);
            let mut read = Vec::new();
            while let Some(more) = reader.read().unwrap() {
                read.extend(more);
            }
            assert_eq!(String::from_utf8(read).unwrap(), whole, "broken at {first}, restarted: {restart}");
        }
    }

    /// A line whose pieces a runtime read for longer than a reading goes back.
    #[test]
    fn the_rest_of_a_long_line_that_is_here_is_passed_over() {
        let begin = "2026-12-01T02:00:01.400000000Z A first, ";
        let rest = "then the rest\n2026-12-01T02:00:03.700000000Z after\n";
        let last = "2026-12-01T02:00:09.000000000Z last\n";
        for (broken, restart) in (0..=rest.len()).flat_map(|at| [(at, false), (at, true)]) {
            let dir = tempfile::tempdir().unwrap();
            let open = || {
                (LogWriter::resume(dir.path().to_owned(), 1 << 20).unwrap(), Copied::of(dir.path()).unwrap())
            };
            let (mut log, mut copied) = open();
            copied.begin();
            copied.take(format!("{begin}{rest}").as_bytes(), |text, at| log.take(Stream::Out, text, at));
            for served in [&rest[..broken], &format!("{rest}{last}")] {
                if restart {
                    (log, copied) = open();
                }
                assert_eq!(copied.since().unwrap().to_string(), "2026-12-01T02:00:02Z");
                copied.begin();
                copied.take(served.as_bytes(), |text, at| log.take(Stream::Out, text, at));
            }
            copied.end(|text, at| log.take(Stream::Out, text, at));
            let mut reader = LogReader::new(dir.path().to_owned(), false);
            let text: Vec<u8> = std::iter::from_fn(|| reader.read().unwrap()).flatten().collect();
            let text = String::from_utf8(text).unwrap();
            assert_eq!(
                text, "A first, then the rest\nafter\nlast\n",
                "broken at {broken}, restarted: {restart}"
            );
        }
    }
}
