use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::app::{AppName, LogsOnTerminate, Retention};
use crate::job::JobName;
use crate::task::{Phase, Task, TaskId, TaskName};

/// As much of a task as retention needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSummary {
    /// Its number on the App.
    pub id: TaskId,
    /// Its name.
    pub name: TaskName,
    /// Its job.
    pub job: Option<JobName>,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Bytes of its log on disk.
    pub log: u64,
    /// What becomes of the log of a terminated task.
    pub logs_on_terminate: LogsOnTerminate,
}

impl From<&Task> for TaskSummary {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id,
            name: task.name.clone(),
            job: task.job.clone(),
            phase: task.phase,
            finished: task.finished,
            log: task.log.kept,
            logs_on_terminate: task.logs_on_terminate,
        }
    }
}

/// A finished task, of any App, that still has a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedTask {
    /// The App.
    pub app: AppName,
    /// Its number on that App.
    pub id: TaskId,
    /// Its name.
    pub name: TaskName,
    /// When it ended.
    pub finished: Timestamp,
    /// Bytes of its log on disk.
    pub log: u64,
}

/// What goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Tasks that go with all that is left of them, oldest first.
    pub remove: Vec<TaskId>,
    /// Tasks of which only the log goes, oldest first: terminated, and their App wants it so.
    pub remove_logs: Vec<TaskId>,
}

/// Whether [`plan`] could find anything by number, given how many tasks the App has. Age is not asked
/// about: that takes a sweep now and then.
pub fn is_due(tasks: usize, retention: &Retention) -> bool {
    tasks > keep(retention)
}

/// What goes of the tasks of one App, which are given newest first.
///
/// Protected are tasks that have not ended and, of each job that `is_job` knows, the last success, the
/// last failure and the newest `keep_per_job`. All others go, oldest first, as long as there are more
/// than `keep` tasks in all; and those that ended longer than `keep_for` before `now`.
pub fn plan(
    tasks: &[TaskSummary],
    retention: &Retention,
    is_job: impl Fn(&JobName) -> bool,
    now: Timestamp,
) -> Plan {
    debug_assert!(tasks.is_sorted_by(|newer, older| newer.id > older.id), "newest first");
    let protected = protected(tasks, retention, is_job);
    let free = |task: &&TaskSummary| !protected.contains(&task.id);
    let aged = |task: &TaskSummary| match (retention.keep_for, task.finished) {
        (Some(keep_for), Some(finished)) => now.duration_since(finished) > keep_for,
        _ => false,
    };
    let too_old = tasks.iter().filter(free).filter(|task| aged(task)).count();
    let mut excess = (tasks.len() - too_old).saturating_sub(keep(retention));
    let mut plan = Plan::default();
    for task in tasks.iter().rev() {
        if free(&task) && (aged(task) || excess > 0) {
            excess -= usize::from(!aged(task));
            plan.remove.push(task.id);
        } else if unwanted_log(task) {
            plan.remove_logs.push(task.id);
        }
    }
    plan
}

/// Which logs go so that the rest fits into `budget` bytes: oldest finished first, however many there
/// are and in whatever order they are given.
pub fn plan_logs(mut logs: Vec<LoggedTask>, budget: u64) -> Vec<LoggedTask> {
    let total: u64 = logs.iter().fold(0, |sum, task| sum.saturating_add(task.log));
    let mut over = total.saturating_sub(budget);
    if over == 0 {
        return Vec::new();
    }
    logs.retain(|task| task.log > 0);
    logs.sort_by(|a, b| (a.finished, &a.app, a.id).cmp(&(b.finished, &b.app, b.id)));
    let enough = logs.iter().position(|task| {
        over = over.saturating_sub(task.log);
        over == 0
    });
    logs.truncate(enough.map_or(logs.len(), |last| last + 1));
    logs
}

fn keep(retention: &Retention) -> usize {
    usize::try_from(retention.keep).unwrap_or(usize::MAX)
}

fn unwanted_log(task: &TaskSummary) -> bool {
    task.phase == Phase::Cancelled && task.logs_on_terminate == LogsOnTerminate::Delete && task.log > 0
}

fn protected(
    tasks: &[TaskSummary],
    retention: &Retention,
    is_job: impl Fn(&JobName) -> bool,
) -> HashSet<TaskId> {
    #[derive(Default)]
    struct Seen {
        tasks: u32,
        success: bool,
        failure: bool,
    }
    let mut protected = HashSet::new();
    let mut jobs: HashMap<&JobName, Seen> = HashMap::new();
    for task in tasks {
        let mut keep = !task.phase.is_terminal();
        if let Some(job) = task.job.as_ref().filter(|job| is_job(job)) {
            let seen = jobs.entry(job).or_default();
            seen.tasks += 1;
            keep |= seen.tasks <= retention.keep_per_job;
            keep |= match task.phase {
                Phase::Succeeded => !std::mem::replace(&mut seen.success, true),
                Phase::Failed | Phase::TimedOut | Phase::Lost => !std::mem::replace(&mut seen.failure, true),
                _ => false,
            };
        }
        if keep {
            protected.insert(task.id);
        }
    }
    protected
}
