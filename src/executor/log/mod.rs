//! A task's log on disk: every line with its time and stream, bounded, its middle cut if need be.
//!
//! A record is a line of text as container runtimes write it (CRI): `<RFC 3339> stdout|stderr F|P <text>`,
//! where `P` says that the line goes on in the next record of that stream. Records stand in segments,
//! files named by how many bytes of log precede them: the first segment is the head and stays, of the
//! others only the last few do. What is missing between the end of one segment and the name of the next
//! was cut. So the names say all there is to know, whenever the writer is killed.

mod follow;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod line;
mod read;
mod write;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub(in crate::executor) use self::follow::next_text;
pub(in crate::executor) use self::line::Stream;
pub(in crate::executor) use self::read::{LogReader, for_each_record};
pub(in crate::executor) use self::write::LogWriter;
use crate::task::LogSize;

/// A file of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Segment {
    /// How many bytes of log precede it.
    start: u64,
    path: PathBuf,
}

impl Segment {
    fn new(log: &Path, start: u64) -> Self {
        Self { start, path: log.join(format!("{start:020}")) }
    }

    /// The segment of that name; none where the name is not as we write it, or beyond what a file can hold.
    fn named(log: &Path, name: &str) -> Option<Self> {
        let start = name.parse().ok().filter(|start| i64::try_from(*start).is_ok())?;
        Some(Self::new(log, start)).filter(|segment| segment.path.file_name() == Some(OsStr::new(name)))
    }
}

/// The segments of the log in directory `log`, in order. No directory is an empty log.
fn segments(log: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut segments: Vec<Segment> = names.filter_map(|name| Segment::named(log, &name)).collect();
    segments.sort();
    Ok(segments)
}

/// When the log in directory `log` was last written to, if ever.
pub(in crate::executor) fn last_written(log: &Path) -> io::Result<Option<Timestamp>> {
    let Some(newest) = segments(log)?.pop() else { return Ok(None) };
    Ok(Timestamp::try_from(fs::metadata(&newest.path)?.modified()?).ok())
}

/// What is kept of the log in directory `log`, and what was cut.
pub(in crate::executor) fn size(log: &Path) -> io::Result<LogSize> {
    let mut size = LogSize::default();
    let mut position = 0;
    for segment in segments(log)? {
        let length = fs::metadata(&segment.path)?.len();
        size.kept += length;
        size.cut += segment.start.saturating_sub(position);
        position = segment.start + length;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_as_we_write_them_are_segments() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path();
        let (first, last) = ("00000000000000000000", "09223372036854775807");
        for name in
            [last, first, "5", "+0000000000000000005", "18446744073709551615", "000000000000000000005"]
        {
            fs::write(log.join(name), "2026-12-01T02:00:00Z stdout F hello\n").unwrap();
        }
        let found: Vec<_> = segments(log).unwrap().into_iter().map(|segment| segment.path).collect();
        assert_eq!(found, [log.join(first), log.join(last)]);
        assert_eq!(size(log).unwrap().kept, 2 * 36);
        let mut reader = LogReader::new(log.to_owned(), false);
        let mut text = Vec::new();
        while let Some(more) = reader.read().unwrap() {
            text.extend(more);
        }
        let cut = i64::MAX - 36;
        assert_eq!(
            String::from_utf8(text).unwrap(),
            format!("hello\n[tekcron: {cut} bytes cut here]\nhello\n")
        );
    }
}
