//! Writing a log within its bounds.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use jiff::Timestamp;

use super::line::{Splitter, Stream, write_record, written_time};
use super::{Segment, segments, size};
use crate::task::LogSize;

/// How many segments the tail has. The oldest goes as a whole.
const TAIL: usize = 4;
/// Records are written when they are this many bytes: short lines are many times longer as records.
const BATCH: usize = 64 << 10;
/// Below this a log is not worth its name.
const LEAST: u64 = 4 << 10;
/// More than time, stream and tag of a record take.
const PREFIX: usize = 64;

/// Writes a task's log: half of its bytes go to the head, the other half to the newest lines.
///
/// A log that cannot be written (the disk is full) does not stop the task: what did not fit is cut, and
/// stated as such.
#[derive(Debug)]
pub(in crate::executor) struct LogWriter {
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
    path: PathBuf,
    file: File,
    length: u64,
    most: u64,
}

impl LogWriter {
    /// Begins a log in directory `dir`, of at most `most` bytes.
    pub(in crate::executor) fn new(dir: PathBuf, most: u64) -> Self {
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

    /// Goes on with the log in directory `dir`, where its last whole record ends.
    pub(in crate::executor) fn resume(dir: PathBuf, most: u64) -> io::Result<Self> {
        let mut segments = segments(&dir)?;
        let mut log = Self::new(dir, most);
        let Some(newest) = segments.pop() else { return Ok(log) };
        let content = fs::read(&newest.path)?;
        let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1) as u64;
        let file = File::options().append(true).open(&newest.path)?;
        file.set_len(whole)?;
        log.position = newest.start + whole;
        let is_head = newest.start == 0;
        let most = if is_head { log.head } else { log.segment };
        log.open = Some(Open { path: newest.path.clone(), file, length: whole, most });
        log.tail = segments.into_iter().filter(|segment| segment.start > 0).collect();
        if !is_head {
            log.tail.push_back(newest);
        }
        Ok(log)
    }

    /// Takes a chunk that the task wrote to `stream`, and writes the lines that it completes.
    pub(in crate::executor) fn take(&mut self, stream: Stream, chunk: &[u8], now: Timestamp) {
        self.split(stream, now, |splitter, piece| splitter.feed(chunk, piece));
    }

    /// Writes what `stream` began and will not end.
    pub(in crate::executor) fn finish(&mut self, stream: Stream, now: Timestamp) {
        self.split(stream, now, |splitter, piece| splitter.finish(piece));
    }

    /// Writes a line of ours.
    pub(in crate::executor) fn note(&mut self, text: &str, now: Timestamp) {
        self.take(Stream::Err, format!("[tekcron: {text}]\n").as_bytes(), now);
    }

    /// Ends the log. Where its last lines could not be written, a segment without any shows the gap.
    pub(in crate::executor) fn close(&mut self) {
        if self.open.take().is_none() && self.position > 0 {
            // Without it the log just ends early.
            let _ = self.create(&Segment::new(&self.dir, self.position));
        }
    }

