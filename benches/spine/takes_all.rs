//! An executor that takes everything and executes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::future::{BoxFuture, ready};
use futures::{FutureExt, StreamExt, stream};
use tekcron::executor::{
    Executor, ExecutorError, LogQuery, LogStream, Observation, Observed, Submission, SubmitError, Submitted,
};
use tekcron::task::TaskName;
use tokio::sync::mpsc;

/// Counts what it is given.
#[derive(Debug, Default)]
pub(crate) struct TakesAll {
    taken: AtomicUsize,
    last: Mutex<Option<Instant>>,
}

impl TakesAll {
    /// How many it was given.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }

    /// When it was given the last one.
    pub(crate) fn last(&self) -> Option<Instant> {
        *self.last.lock().expect("nobody panics with it")
    }
}

impl Executor for TakesAll {
    fn capacity(&self) -> usize {
        usize::MAX
    }

    fn submit(&self, _: Submission) -> BoxFuture<'_, Result<Submitted, SubmitError>> {
        *self.last.lock().expect("nobody panics with it") = Some(Instant::now());
        self.taken.fetch_add(1, Ordering::Release);
        ready(Ok(Submitted::Created)).boxed()
    }

    fn cancel<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        ready(Ok(())).boxed()
    }

    fn delete<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        ready(Ok(())).boxed()
    }

    fn delete_log<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<(), ExecutorError>> {
        ready(Ok(())).boxed()
    }

    fn observe<'a>(&'a self, _: &'a TaskName) -> BoxFuture<'a, Result<Observed, ExecutorError>> {
        ready(Ok(Observed::Submitted { message: None })).boxed()
    }

    fn observations(&self) -> Option<mpsc::Receiver<Observation>> {
        None
    }

    fn logs<'a>(&'a self, _: &'a TaskName, _: LogQuery) -> BoxFuture<'a, Result<LogStream, ExecutorError>> {
        ready(Ok(stream::empty().boxed())).boxed()
    }

    fn caveats(&self) -> Vec<String> {
        Vec::new()
    }
}
