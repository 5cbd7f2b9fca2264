use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::limits::Class;
use crate::app::{AppName, Command};
use crate::job::JobRef;
use crate::schedule::Runs;
use crate::task::{Phase, Task, TaskId, TaskName, Trigger};

/// A task, whatever it is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TaskKey {
    pub(super) app: AppName,
    pub(super) id: TaskId,
}

impl From<&Task> for TaskKey {
    fn from(task: &Task) -> Self {
        Self { app: task.app.clone(), id: task.id }
    }
}

/// How far a task that has not ended has come. Finer than its phase, and never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its claim is on the way to the disk.
    Claiming,
    /// Claimed; a retry that waits for its due time.
    Waiting,
    /// Claimed; it waits for other runs of its job, or for room within its limits.
    Queued,
    /// Claimed, may start, and surely not at the executor; it waits for room there.
    Ready,
    /// The executor has been asked to take it.
    Submitting,
    /// The executor could not take it, or may have taken it unheard; it is asked, or looked for, again.
    Held,
    /// The executor has it.
    Confirmed,
}

impl Stage {
    fn occupies_executor(self) -> bool {
        matches!(self, Self::Submitting | Self::Confirmed)
    }
}

/// The most bytes of tasks that have not ended. Beyond it no run is taken on by hand; a slot always is.
const ROOM: usize = 128 << 20;

/// What a task takes whatever it is.
const LEAST: usize = 1 << 10;

#[derive(Debug)]
pub(super) struct Live {
    pub(super) task: Task,
    pub(super) stage: Stage,
    /// What it counts against while it runs.
    pub(super) class: Class,
    /// How often the executor could not take it, and since when.
    pub(super) refusals: u32,
    pub(super) refused_since: Option<Timestamp>,
    /// The executor may have it, unheard: a create may come through until then. Cleared when it was looked
    /// for after that, and is not there.
    pub(super) maybe_created: Option<Timestamp>,
}

/// The tasks that have not ended, by key, name and job.
#[derive(Debug, Default)]
pub(super) struct LiveTasks {
    /// Each behind a pointer: a table has room for up to twice as many as there are.
    tasks: HashMap<TaskKey, Box<Live>>,
    names: HashMap<TaskName, TaskKey>,
    jobs: HashMap<JobRef, JobRuns>,
    at_executor: usize,
    submitting: usize,
    bytes: usize,
}

/// The runs of one job, as its overlap policy sees them.
#[derive(Debug, Default)]
struct JobRuns {
    running: BTreeSet<TaskId>,
    waiting: BTreeSet<TaskId>,
}

impl LiveTasks {
    pub(super) fn insert(&mut self, task: Task, stage: Stage, class: Class) -> TaskKey {
        let key = TaskKey::from(&task);
        self.names.insert(task.name.clone(), key.clone());
        if let Some(job) = task.job_ref() {
            let runs = self.jobs.entry(job).or_default();
            if has_turn(&task) {
                runs.running.insert(task.id);
            } else if task.trigger != Trigger::Backfill {
                runs.waiting.insert(task.id);
            }
        }
        self.at_executor += usize::from(stage.occupies_executor());
        self.submitting += usize::from(stage == Stage::Submitting);
        self.bytes += size(&task);
        let live = Live { task, stage, class, refusals: 0, refused_since: None, maybe_created: None };
        self.tasks.insert(key.clone(), Box::new(live));
        key
    }

    pub(super) fn remove(&mut self, key: &TaskKey) -> Option<(Task, Class)> {
        let Live { task, stage, class, .. } = *self.tasks.remove(key)?;
        self.names.remove(&task.name);
        if let Some(job) = task.job_ref()
            && let Some(runs) = self.jobs.get_mut(&job)
        {
            runs.running.remove(&task.id);
            runs.waiting.remove(&task.id);
            if runs.running.is_empty() && runs.waiting.is_empty() {
                self.jobs.remove(&job);
            }
        }
        self.at_executor -= usize::from(stage.occupies_executor());
        self.submitting -= usize::from(stage == Stage::Submitting);
        self.bytes -= size(&task);
        Some((task, class))
    }

    /// A queued task may start, as soon as that is on disk.
    pub(super) fn start(&mut self, key: &TaskKey) -> Option<(Task, Class)> {
        let live = self.tasks.get_mut(key).filter(|live| live.task.phase == Phase::Queued)?;
        live.task.phase = Phase::Pending;
        live.stage = Stage::Claiming;
        if let Some(job) = live.task.job_ref() {
            let runs = self.jobs.entry(job).or_default();
            runs.waiting.remove(&key.id);
            runs.running.insert(key.id);
        }
        Some((live.task.clone(), live.class.clone()))
    }

    pub(super) fn get(&self, key: &TaskKey) -> Option<&Live> {
        self.tasks.get(key).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, key: &TaskKey) -> Option<&mut Live> {
        self.tasks.get_mut(key).map(Box::as_mut)
    }

    pub(super) fn task_mut(&mut self, key: &TaskKey) -> Option<&mut Task> {
        self.tasks.get_mut(key).map(|live| &mut live.task)
    }

    pub(super) fn set_stage(&mut self, key: &TaskKey, stage: Stage) {
        if let Some(live) = self.tasks.get_mut(key) {
            self.at_executor -= usize::from(live.stage.occupies_executor());
            self.at_executor += usize::from(stage.occupies_executor());
            self.submitting -= usize::from(live.stage == Stage::Submitting);
            self.submitting += usize::from(stage == Stage::Submitting);
            live.stage = stage;
        }
    }

    pub(super) fn key_of(&self, name: &TaskName) -> Option<TaskKey> {
        self.names.get(name).cloned()
    }

    /// The runs of a job that have not ended.
    pub(super) fn runs(&self, job: &JobRef) -> Runs<'_> {
        match self.jobs.get(job) {
            Some(JobRuns { running, waiting }) => Runs { running, waiting },
            None => Runs::NONE,
        }
    }

    /// How many the executor has, or has been asked to take.
    pub(super) fn at_executor(&self) -> usize {
        self.at_executor
    }

    /// How many it has been asked to take, and has not answered about.
    pub(super) fn submitting(&self) -> usize {
        self.submitting
    }

    /// Whether another run may be taken on by hand.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < ROOM
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&TaskKey, &Live)> {
        self.tasks.iter().map(|(key, live)| (key, live.as_ref()))
    }
}

/// Whether a task has its job's turn. Between two attempts it keeps it.
fn has_turn(task: &Task) -> bool {
    task.phase != Phase::Queued || task.trigger == Trigger::Retry
}

/// What a run was given is the part of a task that has no bound of its own, and never changes.
fn size(task: &Task) -> usize {
    let command = match &task.overrides.command {
        None => 0,
        Some(Command::Shell(line)) => line.len(),
        Some(Command::Exec(words)) => words.iter().map(|word| word.len() + size_of::<String>()).sum(),
    };
    let env: usize = task.overrides.env.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
    LEAST + command + env
}
