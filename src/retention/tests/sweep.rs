use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::{keep, now, tasks};
use crate::app::{AppName, ByteSize, Retention};
use crate::executor::{
    Executor, ExecutorError, LogQuery, LogStream, Observation, Observed, Submission, SubmitError, Submitted,
};
use crate::retention::{Failure, LoggedTask, Records, RecordsError, Sweep, SweepReport, TaskSummary};
use crate::task::{TaskId, TaskName};

/// An executor and its records, which fail where told to, and write down what happened.
#[derive(Default)]
struct World {
    tasks: Mutex<Vec<TaskSummary>>,
    stubborn: Mutex<BTreeSet<u64>>,
    events: Mutex<Vec<String>>,
    records_fail: Mutex<bool>,
}

impl World {
    fn with(picture: &str) -> Arc<Self> {
        Arc::new(Self { tasks: Mutex::new(tasks(picture)), ..Self::default() })
    }

    fn sweep(self: &Arc<Self>) -> Sweep<Arc<Self>> {
        Sweep::new(self.clone(), self.clone())
    }

    fn act(&self, operation: &'static str, name: &TaskName) -> BoxFuture<'_, Result<(), ExecutorError>> {
        let stubborn = self.stubborn.lock().unwrap().iter().any(|id| name.as_str() == format!("t-{id}"));
        self.events.lock().unwrap().push(format!("{operation} {name}"));
        let error = || ExecutorError { operation, name: name.to_string(), message: "no".to_owned() };
        futures::future::ready(if stubborn { Err(error()) } else { Ok(()) }).boxed()
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    fn write(&self, event: String, change: impl FnOnce(&mut Vec<TaskSummary>)) -> Result<(), RecordsError> {
        if *self.records_fail.lock().unwrap() {
            return Err("disk full".into());
        }
        self.events.lock().unwrap().push(event);
        change(&mut self.tasks.lock().unwrap());
        Ok(())
    }
}

impl Records for Arc<World> {
    fn tasks(&self, _: &AppName) -> Result<Vec<TaskSummary>, RecordsError> {
        Ok(self.tasks.lock().unwrap().clone())
    }

    fn logged(&self) -> Result<Vec<LoggedTask>, RecordsError> {
        let app: AppName = "etl".parse().unwrap();
        let logged = |task: &TaskSummary| {
            let (app, id, name) = (app.clone(), task.id, task.name.clone());
            task.finished.map(|finished| LoggedTask { app, id, name, finished, log: task.log })
        };
        Ok(self.tasks.lock().unwrap().iter().filter_map(logged).collect())
    }

    fn remove<'a>(&'a self, _: &'a AppName, ids: &'a [TaskId]) -> BoxFuture<'a, Result<(), RecordsError>> {
        let event = format!("forget {}", ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        futures::future::ready(self.write(event, |tasks| tasks.retain(|task| !ids.contains(&task.id))))
            .boxed()
    }

    fn log_removed<'a>(&'a self, _: &'a AppName, id: TaskId) -> BoxFuture<'a, Result<(), RecordsError>> {
        let change = |tasks: &mut Vec<TaskSummary>| {
            tasks.iter_mut().filter(|task| task.id == id).for_each(|task| task.log = 0);
        };
        futures::future::ready(self.write(format!("note {id}"), change)).boxed()
    }
}

impl Executor for World {
    fn capacity(&self) -> usize {
        0
    }

    fn submit(&self, _: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>> {
        unreachable!("a sweep submits nothing")
    }

    fn cancel<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        unreachable!("a sweep cancels nothing")
    }

    fn delete<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.act("delete", name)
    }

    fn delete_log<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.act("delete log", name)
    }

    fn observe<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>> {
        unreachable!("a sweep observes nothing")
    }

    fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        None
    }

    fn logs<'a>(&'a self, _: &'a TaskName, _: LogQuery) -> BoxFuture<'a, Result<LogStream, ExecutorError>> {
        unreachable!("a sweep reads no log")
    }

    fn caveats(&self) -> Vec<String> {
        vec![]
    }
}

async fn sweep(world: &Arc<World>, retention: Retention) -> SweepReport {
    world.sweep().tasks(&"etl".parse().unwrap(), &retention, |_| true, now()).await
}

#[tokio::test]
async fn the_record_goes_last_and_a_second_sweep_finds_nothing() {
    let world = World::with("S- S- S- R-");
    let report = sweep(&world, keep(2)).await;
    assert_eq!(world.events(), ["delete t-1", "delete t-2", "forget 1 2"]);
    assert_eq!((report.removed.len(), report.failures.len()), (2, 0));
    sweep(&world, keep(2)).await;
    assert_eq!(world.events(), [""; 0]);
}

#[tokio::test]
async fn a_task_that_cannot_be_deleted_keeps_its_record_and_stops_nobody() {
    let world = World::with("S- S- S-");
    world.stubborn.lock().unwrap().insert(1);
    let report = sweep(&world, keep(1)).await;
    assert_eq!(world.events(), ["delete t-1", "delete t-2", "forget 2"]);
    assert_eq!(
        report.failures.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["removing task `t-1` failed"]
    );
    world.stubborn.lock().unwrap().clear();
    sweep(&world, keep(1)).await;
    assert_eq!(world.events(), ["delete t-1", "forget 1"]);
}

#[tokio::test]
async fn records_that_could_not_be_removed_are_tried_again() {
    let world = World::with("S- S-");
    *world.records_fail.lock().unwrap() = true;
    let report = sweep(&world, keep(1)).await;
    assert!(report.removed.is_empty() && matches!(report.failures[..], [Failure::Records { .. }]));
    *world.records_fail.lock().unwrap() = false;
    assert_eq!(sweep(&world, keep(1)).await.removed.len(), 1);
}

#[tokio::test]
async fn logs_over_the_budget_go_and_the_tasks_stay() {
    let world = World::with("S- S- S- R-");
    let report = world.sweep().logs(ByteSize::from_bytes(15)).await;
    assert_eq!(world.events(), ["delete log t-1", "note 1", "delete log t-2", "note 2"]);
    assert_eq!(report.logs_removed.len(), 2);
    assert_eq!(world.tasks.lock().unwrap().len(), 4);
    world.sweep().logs(ByteSize::from_bytes(15)).await;
    assert_eq!(world.events(), [""; 0]);
}
