//! The end of a build: what it made, or which of its steps did not do its part.

use super::object::{RunStatus, TaskRunStatus};
use super::status::{End, ended, has_succeeded, telling};
use crate::app::check_image;
use crate::executor::pipeline_run::{FETCH_STEP, IMAGE_DIGEST, STEP};
use crate::task::Phase;

/// The end of a build of `repository`: the exit code is the builder's and that of no other step, and who made no
/// image has failed.
pub(super) fn judge_build(
    end: End,
    repository: &str,
    run: &RunStatus,
    task_run: Option<&TaskRunStatus>,
) -> End {
    // Tekton fails a run of which it has no result, too.
    let was_built = task_run.is_some_and(|task_run| has_succeeded(&task_run.conditions));
    match end.phase {
        Phase::Succeeded | Phase::Failed if was_built || end.phase == Phase::Succeeded => {
            match image(repository, run, task_run) {
                Ok(_) => end,
                Err(message) => without_image(message, end),
            }
        }
        Phase::Failed => {
            let steps = task_run.map(|task_run| &*task_run.steps).unwrap_or_default();
            let failed = telling(steps).filter(|step| ended(step).is_some_and(|ended| ended.exit_code != 0));
            match failed.map(|step| step.name.as_str()) {
                None | Some(STEP) => end,
                Some(FETCH_STEP) => {
                    let message = "its source could not be fetched: its log says why".to_owned();
                    End { exit_code: None, reason: "FetchFailed".to_owned(), message, ..end }
                }
                Some(_) => {
                    let message = "the builder succeeded, and its report has no digest of an image";
                    without_image(message.to_owned(), end)
                }
            }
        }
        _ => end,
    }
}

/// The image that a build has pushed, by its digest.
///
/// # Errors
/// Where there is none, in words.
pub(super) fn image(
    repository: &str,
    run: &RunStatus,
    task_run: Option<&TaskRunStatus>,
) -> Result<String, String> {
    const NONE: &str = "the builder succeeded, and left no digest of an image";
    let of_task = task_run.map(|task_run| &*task_run.results).unwrap_or_default();
    let mut results = run.results.iter().chain(of_task);
    let result = results.find(|result| result.name == IMAGE_DIGEST).ok_or(NONE)?;
    let digest = result.value.as_str().unwrap_or_default().trim();
    let image = format!("{repository}@{digest}");
    match digest.starts_with("sha256:") && check_image(&image).is_ok() {
        true => Ok(image),
        false => {
            let found: String = digest.chars().take(80).collect();
            Err(format!("{NONE}: expected `sha256:` and 64 digits, found `{}`", found.escape_debug()))
        }
    }
}

fn without_image(message: String, end: End) -> End {
    End { phase: Phase::Failed, exit_code: None, reason: "NoImageDigest".to_owned(), message, ..end }
}

#[cfg(test)]
mod tests;
