use futures::FutureExt;
use futures::future::BoxFuture;

use super::commit::Commit;
use super::open::Store;
use crate::app::AppName;
use crate::retention::{LoggedTask, Records, RecordsError, TaskSummary};
use crate::task::TaskId;

impl Records for Store {
    fn tasks(&self, app: &AppName) -> Result<Vec<TaskSummary>, RecordsError> {
        let tasks = Store::tasks(self, app, None);
        Ok(tasks.map(|task| task.map(|task| TaskSummary::from(&task))).collect::<Result<_, _>>()?)
    }

    fn logged(&self) -> Result<Vec<LoggedTask>, RecordsError> {
        let mut logged = Vec::new();
        for app in self.counters()?.into_keys() {
            for task in Store::tasks(self, &app, None) {
                let task = task?;
                if let Some(finished) = task.finished.filter(|_| task.log.kept > 0) {
                    logged.push(LoggedTask {
                        app: task.app,
                        id: task.id,
                        name: task.name,
                        finished,
                        log: task.log.kept,
                    });
                }
            }
        }
        Ok(logged)
    }

    fn remove<'a>(
        &'a self,
        app: &'a AppName,
        tasks: &'a [TaskId],
    ) -> BoxFuture<'a, Result<(), RecordsError>> {
        async move {
            let mut commit = Commit::new();
            for id in tasks {
                if let Some(task) = self.task(app, *id)? {
                    commit.remove_task(&task);
                }
            }
            // A sweep that is lost in a crash is repeated: no sync of its own is owed.
            self.commit_later(commit);
            Ok(())
        }
        .boxed()
    }

    fn log_removed<'a>(&'a self, app: &'a AppName, task: TaskId) -> BoxFuture<'a, Result<(), RecordsError>> {
        async move {
            if let Some(mut task) = self.task(app, task)? {
                task.log.cut += task.log.kept;
                task.log.kept = 0;
                let mut commit = Commit::new();
                commit.update_task(&task);
                self.commit_later(commit);
            }
            Ok(())
        }
        .boxed()
    }
}
