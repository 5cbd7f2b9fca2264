//! The directory of one task, and what it says of the task.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::pidfd_send_signal;

use super::lock;
use super::record::{Recorded, Started};
use super::shim::POKE;
use crate::durable::sync_dir;
use crate::executor::pipeline_run::PipelineRun;
use crate::task::{Outcome, TaskName};

/// Names in a directory of tasks that begin with this are no tasks: being made, or being removed.
const NO_TASK: &str = ".";

/// The directory of one task, whether it is there or not.
#[derive(Debug, Clone)]
pub(super) struct TaskDir {
    path: PathBuf,
}

/// How a task stands, by its directory and its lock.
#[derive(Debug)]
pub(super) enum Standing {
    /// There is no directory.
    Absent,
    /// Its shim prepares it.
    Preparing,
    /// Its command runs.
    Running(Started),
    /// It has ended.
    Ended(Outcome),
    /// Its shim went before it let the command run: nothing ran.
    Abandoned,
    /// Its shim went without writing down how it ended.
    Orphaned(Started),
}

impl TaskDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn of(tasks: &Path, name: &TaskName) -> Self {
        Self::new(tasks.join(name.as_str()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_there(&self) -> io::Result<bool> {
        fs::exists(&self.path)
    }

    pub(super) fn record(&self) -> PathBuf {
        self.path.join("record")
    }

    pub(super) fn terminate(&self) -> PathBuf {
        self.path.join("terminate")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// A name beside it for a directory that is being made by this process.
    pub(super) fn while_new(&self) -> Self {
        self.beside("new")
    }

    /// Takes the directory's name away, durably, and returns where it is now, to be removed.
    pub(super) fn give_up_name(&self) -> io::Result<PathBuf> {
        let gone = self.beside("gone").path;
        fs::rename(&self.path, &gone)?;
        sync_dir(self.path.parent().expect("a task's directory has a parent"))?;
        Ok(gone)
    }

    fn beside(&self, what: &str) -> Self {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let unique = uuid::Uuid::new_v4().simple();
        Self { path: self.path.with_file_name(format!("{NO_TASK}{what}-{name}-{unique}")) }
    }

    /// The object; `None` where the directory is not there.
    pub(super) fn read_run(&self) -> io::Result<Option<PipelineRun>> {
        let path = self.record();
        let Some(file) = open(&path)? else { return Ok(None) };
        Recorded::read(&file, &path)?.object(&path)
    }

    /// How the task stands now.
    pub(super) fn standing(&self) -> io::Result<Standing> {
        let path = self.record();
        let Some(file) = open(&path)? else {
            return Ok(if self.is_there()? { Standing::Abandoned } else { Standing::Absent });
        };
        // First the lock: whoever held it no more has written down what there was.
        let alive = lock::holder_of(&file)?.is_some();
        let recorded = Recorded::read(&file, &path)?;
        Ok(match (recorded.ended, alive, recorded.started) {
            (Some(outcome), _, _) => Standing::Ended(outcome),
            (None, true, Some(started)) => Standing::Running(started),
            (None, true, None) => Standing::Preparing,
            (None, false, Some(started)) => Standing::Orphaned(started),
            (None, false, None) => Standing::Abandoned,
        })
    }

    /// Asks the shim to end the task: durably, and at once where it lives.
    pub(super) fn ask_to_terminate(&self) -> io::Result<()> {
        fs::File::create(self.terminate())?.sync_all()?;
        sync_dir(&self.path)?;
        match lock::holder_descriptor(&self.record())? {
            None => Ok(()),
            Some(shim) => match pidfd_send_signal(&shim, POKE) {
                // It has just ended.
                Err(rustix::io::Errno::SRCH) => Ok(()),
                told => Ok(told?),
            },
        }
    }
}

/// Opens a record, where it is there.
fn open(path: &Path) -> io::Result<Option<fs::File>> {
    match fs::File::open(path) {
        // A path through something that is not a directory does not exist either.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

/// The directories in `tasks` that are no tasks and that nobody works on: left by a crash.
pub(super) fn leftovers(tasks: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(tasks)? {
        let entry = entry?;
        let is_task = !entry.file_name().to_string_lossy().starts_with(NO_TASK);
        if !is_task && lock::holder(&TaskDir::new(entry.path()).record())?.is_none() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
