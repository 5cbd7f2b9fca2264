use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::asked::{Listing, Reload, SlotQuery, TaskRef, TasksOf};
use super::error::ClientError;
use super::transport::Client;
use crate::api::resources::{
    AppResource, BackfillBody, BackfillResource, JobResource, Page, PauseBody, QueueResource, ReadyResource,
    ResumeBody, ResumeResource, RunBody, SkipNextBody, SlotResource, StatusResource, StoredJobResource,
    TaskResource, TerminateResource,
};
use crate::executor::LogQuery;
use crate::task::{Phase, TaskId};

/// The most items that a page can have.
const PAGE: usize = 1000;

/// The header that makes a repeated request the same request.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

#[derive(Deserialize)]
struct Rotated {
    token: String,
}

impl Client {
    /// Whether the service lives.
    ///
    /// # Errors
    /// [`ClientError`], as of every method here.
    pub async fn livez(&self) -> Result<String, ClientError> {
        self.text(self.get(self.url(&["livez"]))).await
    }

    /// Whether the service is ready.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn readyz(&self) -> Result<String, ClientError> {
        self.text(self.get(self.url(&["readyz"]))).await
    }

    /// Its metrics in Prometheus' text format.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn metrics(&self) -> Result<String, ClientError> {
        self.text(self.get(self.url(&["metrics"]))).await
    }

    /// The Apps, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn apps(&self, limit: usize) -> Result<Listing<AppResource>, ClientError> {
        self.list(self.url(&["v1", "apps"]), limit).await
    }

    /// The App called `name`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn app(&self, name: &str) -> Result<AppResource, ClientError> {
        self.json(self.get(self.url(&["v1", "apps", name]))).await
    }

    /// The jobs of `app`, or of all Apps, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn jobs(&self, app: Option<&str>, limit: usize) -> Result<Listing<JobResource>, ClientError> {
        let mut url = self.url(&["v1", "jobs"]);
        if let Some(app) = app {
            url.query_pairs_mut().append_pair("app", app);
        }
        self.list(url, limit).await
    }

    /// The job called `name`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn job(&self, name: &str) -> Result<JobResource, ClientError> {
        self.json(self.get(self.url(&["v1", "jobs", name]))).await
    }

    /// Makes a job on `app`, in the keys of a `[[jobs]]` table.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_job(&self, app: &str, job: &Map<String, Value>) -> Result<JobResource, ClientError> {
        self.json(self.post(self.url(&["v1", "apps", app, "jobs"])).json(job)).await
    }

    /// Gives a job one schedule more, in the keys of an item of `schedules`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn schedule_job(
        &self,
        job: &str,
        schedule: &Map<String, Value>,
    ) -> Result<JobResource, ClientError> {
        self.json(self.post(self.url(&["v1", "jobs", job, "schedules"])).json(schedule)).await
    }

    /// Takes the schedule of that key from a job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unschedule_job(&self, job: &str, schedule: &str) -> Result<JobResource, ClientError> {
        self.json(self.delete(self.url(&["v1", "jobs", job, "schedules", schedule]))).await
    }

    /// Deletes a job that was created by command.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn delete_job(&self, job: &str) -> Result<StoredJobResource, ClientError> {
        self.json(self.delete(self.url(&["v1", "jobs", job]))).await
    }

    /// The jobs that were created by command, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stored_jobs(&self, limit: usize) -> Result<Listing<StoredJobResource>, ClientError> {
        self.list(self.url(&["v1", "stored-jobs"]), limit).await
    }

    /// Runs a task on `app`. The same `key` is the same task, so the request is sent again, once, where
    /// the connection breaks before the answer is there.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_on_app(
        &self,
        app: &str,
        body: &RunBody,
        key: Uuid,
    ) -> Result<TaskResource, ClientError> {
        self.run(self.url(&["v1", "apps", app, "tasks"]), body, key).await
    }

    /// Runs `job`, in the same way.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn run_job(&self, job: &str, body: &RunBody, key: Uuid) -> Result<TaskResource, ClientError> {
        self.run(self.url(&["v1", "jobs", job, "tasks"]), body, key).await
    }

    async fn run(&self, url: Url, body: &RunBody, key: Uuid) -> Result<TaskResource, ClientError> {
        let request = || self.post(url.clone()).header(IDEMPOTENCY_KEY, key.to_string()).json(body);
        match self.json(request()).await {
            Err(ClientError::Broken { .. }) => self.json(request()).await,
            answered => answered,
        }
    }

    /// The tasks of `whose`, newest first, at most `limit`, only those in `phase` where one is given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tasks(
        &self,
        whose: &TasksOf,
        phase: Option<Phase>,
        limit: usize,
    ) -> Result<Listing<TaskResource>, ClientError> {
        let mut url = match whose {
            TasksOf::All => self.url(&["v1", "tasks"]),
            TasksOf::App(app) => self.url(&["v1", "apps", app, "tasks"]),
            TasksOf::Job(job) => self.url(&["v1", "jobs", job, "tasks"]),
        };
        if let Some(phase) = phase {
            url.query_pairs_mut().append_pair("phase", phase.as_str());
        }
        self.list(url, limit).await
    }

    /// The task `which`. With `wait` the service answers when the task has ended, or after that time as
    /// it is then; it waits for at most 60 seconds.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn task(&self, which: &TaskRef, wait: Option<Duration>) -> Result<TaskResource, ClientError> {
        let mut url = self.task_url(which, &[]);
        let held = wait.unwrap_or_default();
        if wait.is_some() {
            url.query_pairs_mut().append_pair("wait", &held.as_secs().to_string());
        }
        self.json(self.get_held(url, held)).await
    }

    /// Asks for the end of the task `which`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn terminate(&self, which: &TaskRef) -> Result<TerminateResource, ClientError> {
        self.json(self.post(self.task_url(which, &["terminate"]))).await
    }

    /// Has old slots of `job` run again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backfill(&self, job: &str, body: &BackfillBody) -> Result<BackfillResource, ClientError> {
        self.json(self.post(self.url(&["v1", "jobs", job, "backfill"])).json(body)).await
    }

    /// Has the slot of task `id` of `app`, or the same run by hand, run once more. The same `key` is the same
    /// run by hand.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rerun(&self, app: &str, id: TaskId, key: Uuid) -> Result<TaskResource, ClientError> {
        let url = self.url(&["v1", "apps", app, "tasks", &id.to_string(), "rerun"]);
        self.json(self.post(url).header(IDEMPOTENCY_KEY, key.to_string())).await
    }

    /// What waits to start, in order, at most `limit`; of `app` only, where one is given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn queue(
        &self,
        app: Option<&str>,
        limit: usize,
    ) -> Result<Listing<QueueResource>, ClientError> {
        let mut url = self.url(&["v1", "queue"]);
        if let Some(app) = app {
            url.query_pairs_mut().append_pair("app", app);
        }
        self.list(url, limit).await
    }

    /// Whether the service takes on work, and what is in the way of all tasks.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn readiness(&self) -> Result<ReadyResource, ClientError> {
        let mut url = self.url(&["readyz"]);
        url.query_pairs_mut().append_pair("verbose", "");
        self.json(self.get(url)).await
    }

    /// Moves the waiting task `which` before all others.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn front(&self, which: &TaskRef) -> Result<TaskResource, ClientError> {
        self.json(self.post(self.task_url(which, &["front"]))).await
    }

    /// Takes the waiting task `which` out of the queue.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn drop_waiting(&self, which: &TaskRef) -> Result<TaskResource, ClientError> {
        self.json(self.post(self.task_url(which, &["drop"]))).await
    }

    /// The log of task `id` of `app`, piece by piece.
    ///
    /// # Errors
    /// [`ClientError`]; the stream ends with one where it breaks off.
    pub async fn logs(
        &self,
        app: &str,
        id: TaskId,
        query: LogQuery,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let mut url = self.url(&["v1", "apps", app, "tasks", &id.to_string(), "logs"]);
        if let Some(tail) = query.tail {
            url.query_pairs_mut().append_pair("tail", &tail.to_string());
        }
        for (key, on) in [("follow", query.follow), ("timestamps", query.timestamps)] {
            if on {
                url.query_pairs_mut().append_pair(key, "true");
            }
        }
        let response = self.accepted(self.get_stream(url)).await?;
        let client = self.clone();
        Ok(response.bytes_stream().map(move |piece| piece.map_err(|error| client.broken(&error))))
    }

    /// Pauses `job`, or changes its pause.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pause(&self, job: &str, body: &PauseBody) -> Result<JobResource, ClientError> {
        self.json(self.post(self.url(&["v1", "jobs", job, "pause"])).json(body)).await
    }

    /// Ends the pause of `job`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn resume(&self, job: &str, body: &ResumeBody) -> Result<ResumeResource, ClientError> {
        self.json(self.post(self.url(&["v1", "jobs", job, "resume"])).json(body)).await
    }

    /// Skips the next slots of `job`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn skip_next(&self, job: &str, body: &SkipNextBody) -> Result<JobResource, ClientError> {
        self.json(self.post(self.url(&["v1", "jobs", job, "skip-next"])).json(body)).await
    }

    /// The slots of `job`, at most `limit` rows.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn slots(
        &self,
        job: &str,
        query: SlotQuery,
        limit: usize,
    ) -> Result<Listing<SlotResource>, ClientError> {
        let mut url = self.url(&["v1", "jobs", job, "slots"]);
        for (key, bound) in [("from", query.from), ("to", query.to)] {
            if let Some(bound) = bound {
                url.query_pairs_mut().append_pair(key, &bound.to_string());
            }
        }
        if let Some(outcome) = query.outcome {
            url.query_pairs_mut().append_pair("outcome", outcome.as_str());
        }
        if query.newest_first {
            url.query_pairs_mut().append_pair("order", "newest");
        }
        self.list(url, limit).await
    }

    /// Whether everything that should have run, has run.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<StatusResource, ClientError> {
        self.json(self.get(self.url(&["v1", "status"]))).await
    }

    /// Makes a new token, and the one in use void.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rotate_token(&self) -> Result<SecretString, ClientError> {
        let rotated: Rotated = self.json(self.post(self.url(&["v1", "token", "rotate"]))).await?;
        Ok(rotated.token.into())
    }

    /// Asks the service to read its configuration again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reload(&self) -> Result<Reload, ClientError> {
        self.json(self.post(self.url(&["v1", "reload"]))).await
    }

    fn task_url(&self, which: &TaskRef, then: &[&str]) -> Url {
        match which {
            TaskRef::Name(name) => self.url(&[&["v1", "tasks", name], then].concat()),
            TaskRef::Id { app, id } => {
                self.url(&[&["v1", "apps", app, "tasks", &id.to_string()], then].concat())
            }
        }
    }

    /// Follows the cursors of `url` until `limit` items are there.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        mut url: Url,
        limit: usize,
    ) -> Result<Listing<T>, ClientError> {
        let mut items = Vec::new();
        url.query_pairs_mut().append_pair("limit", &limit.clamp(1, PAGE).to_string());
        let mut next = None::<String>;
        loop {
            let mut page_url = url.clone();
            if let Some(cursor) = &next {
                page_url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let page: Page<T> = self.json(self.get(page_url)).await?;
            items.extend(page.items);
            // A page may be empty and not the last; but one that leads to itself is.
            next = page.next.filter(|cursor| next.as_ref() != Some(cursor));
            if next.is_none() || items.len() >= limit {
                let more = next.is_some() || items.len() > limit;
                items.truncate(limit);
                return Ok(Listing { items, more });
            }
        }
    }
}
