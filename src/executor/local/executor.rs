//! The executor as the rest of the program sees it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryFutureExt, stream};
use tokio::sync::mpsc;

use super::cgroup::{Delegated, Undelegated};

use super::place::{self, Standing, TaskDir};
use super::spawn::Spawner;
use super::watch::Watch;
use super::{process, submit, tree};
use crate::blocking::blocking;
use crate::clock::SharedClock;
use crate::executor::log::{LogReader, next_text};
use crate::executor::{
    Executor, ExecutorError, LogQuery, LogStream, Observation, Observed, Submission, SubmitError, Submitted,
};
use crate::task::TaskName;

/// Ends that the dispatcher has not taken yet; those who bring further ones wait.
const OBSERVATIONS: usize = 1024;

/// Where and how tasks are executed.
#[derive(Debug, Clone)]
pub struct LocalSettings {
    /// The data directory, absolute. Tasks stand in `tasks`, lasting directories in `state`.
    pub data_dir: PathBuf,
    /// The most tasks at once.
    pub max_children: usize,
    /// The tekcron binary, run as `<shim> shim`.
    pub shim: PathBuf,
}

/// Why tasks cannot be executed here.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A directory for tasks cannot be made.
    #[error("making `{}` failed", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What an earlier run left half made cannot be removed.
    #[error("tidying `{}` failed", path.display())]
    Tidy {
        /// The directory of tasks.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Executes PipelineRuns as processes on this machine.
pub struct LocalExecutor {
    pub(super) settings: LocalSettings,
    pub(super) tasks: PathBuf,
    pub(super) cgroup: Option<Delegated>,
    caveats: Vec<String>,
    pub(super) spawner: Spawner,
    pub(super) watch: Watch,
    clock: SharedClock,
    observations: Mutex<Option<mpsc::Receiver<Observation>>>,
}

impl LocalExecutor {
    /// Takes up the tasks of an earlier run where they stand. Called within a tokio runtime.
    ///
    /// # Errors
    /// [`LocalError`]. A control group that cannot be had is not an error, but a [caveat](Executor::caveats).
    pub fn open(settings: LocalSettings, clock: SharedClock) -> Result<Arc<dyn Executor>, LocalError> {
        let tasks = settings.data_dir.join("tasks");
        for path in [&tasks, &settings.data_dir.join("state")] {
            let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
            created.map_err(|source| LocalError::Create { path: path.clone(), source })?;
        }
        let tidied =
            place::leftovers(&tasks).and_then(|left| left.iter().try_for_each(|path| tree::remove(path)));
        tidied.map_err(|source| LocalError::Tidy { path: tasks.clone(), source })?;
        let cgroup = Delegated::prepare();
        let caveats = caveats(cgroup.as_ref(), process::lists_children());
        let cgroup = cgroup.ok();
        let (send, receive) = mpsc::channel(OBSERVATIONS);
        Ok(Arc::new(Self {
            watch: Watch::new(settings.max_children, cgroup.clone(), Arc::clone(&clock), send),
            spawner: Spawner::new(settings.shim.clone()),
            settings,
            tasks,
            cgroup,
            caveats,
            clock,
            observations: Mutex::new(Some(receive)),
        }))
    }

    pub(super) fn dir(&self, name: &TaskName) -> TaskDir {
        TaskDir::of(&self.tasks, name)
    }

    async fn look(&self, name: &TaskName) -> io::Result<Observed> {
        let mut standing = self.watch.settle(self.dir(name)).await?;
        let lives = matches!(standing, Standing::Preparing | Standing::Running(_));
        if lives && !self.watch.adopt(name, &self.dir(name))? {
            // It ended just now, and nobody would tell.
            standing = self.watch.settle(self.dir(name)).await?;
        }
        Ok(standing.into())
    }

    async fn remove(&self, name: &TaskName) -> io::Result<()> {
        let dir = self.dir(name);
        // A shim that has written the end down may still be removing the working copy.
        self.watch.departed(&dir).await?;
        let gone = self.watch.take_away(dir).await?;
        blocking(move || gone.map_or(Ok(()), |path| tree::remove(&path))).await
    }

    async fn remove_log(&self, name: &TaskName) -> io::Result<()> {
        let dir = self.dir(name);
        blocking(move || match is_alive(&dir)? {
            true => Err(io::Error::other("it still runs")),
            false => tree::remove(&dir.log()),
        })
        .await
    }

    async fn cancel_task(&self, name: &TaskName) -> io::Result<()> {
        let dir = self.dir(name);
        blocking(move || if is_alive(&dir)? { dir.ask_to_terminate() } else { Ok(()) }).await
    }

    async fn read_log(&self, name: &TaskName, query: LogQuery) -> io::Result<LogStream> {
        let dir = self.dir(name);
        let mut reader = LogReader::new(dir.log(), query.timestamps);
        if let Some(lines) = query.tail {
            reader = blocking(move || reader.seek_tail(lines).map(|()| reader)).await?;
        }
        let clock = Arc::clone(&self.clock);
        let text = stream::try_unfold(reader, move |reader| {
            let (dir, clock) = (dir.clone(), Arc::clone(&clock));
            async move {
                let goes_on = move || Ok(query.follow && is_alive(&dir)?);
                next_text(reader, clock.as_ref(), goes_on).await
            }
        });
        Ok(text.boxed())
    }
}

impl Executor for LocalExecutor {
    fn capacity(&self) -> usize {
        self.settings.max_children
    }

    fn submit(&self, submission: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>> {
        submit::submit(self, submission).boxed()
    }

    fn cancel<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.cancel_task(name).map_err(|error| failed("terminating", name, error)).boxed()
    }

    fn delete<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.remove(name).map_err(|error| failed("deleting", name, error)).boxed()
    }

    fn delete_log<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.remove_log(name).map_err(|error| failed("deleting the log", name, error)).boxed()
    }

    fn observe<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>> {
        self.look(name).map_err(|error| failed("observing", name, error)).boxed()
    }

    fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        self.observations.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn logs<'a>(
        &'a self,
        name: &'a TaskName,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, ExecutorError>> {
        self.read_log(name, query).map_err(|error| failed("reading the log", name, error)).boxed()
    }

    fn caveats(&self) -> Vec<String> {
        self.caveats.clone()
    }
}

