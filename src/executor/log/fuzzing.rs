//! What holds for any files where a log is read, and for whatever a task writes.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::line::Record;
use super::{LogReader, LogWriter, Stream, segments, size};
use crate::task::LogSize;

/// See [`crate::fuzzing::log`].
pub(crate) fn log(input: &[u8]) {
    let dir = tempfile::tempdir().expect("there is room for a directory");
    match input.split_first() {
        Some((b'r', files)) => found(dir.path(), files),
        Some((b'w', written)) => roundtrip(dir.path(), written),
        _ => {}
    }
}

/// Files that nobody knows where they come from.
fn found(dir: &Path, files: &[u8]) {
    let mut bytes = 0;
    for file in split(files, b"\n@") {
        let mut lines = file.splitn(2, |byte| *byte == b'\n');
        let name = lines.next().unwrap_or_default().strip_prefix(b"@").unwrap_or_default();
        let content = lines.next().unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let plain = !name.contains(['/', '\0']) && !matches!(name, "" | "." | "..") && name.len() < 256;
        if plain && fs::write(dir.join(name), content).is_ok() {
            bytes += content.len();
        }
    }
    // An error is an answer too; never to come to an end is none.
    let _ = size(dir);
    let _ = super::last_written(dir);
    for timestamps in [false, true] {
        let mut reader = LogReader::new(dir.to_owned(), timestamps);
        let _ = read(&mut reader, bytes);
        for lines in [0, 1, 3, usize::MAX] {
            let mut reader = LogReader::new(dir.to_owned(), timestamps);
            if reader.seek_tail(lines).is_ok() {
                let _ = read(&mut reader, bytes);
            }
        }
    }
}

fn split<'a>(mut text: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let ends = |text: &[u8]| text.windows(separator.len()).position(|window| window == separator);
    while let Some(end) = ends(text) {
        parts.push(&text[..end]);
        // The separator's last byte begins the next part.
        text = &text[end + separator.len() - 1..];
    }
    parts.push(text);
    parts
}

/// All that `reader` gives, in no more steps than there can be records and cuts in `bytes`.
fn read(reader: &mut LogReader, bytes: usize) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for _ in 0..=2 * bytes + 64 {
        match reader.read().ok()? {
            Some(more) => text.extend(more),
            None => return Some(text),
        }
    }
    panic!("the log has no end");
}

/// One chunk of a task's output.
struct Chunk {
    stream: Stream,
    text: Vec<u8>,
    /// Whether the stream ends behind it.
    ends: bool,
}

/// What a task writes is what is read, all of it or, where it is too much, its head and its tail.
fn roundtrip(dir: &Path, input: &[u8]) {
    let Some((most, input)) = input.split_first() else { return };
    let most = (4 << 10) + 256 * u64::from(*most);
    let chunks = chunks(input);
    let mut log = LogWriter::new(dir.to_owned(), most);
    let mut written = [Vec::new(), Vec::new()];
    for Chunk { stream, text, ends } in &chunks {
        log.take(*stream, text, Timestamp::UNIX_EPOCH);
        written[*stream as usize].extend_from_slice(text);
        if *ends {
            log.finish(*stream, Timestamp::UNIX_EPOCH);
        }
    }
    for stream in [Stream::Out, Stream::Err] {
        log.finish(stream, Timestamp::UNIX_EPOCH);
    }
    log.close();
    let size = log.size().expect("the log is there");
    assert!(size.kept <= most, "{size:?} of {most}");
    let bytes = usize::try_from(size.kept).expect("a log fits into memory");
    let read_all = || LogReader::new(dir.to_owned(), false);
    let text = read(&mut read_all(), bytes).expect("the log reads");
    kept(dir, &written, &text, size);
    for lines in [0, 1, 2, 10] {
        let mut reader = read_all();
        reader.seek_tail(lines).expect("the log reads");
        let tail = read(&mut reader, bytes).expect("the log reads");
        assert!(text.ends_with(&tail), "the tail of {lines} is none");
    }
}

/// A control byte (stream, end, repetitions), a length, and that many bytes; and so on.
fn chunks(mut input: &[u8]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    while let [control, length, rest @ ..] = input {
        let (text, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let stream = if control & 1 == 0 { Stream::Out } else { Stream::Err };
        let times = 1 + usize::from(control >> 2);
        chunks.push(Chunk { stream, text: text.repeat(times), ends: control & 2 != 0 });
        input = rest;
    }
    chunks
}

/// Each stream's records are what was written to it; and nothing gets lost between record and reader.
fn kept(dir: &Path, written: &[Vec<u8>; 2], text: &[u8], size: LogSize) {
    let (mut kept, mut shown) = ([Vec::new(), Vec::new()], Vec::new());
    for segment in segments(dir).expect("the log is there") {
        let records = fs::read(segment.path).expect("the segment is there");
        for record in records.split_inclusive(|byte| *byte == b'\n') {
            let record = record.strip_suffix(b"\n").expect("records are whole");
            let record = Record::parse(record).expect("what was written is a record");
            let stream = &mut kept[record.stream as usize];
            stream.extend_from_slice(record.text);
            stream.extend(record.ends.then_some(b'\n'));
            shown.extend_from_slice(record.text);
        }
    }
    if size.cut == 0 {
        assert_eq!(&kept, written);
        let without_ends: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\n').collect();
        assert_eq!(without_ends, shown);
    } else {
        let stated = text.windows(10).filter(|window| window == b"[tekcron: ").count();
        assert!(stated > 0, "a cut is stated");
        assert!(size.kept > 0);
    }
}
