//! Taking a name: once, whoever else tries.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::durable::sync_dir;
use crate::executor::local::place::TaskDir;
use crate::executor::local::record::{Entry, Record};
use crate::executor::local::request::{Report, Request};
use crate::executor::local::tree;

/// A task that is this process's own.
#[derive(Debug)]
pub(super) struct Taken {
    /// Its directory, complete and under its name.
    pub(super) dir: TaskDir,
    /// Held locked, which shows that this process lives.
    record: Record,
    /// Whether the names of record and directory are durable.
    named: bool,
}

/// Takes the name, or says why not.
///
/// Nothing of it is durable yet: after a power cut it is as if nobody had come, which is what is true then.
pub(super) fn take(request: &Request) -> Result<Taken, Report> {
    let dir = TaskDir::new(request.task_dir.clone());
    let new = dir.while_new();
    let taken = furnish(&new, request).and_then(|record| {
        // Fails where a directory of that name is there, since no task's directory is ever empty.
        fs::rename(new.path(), dir.path())?;
        Ok(Taken { dir, record, named: false })
    });
    taken.map_err(|error| {
        // What cannot be removed now is at the next start of the daemon.
        let _ = tree::remove(new.path());
        match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => Report::Exists,
            _ => Report::Failed(format!("making the task's directory failed: {error}")),
        }
    })
}

fn furnish(dir: &TaskDir, request: &Request) -> io::Result<Record> {
    DirBuilder::new().mode(0o700).create(dir.path())?;
    Record::create(&dir.record(), request.run.get())
}

impl Taken {
    /// Writes `entry` down, durably, and with it the task itself.
    pub(super) fn write_down(&mut self, entry: &Entry) -> io::Result<()> {
        self.record.add(entry)?;
        if !self.named {
            sync_dir(self.dir.path())?;
            sync_dir(parent(self.dir.path()))?;
            self.named = true;
        }
        Ok(())
    }
}

fn parent(dir: &Path) -> &Path {
    dir.parent().expect("a task's directory has a parent")
}
