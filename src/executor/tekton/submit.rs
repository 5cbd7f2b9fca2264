//! Creating the object, and taking over one that is there.

use kube::Resource;
use kube::api::PostParams;
use kube::core::{Request, Status};

use super::beside::remove_token;
use super::client::{LATE, REQUEST};
use super::executor::Shared;
use super::refusal::{Refusal, judge, judge_failure};
use crate::causes::in_full;
use crate::executor::pipeline_run::{PipelineRun, same_run};
use crate::executor::{Submission, SubmitError, Submitted};
use crate::task::TaskName;

/// More of an answer that is no `Status` helps nobody.
const SHOWN: usize = 400;

/// Creates the object of `submission`, or adopts the one of its name that carries the same run.
pub(super) async fn submit(shared: &Shared, submission: Submission) -> Result<Submitted, SubmitError> {
    let run = &submission.run;
    let _place = shared.creates.acquire().await;
    match shared.in_time(shared.beside.ensure(&shared.cluster, &submission)).await {
        Some(ensured) => ensured?,
        None => {
            let message = LATE.to_owned();
            return Err(SubmitError::Unreachable { message, retry_after: None });
        }
    }
    let name = name_of(run)?;
    let submitted = match create(shared, run).await {
        Ok(Created::New) => {
            shared.board.enter(&name);
            Ok(Submitted::Created)
        }
        Ok(Created::Exists) => adopt(shared, &name, run).await,
        Err(error) => Err(error),
    };
    if submission.token.is_some() && matches!(submitted, Err(SubmitError::Refused { .. })) {
        // Nobody will run it. A token that stays opens nothing once its task has ended.
        if let Some(Err(error)) = shared.in_time(remove_token(&shared.cluster, &name)).await {
            tracing::debug!(task = %name, %error, "the Secret of a build that was refused stays");
        }
    }
    submitted
}

fn name_of(run: &PipelineRun) -> Result<TaskName, SubmitError> {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    name.parse().map_err(|error| refused("InvalidTask", format!("{error}")))
}

fn refused(reason: &str, message: String) -> SubmitError {
    SubmitError::Refused { reason: reason.to_owned(), message }
}

enum Created {
    New,
    Exists,
}

/// One POST. Asked for by hand, since the answer's `Retry-After` counts, and so that the server stops when we
/// do.
async fn create(shared: &Shared, run: &PipelineRun) -> Result<Created, SubmitError> {
    let unsound = |error: &dyn std::error::Error| refused("InvalidTask", in_full(error));
    let body = serde_json::to_vec(run).map_err(|error| unsound(&error))?;
    let url = PipelineRun::url_path(&(), Some(&shared.cluster.namespace));
    let params = PostParams { field_manager: Some("tekcron".to_owned()), ..PostParams::default() };
    let mut request = Request::new(url).create(&params, body).map_err(|error| unsound(&error))?;
    let timed = format!("{}&timeout={}s", request.uri(), REQUEST.as_secs());
    *request.uri_mut() = timed.parse().map_err(|error| unsound(&error))?;
    let answer = async {
        let answer = shared.cluster.client.send(request.map(kube::client::Body::from)).await?;
        let (head, body) = answer.into_parts();
        Ok((head, body.collect_bytes().await?))
    };
    let (head, body) = match shared.in_time(answer).await {
        Some(Ok(answer)) => answer,
        Some(Err(error)) => return Err(judge_failure(&error)),
        None => {
            let message = format!("the API server did not answer for {} s", REQUEST.as_secs());
            return Err(SubmitError::Unknown { message });
        }
    };
    if head.status.is_success() {
        return Ok(Created::New);
    }
    let status = status(&body);
    if status.is_already_exists() {
        return Ok(Created::Exists);
    }
    let retry_after = head.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Err(judge(&Refusal { code: head.status.as_u16(), retry_after, status }))
}

/// What the server says; proxies and overloaded servers say it in plain text.
fn status(body: &[u8]) -> Status {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(body);
        Status::failure(text.chars().take(SHOWN).collect::<String>().trim(), "")
    })
}

async fn adopt(shared: &Shared, name: &TaskName, ours: &PipelineRun) -> Result<Submitted, SubmitError> {
    let unheard = |message: String| SubmitError::Unknown { message };
    let theirs = match shared.in_time(shared.cluster.seen_runs.get_opt(name.as_str())).await {
        Some(Ok(Some(theirs))) => theirs,
        // It went in between: the next create tells.
        Some(Ok(None)) => {
            let message = "an object of its name was there, and is gone".to_owned();
            return Err(SubmitError::Unreachable { message, retry_after: None });
        }
        Some(Err(error)) => return Err(unheard(in_full(&error))),
        None => return Err(unheard(LATE.to_owned())),
    };
    match same_run(&ours.metadata, &theirs.metadata) {
        Ok(id) => {
            shared.board.see_run(theirs, shared.clock.now());
            Ok(Submitted::Adopted { id })
        }
        Err(mismatch) => Err(refused("NameTaken", mismatch.to_string())),
    }
}