    /// What is kept, and what was cut.
    pub(in crate::executor) fn size(&self) -> io::Result<LogSize> {
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
            self.open = None;
            self.next_segment();
        }
        self.records.extend_from_slice(record);
        if self.records.len() >= BATCH {
            self.flush();
        }
    }

    fn next_segment(&mut self) {
        let is_head = self.position == 0;
        if self.tail.len() == TAIL
            && let Some(oldest) = self.tail.pop_front()
        {
            // What cannot be removed makes the log longer than it should be, which is no reason to stop.
            let _ = fs::remove_file(oldest.path);
        }
        let segment = Segment::new(&self.dir, self.position);
        let file = self.create(&segment);
        let most = if is_head { self.head } else { self.segment };
        let Ok(file) = file else { return };
        self.open = Some(Open { path: segment.path.clone(), file, length: 0, most });
        if !is_head {
            self.tail.push_back(segment);
        }
    }

    /// Creates a segment, and before the first one the log's directory: many tasks write nothing.
    fn create(&self, segment: &Segment) -> io::Result<File> {
        let open = || File::options().append(true).create(true).mode(0o600).open(&segment.path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(0o700).create(&self.dir)?;
                open()
            }
            file => file,
        }
    }

    fn flush(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let records = std::mem::take(&mut self.records);
        self.position += records.len() as u64;
        if let Some(mut open) = self.open.take() {
            if open.append(&records) {
                self.open = Some(open);
            } else if open.length == 0 {
                self.take_back(&open);
            }
        }
        self.records = records;
        self.records.clear();
    }

    /// Removes a segment that nothing could be written to, which must not push others out.
    fn take_back(&mut self, open: &Open) {
        // An empty file does no harm.
        let _ = fs::remove_file(&open.path);
        if self.tail.back().is_some_and(|newest| newest.path == open.path) {
            self.tail.pop_back();
        }
    }
}

impl Open {
    /// Writes as many of `records` as fit on the disk, whole ones. Returns whether all did.
    fn append(&mut self, records: &[u8]) -> bool {
        let mut written = 0;
        let complete = loop {
            match self.file.write(&records[written..]) {
                Ok(0) => break written == records.len(),
                Ok(length) => written += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break false,
            }
        };
        let whole =
            records[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        self.length += whole as u64;
        if !complete {
            // Half a record at the end of a segment is not read anyway.
            let _ = self.file.set_len(self.length);
        }
        complete
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
    fn lines_that_could_not_be_written_are_stated_as_cut_wherever_they_were() {
        let home = tempfile::tempdir().unwrap();
        let (dir, away) = (home.path().join("log"), home.path().join("away"));
        fs::create_dir(&dir).unwrap();
        let mut log = LogWriter::new(dir.clone(), 4 << 10);
        let mut write = |lines: std::ops::Range<i64>| {
            for number in lines {
                log.take(Stream::Out, format!("line {number}\n").as_bytes(), at(number));
            }
        };
        write(0..30);
        let take_away = || fs::rename(&dir, &away).and_then(|()| fs::write(&dir, "in the way")).unwrap();
        let bring_back = || fs::remove_file(&dir).and_then(|()| fs::rename(&away, &dir)).unwrap();
        take_away();
        write(30..100);
        bring_back();
        write(100..101);
        take_away();
        write(101..200);
        bring_back();
        log.close();
        let size = log.size().unwrap();
        let text = read(&dir);
        assert!(text.starts_with("line 0\nline 1\n"), "{text}");
        assert!(text.ends_with("bytes cut here]\n"), "{text}");
        assert!(text.contains("\nline 100\n"), "{text}");
        let cut = |line: &str| line.strip_prefix("[tekcron: ")?.split(' ').next()?.parse::<u64>().ok();
        let stated: u64 = text.lines().filter_map(cut).sum();
        assert_eq!(stated, size.cut);
        assert!(stated > 0);
    }

    #[test]
    fn a_log_goes_on_where_its_last_whole_record_ended() {
        let dir = tempfile::tempdir().unwrap();
        let most = 16 << 10;
        let whole = tempfile::tempdir().unwrap();
        let mut expected = LogWriter::new(whole.path().to_owned(), most);
        for number in 0..3000 {
            let mut log = LogWriter::resume(dir.path().to_owned(), most).unwrap();
            for log in [&mut log, &mut expected] {
                log.take(Stream::Out, format!("line {number}\n").as_bytes(), at(number));
            }
            if number % 100 == 0 {
                // Killed in the middle of a record.
                let newest = segments(dir.path()).unwrap().pop().unwrap();
                let mut file = File::options().append(true).open(newest.path).unwrap();
                file.write_all(b"1970-01-01T00").unwrap();
            }
        }
        assert_eq!(read(dir.path()), read(whole.path()));
        assert_eq!(size(dir.path()).unwrap(), size(whole.path()).unwrap());
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
