use std::error::Error;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::policy::{LoggedTask, TaskSummary, plan, plan_logs};
use crate::app::{AppName, ByteSize, Retention};
use crate::executor::{Executor, ExecutorError};
use crate::fault::point;
use crate::job::JobName;
use crate::task::{TaskId, TaskName};

/// The most records removed by one write.
const BATCH: usize = 512;

/// Why records could not be read or written.
pub type RecordsError = Box<dyn Error + Send + Sync>;

/// The records of tasks, wherever they are stored.
pub trait Records: Send + Sync {
    /// The tasks of `app`, newest first.
    ///
    /// # Errors
    /// Whatever the store says.
    fn tasks(&self, app: &AppName) -> Result<Vec<TaskSummary>, RecordsError>;

    /// Every finished task that still has a log, of all Apps, in any order.
    ///
    /// # Errors
    /// Whatever the store says.
    fn logged(&self) -> Result<Vec<LoggedTask>, RecordsError>;

    /// Removes tasks of `app`. One that is gone already is done.
    fn remove<'a>(&'a self, app: &'a AppName, tasks: &'a [TaskId])
    -> BoxFuture<'a, Result<(), RecordsError>>;

    /// Notes that the log of a task is gone: it has no bytes left. A task that is gone is done.
    fn log_removed<'a>(&'a self, app: &'a AppName, task: TaskId) -> BoxFuture<'a, Result<(), RecordsError>>;
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// Tasks removed altogether.
    pub removed: Vec<TaskName>,
    /// Tasks whose log alone was removed.
    pub logs_removed: Vec<TaskName>,
    /// The bytes of log of finished tasks that stay, where all were looked at.
    pub logs_kept: Option<u64>,
    /// What the next sweep will try again.
    pub failures: Vec<Failure>,
}

/// What went wrong in a sweep. It did not stop the sweep.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The executor still has the task: its record stays.
    #[error("removing task `{task}` failed")]
    Task {
        /// The task.
        task: TaskName,
        /// What the executor says.
        #[source]
        source: ExecutorError,
    },
    /// The log is still there.
    #[error("removing the log of task `{task}` failed")]
    Log {
        /// The task.
        task: TaskName,
        /// What the executor says.
        #[source]
        source: ExecutorError,
    },
    /// The records could not be read, or not written: then object and log are gone, the record stays.
    #[error("sweeping the records of {whose} failed")]
    Records {
        /// Whose records.
        whose: String,
        /// What the store says.
        #[source]
        source: RecordsError,
    },
}

/// Carries plans out: object and log first, by the executor, then the record. May be repeated at any
/// time, and stopped at any point.
pub struct Sweep<R> {
    executor: Arc<dyn Executor>,
    records: R,
}

impl<R: Records> Sweep<R> {
    /// A sweep over `records` of tasks that `executor` ran.
    pub fn new(executor: Arc<dyn Executor>, records: R) -> Self {
        Self { executor, records }
    }

    /// Removes what [`plan`] says of the tasks of `app`.
    pub async fn tasks(
        &self,
        app: &AppName,
        retention: &Retention,
        is_job: impl Fn(&JobName) -> bool,
        now: Timestamp,
    ) -> SweepReport {
        let mut report = SweepReport::default();
        let tasks = match self.records.tasks(app) {
            Ok(tasks) => tasks,
            Err(source) => {
                report.records_failed(format!("App `{app}`"), source);
                return report;
            }
        };
        let plan = plan(&tasks, retention, is_job, now);
        for batch in named(&tasks, &plan.remove).chunks(BATCH) {
            self.remove(app, batch, &mut report).await;
        }
        for task in named(&tasks, &plan.remove_logs) {
            self.remove_log(app, task.id, &task.name, &mut report).await;
        }
        report
    }

    /// Removes the oldest logs, until those of all finished tasks fit into `budget`.
    pub async fn logs(&self, budget: ByteSize) -> SweepReport {
        let mut report = SweepReport::default();
        match self.records.logged() {
            Ok(logs) => {
                let mut kept: u64 = logs.iter().map(|task| task.log).sum();
                for task in plan_logs(logs, budget.bytes()) {
                    if self.remove_log(&task.app, task.id, &task.name, &mut report).await {
                        kept -= task.log;
                    }
                }
                report.logs_kept = Some(kept);
            }
            Err(source) => report.records_failed("all Apps".to_owned(), source),
        }
        report
    }

    async fn remove(&self, app: &AppName, tasks: &[&TaskSummary], report: &mut SweepReport) {
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        for task in tasks {
            match self.executor.delete(&task.name).await {
                Ok(()) => {
                    point("sweep-deleted");
                    ids.push(task.id);
                    names.push(task.name.clone());
                }
                Err(source) => report.failures.push(Failure::Task { task: task.name.clone(), source }),
            }
        }
        if ids.is_empty() {
            return;
        }
        point("sweep-records");
        match self.records.remove(app, &ids).await {
            Ok(()) => report.removed.extend(names),
            Err(source) => report.records_failed(format!("App `{app}`"), source),
        }
    }

    /// Whether the log is gone.
    async fn remove_log(&self, app: &AppName, id: TaskId, name: &TaskName, report: &mut SweepReport) -> bool {
        if let Err(source) = self.executor.delete_log(name).await {
            report.failures.push(Failure::Log { task: name.clone(), source });
            return false;
        }
        match self.records.log_removed(app, id).await {
            Ok(()) => report.logs_removed.push(name.clone()),
            Err(source) => report.records_failed(format!("task `{name}`"), source),
        }
        true
    }
}

impl SweepReport {
    fn records_failed(&mut self, whose: String, source: RecordsError) {
        self.failures.push(Failure::Records { whose, source });
    }
}

/// The tasks of these ids. Both run opposite ways: tasks newest first, ids oldest first.
fn named<'a>(tasks: &'a [TaskSummary], ids: &[TaskId]) -> Vec<&'a TaskSummary> {
    let mut tasks = tasks.iter().rev();
    ids.iter().filter_map(|id| tasks.find(|task| task.id == *id)).collect()
}
