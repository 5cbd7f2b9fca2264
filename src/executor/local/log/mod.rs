//! A task's log on disk: every line with its time and stream, bounded, its middle cut if need be.
//!
//! A record is a line of text as container runtimes write it (CRI): `<RFC 3339> stdout|stderr F|P <text>`,
//! where `P` says that the line goes on in the next record of that stream. Records stand in segments,
//! files named by how many bytes of log precede them: the first segment is the head and stays, of the
//! others only the last few do. What is missing between the end of one segment and the name of the next
//! was cut. So the names say all there is to know, whenever the writer is killed.

mod line;
mod read;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

pub(super) use self::line::Stream;
pub(super) use self::read::LogReader;
pub(super) use self::write::LogWriter;
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
}

/// The segments of the log in directory `log`, in order. No directory is an empty log.
fn segments(log: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let starts = names.filter_map(|name| name.parse().ok());
    let mut segments: Vec<Segment> = starts.map(|start| Segment::new(log, start)).collect();
    segments.sort();
    Ok(segments)
}

/// When the log in directory `log` was last written to, if ever.
pub(super) fn last_written(log: &Path) -> io::Result<Option<Timestamp>> {
    let Some(newest) = segments(log)?.pop() else { return Ok(None) };
    Ok(Timestamp::try_from(fs::metadata(&newest.path)?.modified()?).ok())
}

/// What is kept of the log in directory `log`, and what was cut.
pub(super) fn size(log: &Path) -> io::Result<LogSize> {
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
