//! An executor that takes everything, remembers it, and ends tasks when told to.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use futures::future::{BoxFuture, pending, ready};
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use tekcron::executor::{
    Executor, ExecutorError, LogQuery, LogStream, Observation, Observed, Submission, SubmitError, Submitted,
};
use tekcron::task::{LogSize, Outcome, Phase, TaskName};
use tokio::sync::mpsc;

/// What asking for a log does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Logs {
    /// Three lines.
    #[default]
    Whole,
    /// One line, and then nothing for ever.
    Open,
    /// No answer at all.
    Stuck,
    /// A panic.
    Panic,
    /// An error.
    Broken,
}

#[derive(Default)]
pub(crate) struct FakeExecutor {
    pub(crate) logs: Mutex<Logs>,
    pub(crate) asked: Mutex<Vec<LogQuery>>,
    pub(crate) without_room: Mutex<bool>,
    pub(crate) trouble: Mutex<Option<String>>,
    states: Mutex<HashMap<TaskName, Observed>>,
    cancelled: Mutex<Vec<TaskName>>,
    observations: Mutex<Option<mpsc::Sender<Observation>>>,
}

impl FakeExecutor {
    pub(crate) fn submitted(&self) -> usize {
        self.states.lock().unwrap().len()
    }

    pub(crate) fn cancelled(&self) -> Vec<TaskName> {
        self.cancelled.lock().unwrap().clone()
    }

    pub(crate) fn end(&self, name: &str, phase: Phase, now: Timestamp) {
        let name: TaskName = name.parse().unwrap();
        let state = Observed::Finished(Box::new(Outcome {
            phase,
            exit_code: Some(i32::from(phase != Phase::Succeeded)),
            reason: "Completed".to_owned(),
            message: "it ended".to_owned(),
            started: Some(now),
            finished: now,
            log: LogSize::default(),
            image: None,
        }));
        self.states.lock().unwrap().insert(name.clone(), state.clone());
        let observations = self.observations.lock().unwrap();
        observations.as_ref().unwrap().try_send(Observation { name, state }).unwrap();
    }
}

impl Executor for FakeExecutor {
    fn capacity(&self) -> usize {
        if *self.without_room.lock().unwrap() { 0 } else { 64 }
    }

    fn submit(&self, submission: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>> {
        let name: TaskName = submission.run.metadata.name.unwrap().parse().unwrap();
        self.states.lock().unwrap().insert(name, Observed::Submitted { message: None });
        ready(Ok(Submitted::Created)).boxed()
    }

    fn cancel<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        self.cancelled.lock().unwrap().push(name.clone());
        ready(Ok(())).boxed()
    }

    fn delete<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        ready(Ok(())).boxed()
    }

    fn delete_log<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        ready(Ok(())).boxed()
    }

    fn observe<'a>(&'a self, name: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>> {
        let states = self.states.lock().unwrap();
        ready(Ok(states.get(name).cloned().unwrap_or(Observed::Absent))).boxed()
    }

    fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        let (send, receive) = mpsc::channel(100);
        *self.observations.lock().unwrap() = Some(send);
        Some(receive)
    }

    fn logs<'a>(
        &'a self,
        name: &'a TaskName,
        query: LogQuery,
    ) -> BoxFuture<'a, Result<LogStream, ExecutorError>> {
        self.asked.lock().unwrap().push(query);
        let lines = ["one\n", "two\n", "three\n"].map(|line| Ok(Bytes::from_static(line.as_bytes())));
        let logs = *self.logs.lock().unwrap();
        match logs {
            Logs::Whole => ready(Ok(stream::iter(lines).boxed())).boxed(),
            Logs::Open => {
                ready(Ok(stream::iter(lines.into_iter().take(1)).chain(stream::pending()).boxed())).boxed()
            }
            Logs::Stuck => pending().boxed(),
            Logs::Panic => panic!("as told: {name}"),
            Logs::Broken => {
                let message = "gone".to_owned();
                ready(Err(ExecutorError { operation: "logs", name: name.to_string(), message })).boxed()
            }
        }
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap().clone()
    }

    fn caveats(&self) -> Vec<String> {
        vec!["cpu is not limited here".to_owned()]
    }
}
