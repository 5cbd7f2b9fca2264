//! Writing a log within its bounds.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use jiff::Timestamp;

use super::line::{Splitter, Stream, write_record, written_time};
use super::{Segment, size};
use crate::task::LogSize;

/// How many segments the tail has. The oldest goes as a whole.
const TAIL: usize = 4;
/// Below this a log is not worth its name.
const LEAST: u64 = 4 << 10;
/// More than time, stream and tag of a record take.
const PREFIX: usize = 64;

/// Writes a task's log: half of its bytes go to the head, the other half to the newest lines.
///
/// A log that cannot be written (the disk is full) does not stop the task: what did not fit is cut, and
/// stated as such.
#[derive(Debug)]
pub(in super::super) struct LogWriter {
    dir: PathBuf,
    head: u64,
    segment: u64,
    /// Bytes of log so far, those that were cut included.
    position: u64,
    open: Option<Open>,
    tail: VecDeque<Segment>,
    /// Records not written yet.
    records: Vec<u8>,
    splitters: [Splitter; 2],
}

#[derive(Debug)]
struct Open {
    file: File,
    length: u64,
    most: u64,
}

impl LogWriter {
    /// Begins a log in directory `dir`, of at most `most` bytes.
    pub(in super::super) fn new(dir: PathBuf, most: u64) -> Self {
        let most = most.max(LEAST);
        let segment = most / 2 / TAIL as u64;
        let longest = usize::try_from(segment).unwrap_or(usize::MAX) - PREFIX;
        Self {
            dir,
            head: most / 2,
            segment,
            position: 0,
            open: None,
            tail: VecDeque::new(),
            records: Vec::new(),
            splitters: [Splitter::new(longest), Splitter::new(longest)],
        }
    }

    /// Takes a chunk that the task wrote to `stream`, and writes the lines that it completes.
    pub(in super::super) fn take(&mut self, stream: Stream, chunk: &[u8], now: Timestamp) {
        self.split(stream, now, |splitter, piece| splitter.feed(chunk, piece));
    }

    /// Writes what `stream` began and will not end.
    pub(in super::super) fn finish(&mut self, stream: Stream, now: Timestamp) {
        self.split(stream, now, |splitter, piece| splitter.finish(piece));
    }

    /// Writes a line of ours.
    pub(in super::super) fn note(&mut self, text: &str, now: Timestamp) {
        self.take(Stream::Err, format!("[tekcron: {text}]\n").as_bytes(), now);
    }

    /// What is kept, and what was cut.
    pub(in super::super) fn size(&self) -> io::Result<LogSize> {
        size(&self.dir)
    }

    fn split(
        &mut self,
        stream: Stream,
        now: Timestamp,
        split: impl FnOnce(&mut Splitter, &mut dyn FnMut(&[u8], bool)),
    ) {
        let time = written_time(now);
        let mut splitter = std::mem::replace(&mut self.splitters[stream as usize], Splitter::new(1));
        let mut record = Vec::new();
        split(&mut splitter, &mut |text, ends| {
            record.clear();
            write_record(&mut record, &time, stream, text, ends);
            self.add(&record);
        });
        self.splitters[stream as usize] = splitter;
        self.flush();
    }

    /// Adds a record, which no segment's end may divide.
    fn add(&mut self, record: &[u8]) {
        let room = self.open.as_ref().map_or(0, |open| open.most.saturating_sub(open.length));
        if (self.records.len() + record.len()) as u64 > room {
            self.flush();
            self.next_segment();
        }
        self.records.extend_from_slice(record);
    }

    fn next_segment(&mut self) {
        let is_head = self.open.is_none() && self.position == 0;
        if self.tail.len() == TAIL
            && let Some(oldest) = self.tail.pop_front()
        {
            // What cannot be removed makes the log longer than it should be, which is no reason to stop.
            let _ = fs::remove_file(oldest.path);
        }
        let segment = Segment::new(&self.dir, self.position);
        let file = File::options().append(true).create(true).mode(0o600).open(&segment.path);
        let most = if is_head { self.head } else { self.segment };
        self.open = file.ok().map(|file| Open { file, length: 0, most });
        if !is_head {
            self.tail.push_back(segment);
        }
    }

    fn flush(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let length = self.records.len() as u64;
        if let Some(open) = &mut self.open {
            match open.file.write_all(&self.records) {
                Ok(()) => open.length += length,
                Err(_) => {
                    // The next record begins a segment, so the gap shows.
                    let _ = open.file.set_len(open.length);
                    open.most = 0;
                }
            }
        }
        self.position += length;
        self.records.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::LogReader;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn read(dir: &std::path::Path) -> String {
        let mut reader = LogReader::new(dir.to_owned(), false);
        let mut text = Vec::new();
        while let Some(chunk) = reader.read().unwrap() {
            text.extend(chunk);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_log_within_its_bounds_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(dir.path().to_owned(), 8 << 10);
        log.take(Stream::Out, b"one\ntw", at(1));
        log.take(Stream::Err, b"oops\n", at(2));
        log.take(Stream::Out, b"o\nlast", at(3));
        log.finish(Stream::Out, at(4));
        assert_eq!(read(dir.path()), "one\noops\ntwo\nlast");
        assert_eq!(log.size().unwrap().cut, 0);
    }

    #[test]
    fn a_log_beyond_its_bounds_keeps_head_and_tail_and_states_the_cut() {
        let dir = tempfile::tempdir().unwrap();
        let most = 16 << 10;
        let mut log = LogWriter::new(dir.path().to_owned(), most);
        for number in 0..5000 {
            log.take(Stream::Out, format!("line {number}\n").as_bytes(), at(number));
        }
        let size = log.size().unwrap();
        assert!(size.kept <= most && size.kept > most / 2, "{size:?}");
        let text = read(dir.path());
        assert!(text.starts_with("line 0\nline 1\n"), "{text:.80}");
        assert!(text.ends_with("line 4998\nline 4999\n"));
        let cut = format!("[tekcron: {} bytes cut here]", size.cut);
        assert_eq!(text.lines().filter(|line| **line == cut).count(), 1, "{cut}");
        let numbers = text.lines().filter_map(|line| line.strip_prefix("line ")?.parse::<u32>().ok());
        assert_eq!(numbers.clone().count() + 1, text.lines().count(), "every other line is whole");
        assert!(numbers.is_sorted());
    }

    #[test]
    fn a_line_longer_than_a_segment_is_kept_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(dir.path().to_owned(), 8 << 10);
        let line = "x".repeat(3000);
        log.take(Stream::Out, line.as_bytes(), at(1));
        log.take(Stream::Out, b"\nend\n", at(2));
        assert_eq!(read(dir.path()), format!("{line}\nend\n"));
    }
}
