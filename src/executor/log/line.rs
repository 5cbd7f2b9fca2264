//! Lines: from the chunks that a pipe gives, to records, and back.

use jiff::Timestamp;

/// The longest text of one record; a longer line takes several.
const LONGEST: usize = 16 << 10;

/// Where a task wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::executor) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

/// Makes lines, or pieces of long ones, out of chunks.
#[derive(Debug)]
pub(super) struct Splitter {
    begun: Vec<u8>,
    longest: usize,
}

impl Splitter {
    /// Lines above `longest` bytes come in pieces.
    pub(super) fn new(longest: usize) -> Self {
        Self { begun: Vec::new(), longest: longest.clamp(1, LONGEST) }
    }

    /// Takes `chunk`, and gives every piece that is complete, with whether it ends its line.
    pub(super) fn feed(&mut self, chunk: &[u8], mut piece: impl FnMut(&[u8], bool)) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (mut text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            while self.begun.len() + text.len() > self.longest {
                let (now, later) = text.split_at(self.longest - self.begun.len());
                self.begun.extend_from_slice(now);
                piece(&self.begun, false);
                self.begun.clear();
                text = later;
            }
            if ends && self.begun.is_empty() {
                piece(text, true);
                continue;
            }
            self.begun.extend_from_slice(text);
            if ends {
                piece(&self.begun, true);
                self.begun.clear();
            }
        }
    }

    /// Gives what came after the last line.
    pub(super) fn finish(&mut self, mut piece: impl FnMut(&[u8], bool)) {
        if !self.begun.is_empty() {
            piece(&self.begun, false);
            self.begun.clear();
        }
    }
}

/// Appends a record to `records`.
pub(super) fn write_record(records: &mut Vec<u8>, time: &str, stream: Stream, text: &[u8], ends: bool) {
    for part in [time.as_bytes(), b" ", stream.as_str().as_bytes(), if ends { b" F " } else { b" P " }, text]
    {
        records.extend_from_slice(part);
    }
    records.push(b'\n');
}

/// The time of a record, of one width so that columns align.
pub(super) fn written_time(now: Timestamp) -> String {
    format!("{now:.9}")
}

/// A record, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) time: &'a [u8],
    pub(super) stream: Stream,
    pub(super) ends: bool,
    pub(super) text: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a record, given without its newline.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.splitn(4, |byte| *byte == b' ');
        let (time, stream, tag, text) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let stream =
            [Stream::Out, Stream::Err].into_iter().find(|known| known.as_str().as_bytes() == stream)?;
        Some(Self { time, stream, ends: tag == b"F", text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(longest: usize, chunks: &[&str]) -> Vec<(String, bool)> {
        let mut splitter = Splitter::new(longest);
        let mut pieces = Vec::new();
        let mut keep = |text: &[u8], ends| pieces.push((String::from_utf8(text.to_vec()).unwrap(), ends));
        for chunk in chunks {
            splitter.feed(chunk.as_bytes(), &mut keep);
        }
        splitter.finish(&mut keep);
        pieces
    }

    #[test]
    fn lines_come_whole_however_they_were_chunked() {
        let text = "one\n\ntwo\nlast";
        let whole = pieces(100, &[text]);
        let expected = [("one", true), ("", true), ("two", true), ("last", false)];
        assert_eq!(whole, expected.map(|(text, ends)| (text.to_owned(), ends)));
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(pieces(100, &bytes), whole);
    }

    #[test]
    fn a_long_line_comes_in_pieces_and_a_fitting_one_does_not() {
        let expected = [("abcd", false), ("efgh", false), ("i", true), ("wxyz", true)];
        let expected = expected.map(|(text, ends)| (text.to_owned(), ends));
        assert_eq!(pieces(4, &["abcdefghi\nwxyz\n"]), expected);
        assert_eq!(pieces(4, &["ab", "cdef", "ghi\nwx", "yz\n"]), expected);
    }

    #[test]
    fn a_record_reads_back() {
        let mut written = Vec::new();
        let time = written_time("2026-12-01T02:00:00.5Z".parse().unwrap());
        write_record(&mut written, &time, Stream::Err, b"a  b\xff", true);
        assert_eq!(written, b"2026-12-01T02:00:00.500000000Z stderr F a  b\xff\n");
        let read = Record::parse(&written[..written.len() - 1]).unwrap();
        assert_eq!(
            read,
            Record { time: time.as_bytes(), stream: Stream::Err, ends: true, text: b"a  b\xff" }
        );
        assert_eq!(Record::parse(b"2026 stdin F x"), None);
        assert_eq!(Record::parse(b"2026 stdout"), None);
    }
}