impl From<Standing> for Observed {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Absent | Standing::Abandoned => Self::Absent,
            Standing::Preparing => {
                Self::Submitted { message: Some("its working directory is being made ready".to_owned()) }
            }
            Standing::Running(started) | Standing::Orphaned(started) => Self::Running { started: started.at },
            Standing::Ended(outcome) => Self::Finished(Box::new(outcome)),
        }
    }
}

fn caveats(cgroup: Result<&Delegated, &Undelegated>, lists_children: bool) -> Vec<String> {
    let mut caveats = vec!["disk limits are not enforced by the embedded executor".to_owned()];
    let mut say = |words: &str| caveats.push(words.to_owned());
    match cgroup {
        Err(why) => {
            say(&format!("{why}, so CPU limits are not enforced"));
            say(
                "memory is added up a few times a second instead of being limited by the kernel: a task above its limit is killed a moment later",
            );
            say(
                "should the supervisor of a task be killed, descendants that left its process group and cleared their environment are not ended",
            );
        }
        Ok(cgroup) => {
            if !cgroup.cpu {
                say(
                    "the control group delegated to tekcron has no cpu controller, so CPU limits are not enforced",
                );
            }
            if !cgroup.memory {
                say(
                    "the control group delegated to tekcron has no memory controller, so memory is added up a few times a second instead of being limited by the kernel: a task above its limit is killed a moment later",
                );
            }
        }
    }
    match cgroup {
        _ if lists_children => {}
        Err(_) => say(
            "this kernel does not list children (CONFIG_PROC_CHILDREN), so memory is not watched, and processes that a command leaves behind are not ended",
        ),
        Ok(Delegated { memory: false, .. }) => {
            say("this kernel does not list children (CONFIG_PROC_CHILDREN), so memory is not watched");
        }
        Ok(_) => {}
    }
    caveats
}

fn is_alive(dir: &TaskDir) -> io::Result<bool> {
    Ok(matches!(dir.standing()?, Standing::Preparing | Standing::Running(_)))
}

fn failed(operation: &'static str, name: &TaskName, error: io::Error) -> ExecutorError {
    ExecutorError { operation, name: name.to_string(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(cgroup: Option<(bool, bool)>, lists_children: bool) -> String {
        let cgroup = cgroup.map(|(memory, cpu)| Delegated { base: PathBuf::from("/"), memory, cpu });
        caveats(cgroup.as_ref().ok_or(&Undelegated::Nothing), lists_children).join("\n")
    }

    #[test]
    fn what_is_limited_is_not_said_to_be_unlimited() {
        assert_eq!(notes(Some((true, true)), true), notes(Some((true, true)), false));
        let words = |notes: String| {
            ["CPU limits are not enforced", "added up", "memory is not watched", "no control group"]
                .map(|words| notes.contains(words))
        };
        assert_eq!(words(notes(Some((true, true)), true)), [false; 4]);
        assert_eq!(words(notes(Some((false, true)), true)), [false, true, false, false]);
        assert_eq!(words(notes(Some((true, false)), true)), [true, false, false, false]);
        assert_eq!(words(notes(Some((false, false)), false)), [true, true, true, false]);
        assert_eq!(words(notes(None, true)), [true, true, false, true]);
        assert_eq!(words(notes(None, false)), [true; 4]);
    }
}
