//! From submission to a shim that has taken the task.

use std::io;
use std::os::unix::net::UnixStream as StdSocket;

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_json::value::to_raw_value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::executor::LocalExecutor;
use super::limits::Limits;
use super::place::Standing;
use super::record::Entry;
use super::request::{Program, Report, Request};

use crate::app::env::STATE_DIR;
use crate::blocking::blocking;
use crate::executor::pipeline_run::{PipelineRun, TaskMeta, resolve_command, resolve_env, same_run};
use crate::executor::{Submission, SubmitError, Submitted};
use crate::fault::point;

/// Where programs are found, unless the App says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// For what a shim says, of which most is less.
const ROOM: usize = 512;
/// The variable whose value no other execution has.
const MARK: &str = "CF_INSTANCE_GUID";

/// Takes the submission's object, once for its name.
pub(super) async fn submit(
    executor: &LocalExecutor,
    submission: Submission,
) -> Result<Submitted, SubmitError> {
    let Prepared { meta, run, request } = prepare(executor, submission)?;
    if let Some(found) = found(executor, &meta, &run).await? {
        return Ok(found);
    }
    let room = executor.watch.room().await;
    let socket = spawn(executor).await.map_err(|error| SubmitError::Unavailable {
        message: format!("starting `{}` failed: {error}", executor.settings.shim.display()),
    })?;
    point("shim-spawned");
    let mut socket = BufReader::with_capacity(ROOM, socket);
    match hand_over(&mut socket, &request).await {
        Ok(Report::Created) => {
            point("shim-created");
            let dir = executor.dir(&meta.name);
            executor.watch.watch(meta.name, dir, Some(News(socket)), Some(room));
            Ok(Submitted::Created)
        }
        Ok(Report::Exists) => {
            found_after(executor, &meta, &run, "its name was taken, and is free again").await
        }
        Ok(Report::Failed(message)) => Err(SubmitError::Unavailable { message }),
        Err(error) => {
            // It is gone, or is about to be: whatever is found is watched.
            let message = format!("its supervisor ended without an answer: {error}");
            found_after(executor, &meta, &run, &message).await
        }
    }
}

/// What stands under the task's name after all; else the executor is unavailable because of `otherwise`.
async fn found_after(
    executor: &LocalExecutor,
    meta: &TaskMeta,
    ours: &PipelineRun,
    otherwise: &str,
) -> Result<Submitted, SubmitError> {
    let unavailable = || SubmitError::Unavailable { message: otherwise.to_owned() };
    found(executor, meta, ours).await?.ok_or_else(unavailable)
}

/// What stands under the task's name already, if it is the same run.
async fn found(
    executor: &LocalExecutor,
    meta: &TaskMeta,
    ours: &PipelineRun,
) -> Result<Option<Submitted>, SubmitError> {
    let dir = executor.dir(&meta.name);
    let unreadable = |error: io::Error| SubmitError::Unavailable { message: error.to_string() };
    // The common case, without another thread.
    if !dir.is_there().map_err(unreadable)? {
        return Ok(None);
    }
    if let Standing::Absent = executor.watch.settle(dir.clone()).await.map_err(unreadable)? {
        return Ok(None);
    }
    let reader = dir.clone();
    let Some(theirs) = blocking(move || reader.read_run()).await.map_err(unreadable)? else {
        return Ok(None);
    };
    let id = same_run(&ours.metadata, &theirs.metadata).map_err(|mismatch| SubmitError::Refused {
        reason: "NameTaken".to_owned(),
        message: mismatch.to_string(),
    })?;
    executor.watch.adopt(&meta.name, &dir).map_err(unreadable)?;
    Ok(Some(Submitted::Adopted { id }))
}

/// A submission that a shim can take.
struct Prepared {
    meta: TaskMeta,
    run: PipelineRun,
    request: Request,
}

fn prepare(executor: &LocalExecutor, submission: Submission) -> Result<Prepared, SubmitError> {
    let mut run = submission.run;
    let meta = TaskMeta::read(&run.metadata).map_err(invalid)?;
    // As an API server does: no other execution has this id.
    let uid = run.metadata.uid.insert(uuid::Uuid::new_v4().to_string()).clone();
    let dir = executor.dir(&meta.name);
    let work = dir.work();
    let state_dir =
        submission.state.then(|| executor.settings.data_dir.join("state").join(meta.app.as_str()));
    let mut env =
        vec![("PATH".to_owned(), PATH.to_owned()), ("HOME".to_owned(), work.to_string_lossy().into_owned())];
    env.extend(resolve_env(&run, &submission.secrets).map_err(invalid)?);
    if let Some(state_dir) = &state_dir {
        env.push((STATE_DIR.to_owned(), state_dir.to_string_lossy().into_owned()));
    }
    let argv = resolve_command(&run).map_err(invalid)?;
    let request = Request {
        program: Program { argv, env, dir: submission.in_place.unwrap_or(work) },
        task_dir: dir.path().to_owned(),
        state_dir,
        source: submission.source,
        keep_workdir: submission.keep_workdir,
        timeout: timeout(&run).map_err(invalid)?,
        grace: submission.grace,
        max_log: submission.max_log.bytes(),
        limits: Limits::of(&run).map_err(invalid)?,
        cgroup: executor.cgroup.clone(),
        mark: format!("{MARK}={uid}"),
        run: to_raw_value(&run).map_err(invalid)?,
    };
    Ok(Prepared { meta, run, request })
}

fn invalid(error: impl ToString) -> SubmitError {
    SubmitError::Refused { reason: "InvalidTask".to_owned(), message: error.to_string() }
}

/// The object's time-out, a Go duration; none where it is zero or not given.
fn timeout(run: &PipelineRun) -> Result<Option<SignedDuration>, String> {
    let text = run.spec.timeouts.as_ref().and_then(|timeouts| timeouts.pipeline.as_deref());
    let Some(text) = text else { return Ok(None) };
    let timeout: SignedDuration =
        text.parse().map_err(|error| format!("time-out `{text}` does not read: {error}"))?;
    Ok((!timeout.is_zero()).then_some(timeout))
}

/// Starts a shim and returns the socket that it reads its request from.
async fn spawn(executor: &LocalExecutor) -> io::Result<UnixStream> {
    let (ours, theirs) = StdSocket::pair()?;
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    executor.spawner.spawn(theirs).await?;
    Ok(ours)
}

async fn hand_over(socket: &mut BufReader<UnixStream>, request: &Request) -> io::Result<Report> {
    socket.write_all(&serde_json::to_vec(request)?).await?;
    socket.get_mut().shutdown().await?;
    heard(socket).await
}

/// What a shim says next.
async fn heard<T: DeserializeOwned>(socket: &mut BufReader<UnixStream>) -> io::Result<T> {
    let mut line = String::new();
    socket.read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// What the shim of a task says of it.
pub(super) struct News(BufReader<UnixStream>);

impl News {
    /// What happens next; none when it says no more, as where it was killed.
    pub(super) async fn next(&mut self) -> Option<Entry> {
        heard(&mut self.0).await.ok()
    }
}
