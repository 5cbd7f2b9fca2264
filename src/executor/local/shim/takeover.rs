//! Taking a name: once, whoever else tries.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use crate::durable::sync_dir;
use crate::executor::local::lock::Lock;
use crate::executor::local::place::TaskDir;
use crate::executor::local::record;
use crate::executor::local::request::{Report, Request};
use crate::executor::local::tree;

/// A task that is this process's own.
#[derive(Debug)]
pub(super) struct Taken {
    /// Its directory, complete and under its name.
    pub(super) dir: TaskDir,
    /// Where pokes arrive.
    pub(super) control: File,
    /// Shows that this process lives.
    _lock: Lock,
}

/// Takes the name, or says why not.
pub(super) fn take(request: &Request) -> Result<Taken, Report> {
    let dir = TaskDir::new(request.task_dir.clone());
    let new = dir.while_new();
    let taken = furnish(&new, request).and_then(|(lock, control)| {
        // Fails where a directory of that name is there, since no task's directory is ever empty.
        fs::rename(new.path(), dir.path())?;
        sync_dir(parent(dir.path()))?;
        Ok(Taken { dir, control, _lock: lock })
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

fn furnish(dir: &TaskDir, request: &Request) -> io::Result<(Lock, File)> {
    DirBuilder::new().mode(0o700).create(dir.path())?;
    let lock = Lock::create(&dir.lock())?;
    record::write(&dir.run(), &request.run)?;
    record::reserve(&dir.exit())?;
    DirBuilder::new().mode(0o700).create(dir.log())?;
    mkfifoat(CWD, dir.control(), Mode::RUSR | Mode::WUSR)?;
    // Open for writing too, lest the pipe looks closed between two pokes.
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed();
    let control = File::options().read(true).write(true).custom_flags(flags).open(dir.control())?;
    sync_dir(dir.path())?;
    Ok((lock, control))
}

fn parent(dir: &Path) -> &Path {
    dir.parent().expect("a task's directory has a parent")
}
