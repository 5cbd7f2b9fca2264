//! Reading a log, while it is written too.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::line::{Record, Stream};
use super::{Segment, segments};

/// How much of a segment is read at once.
const CHUNK: u64 = 64 << 10;

/// Reads a log from front to back. At its end it may be asked again: the log may have grown.
#[derive(Debug)]
pub(in crate::executor) struct LogReader {
    dir: PathBuf,
    timestamps: bool,
    /// Bytes of log read so far, or cut before they could be.
    position: u64,
    open: Option<Open>,
    /// The stream whose line is not ended yet.
    open_line: Option<Stream>,
}

impl LogReader {
    /// Reads the log in directory `dir` from its beginning.
    pub(in crate::executor) fn new(dir: PathBuf, timestamps: bool) -> Self {
        Self { dir, timestamps, position: 0, open: None, open_line: None }
    }

    /// Goes to the last `lines` lines.
    pub(in crate::executor) fn seek_tail(&mut self, lines: usize) -> io::Result<()> {
        let mut starts = VecDeque::new();
        while let Some(found) = self.next()? {
            let Found::Records(records) = found else { continue };
            let mut at = self.position;
            for record in records.split_inclusive(|byte| *byte == b'\n') {
                let start = at;
                at += record.len() as u64;
                let Some(record) = parse(record) else { continue };
                if self.open_line != Some(record.stream) {
                    starts.push_back(start);
                }
                if starts.len() > lines {
                    starts.pop_front();
                }
                self.open_line = (!record.ends).then_some(record.stream);
            }
            self.position = at;
        }
        if let Some(start) = starts.front() {
            self.position = *start;
            self.open_line = None;
        }
        self.open = None;
        Ok(())
    }

    /// The next lines as people read them; `None` at the end, for now.
    pub(in crate::executor) fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        match self.next()? {
            None => return Ok(None),
            Some(Found::Cut(bytes)) => {
                self.end_line(&mut text);
                text.extend_from_slice(format!("[tekcron: {bytes} bytes cut here]\n").as_bytes());
            }
            Some(Found::Records(records)) => {
                for record in records.split_inclusive(|byte| *byte == b'\n').filter_map(parse) {
                    self.show(&record, &mut text);
                }
                self.position += records.len() as u64;
            }
        }
        Ok(Some(text))
    }

    fn show(&mut self, record: &Record<'_>, text: &mut Vec<u8>) {
        if self.open_line != Some(record.stream) {
            self.end_line(text);
            if self.timestamps {
                for part in [record.time, b" ", record.stream.as_str().as_bytes(), b" "] {
                    text.extend_from_slice(part);
                }
            }
        }
        text.extend_from_slice(record.text);
        self.open_line = Some(record.stream);
        if record.ends {
            self.end_line(text);
        }
    }

    fn end_line(&mut self, text: &mut Vec<u8>) {
        if self.open_line.take().is_some() {
            text.push(b'\n');
        }
    }

    /// What comes next. The position moves over a cut, and not over records.
    fn next(&mut self) -> io::Result<Option<Found>> {
        loop {
            // Looked at before reading: a segment that has a successor is complete.
            let segments = segments(&self.dir)?;
            if let Some(open) = &mut self.open {
                let records = whole_records(&mut open.file)?;
                if !records.is_empty() {
                    return Ok(Some(Found::Records(records)));
                }
            }
            let Some(segment) = self.following(segments) else { return Ok(None) };
            let mut file = match File::open(&segment.path) {
                // It was cut between looking and opening; the next look finds a later one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            let cut = segment.start.saturating_sub(self.position);
            self.position += cut;
            file.seek(SeekFrom::Start(self.position - segment.start))?;
            self.open = Some(Open { start: segment.start, file });
            if cut > 0 {
                return Ok(Some(Found::Cut(cut)));
            }
        }
    }

    /// The segment after the open one; where none is open, the one that holds the position, or else the
    /// first behind it.
    fn following(&self, segments: Vec<Segment>) -> Option<Segment> {
        if let Some(open) = &self.open {
            return segments.into_iter().find(|segment| segment.start > open.start);
        }
        let mut following = None;
        for segment in segments.into_iter().rev() {
            if segment.start > self.position {
                following = Some(segment);
                continue;
            }
            let offset = self.position - segment.start;
            let holds = offset == 0 || fs::metadata(&segment.path).is_ok_and(|file| file.len() > offset);
            return if holds { Some(segment) } else { following };
        }
        following
    }
}

/// Calls `each` with time, text and "its line ends here" of every record of the log in directory `dir`.
pub(in crate::executor) fn for_each_record(
    dir: &Path,
    mut each: impl FnMut(Timestamp, &[u8], bool),
) -> io::Result<()> {
    for segment in segments(dir)? {
        let content = fs::read(&segment.path)?;
        for record in content.split_inclusive(|byte| *byte == b'\n').filter_map(parse) {
            let time = std::str::from_utf8(record.time).ok().and_then(|time| time.parse().ok());
            if let Some(time) = time {
                each(time, record.text, record.ends);
            }
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Open {
    start: u64,
    file: File,
}

enum Found {
    Cut(u64),
    Records(Vec<u8>),
}

/// The records that follow in `segment`, without one that is not completely written.
fn whole_records(segment: &mut File) -> io::Result<Vec<u8>> {
    let mut records = Vec::new();
    segment.by_ref().take(CHUNK).read_to_end(&mut records)?;
    let end = records.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let begun = records.len() - end;
    records.truncate(end);
    segment.seek_relative(-(begun as i64))?;
    Ok(records)
}

fn parse(record: &[u8]) -> Option<Record<'_>> {
    Record::parse(record.strip_suffix(b"\n")?)
}
