//! The record of a task: one file, to which a line is added for each thing that happens to it.
//!
//! The first line is the object, the others are [`Entry`]s: that it started, and how it ended. Behind them
//! blanks take the space that further lines will need, so that these can be written on a full disk, and
//! change nothing but the data of the file. A line is there once its newline is; what stands behind the
//! last whole line, or as a last line does not read, is one that a crash broke off, and nothing followed
//! from it.
//!
//! Its shim holds the file locked as long as it lives ([`lock`](super::lock)).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lock;
use super::process::Identity;
use crate::executor::pipeline_run::PipelineRun;
use crate::task::Outcome;

/// More than the entries of a task take.
const RESERVED: usize = 4096;

/// What happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Entry {
    /// The command is about to run. Nobody else may run it from now on.
    Started(Started),
    /// It has ended so. There is no other end than this.
    Ended(Outcome),
}

/// The command of a task, about to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    /// When.
    pub(super) at: Timestamp,
    /// The process that becomes the command; it leads a process group of its own.
    pub(super) process: Identity,
    /// The `NAME=value` in the environment of this execution's processes and of no others.
    pub(super) mark: String,
    /// Its cgroup, where it has one.
    pub(super) cgroup: Option<PathBuf>,
    /// Whether its working directory stays.
    pub(super) keep_workdir: bool,
}

/// A record that is written to.
#[derive(Debug)]
pub(super) struct Record {
    file: File,
    /// Where the next line goes.
    end: u64,
}

impl Record {
    /// Creates the record at `path`, which must be new, with `object` as its first line, and locks it for
    /// as long as this process lives. It is not durable before the first entry.
    pub(super) fn create(path: &Path, object: &str) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        lock::take(&file)?;
        let mut text = Vec::with_capacity(object.len() + 1 + RESERVED);
        text.extend_from_slice(object.as_bytes());
        text.push(b'\n');
        let end = text.len() as u64;
        text.resize(text.len() + RESERVED, b' ');
        file.write_all_at(&text, 0)?;
        Ok(Self { file, end })
    }

    /// Adds to the record at `path`, whose shim is gone.
    pub(super) fn reopen(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let end = Recorded::read(&file, path)?.end;
        Ok(Self { file, end })
    }

    /// Writes `entry` down, such that it is there after a power cut too. Tried again, it takes the same
    /// place.
    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all_at(&line, self.end)?;
        self.file.sync_data()?;
        self.end += line.len() as u64;
        Ok(())
    }
}

/// What a record says.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    object: Vec<u8>,
    /// The command's start, once it is about to run.
    pub(super) started: Option<Started>,
    /// The task's end.
    pub(super) ended: Option<Outcome>,
    /// Where the last whole line ends.
    end: u64,
}

impl Recorded {
    /// Reads `file`, which is the one at `path` and has not been read from.
    pub(super) fn read(mut file: &File, path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut recorded = Self::default();
        let mut lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let Some(object) = lines.next() else { return Ok(recorded) };
        recorded.end = object.len() as u64;
        recorded.object = object.to_owned();
        while let Some(line) = lines.next() {
            match serde_json::from_slice(line) {
                Ok(Entry::Started(started)) => recorded.started = Some(started),
                Ok(Entry::Ended(outcome)) => recorded.ended = Some(outcome),
                Err(error) => {
                    return if lines.next().is_none() { Ok(recorded) } else { Err(unreadable(path, &error)) };
                }
            }
            recorded.end += line.len() as u64;
        }
        Ok(recorded)
    }

    /// The object; `None` where its shim was killed before it was written.
    pub(super) fn object(&self, path: &Path) -> io::Result<Option<PipelineRun>> {
        if self.object.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&self.object).map(Some).map_err(|error| unreadable(path, &error))
    }
}

fn unreadable(path: &Path, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{}` does not read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{LogSize, Phase};

    fn started() -> Started {
        let process = Identity { pid: 7, ticks: 8, boot: "b".to_owned() };
        let at = Timestamp::UNIX_EPOCH;
        Started { at, process, mark: "M=1".to_owned(), cgroup: None, keep_workdir: false }
    }

    fn ended() -> Outcome {
        Outcome {
            phase: Phase::Succeeded,
            exit_code: Some(0),
            reason: "Completed".to_owned(),
            message: "it ended".to_owned(),
            started: None,
            finished: Timestamp::UNIX_EPOCH,
            log: LogSize::default(),
            image: None,
        }
    }

    fn read(path: &Path) -> io::Result<Recorded> {
        Recorded::read(&File::open(path)?, path)
    }

    #[test]
    fn entries_take_the_space_that_was_reserved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        let mut record = Record::create(&path, "{}").unwrap();
        let size = path.metadata().unwrap().len();
        let begun = read(&path).unwrap();
        assert_eq!((begun.started, begun.ended, begun.object), (None, None, b"{}\n".to_vec()));
        record.add(&Entry::Started(started())).unwrap();
        record.add(&Entry::Ended(ended())).unwrap();
        let over = read(&path).unwrap();
        assert_eq!((over.started, over.ended), (Some(started()), Some(ended())));
        assert_eq!(path.metadata().unwrap().len(), size);
    }

    #[test]
    fn a_record_cut_off_anywhere_reads_as_what_was_whole_and_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        let mut record = Record::create(&path, "{}").unwrap();
        record.add(&Entry::Started(started())).unwrap();
        let begun = record.end as usize;
        record.add(&Entry::Ended(ended())).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..record.end as usize {
            for fill in [&b""[..], b"   ", b"  \n   "] {
                std::fs::write(&path, [&whole[..cut], fill].concat()).unwrap();
                let recorded = read(&path).unwrap();
                assert!(recorded.ended.is_none() || cut + 1 == record.end as usize, "{cut}");
                assert_eq!(recorded.started.is_some(), cut >= begun - usize::from(fill.len() > 3), "{cut}");
                if cut >= begun {
                    Record::reopen(&path).unwrap().add(&Entry::Ended(ended())).unwrap();
                    let recorded = read(&path).unwrap();
                    assert_eq!((recorded.started, recorded.ended), (Some(started()), Some(ended())), "{cut}");
                }
            }
        }
    }

    #[test]
    fn a_line_among_others_that_does_not_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        std::fs::write(&path, "{}\n?\n?\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("does not read"), "{error}");
    }
}
