//! From the conditions of a PipelineRun and its TaskRun to what became of the task: one pure table.
//!
//! Reasons are those of Tekton's v1 API (docs/pipelineruns.md, docs/taskruns.md, "Monitoring execution
//! status") and those seen on a real cluster, whose recordings are the tests' fixtures. A reason that is not
//! in the table keeps its own word: only `Succeeded` = True, False or Unknown decides about the end.

use jiff::Timestamp;

use super::object::{Condition, RunStatus, StepState, TaskRunStatus, TerminatedStep};
use crate::task::Phase;

/// What the cluster says of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its command does not run yet, and why, where that is said.
    Waiting {
        /// In the TaskRun's words.
        message: Option<String>,
    },
    /// Its command runs.
    Running {
        /// Since when.
        started: Timestamp,
    },
    /// It has ended.
    Ended(End),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) phase: Phase,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
}

/// Judges a run by its own status and that of its TaskRun, where that is known.
pub(super) fn judge(run: &RunStatus, task_run: Option<&TaskRunStatus>) -> Verdict {
    let steps = task_run.map(|task_run| &*task_run.steps).unwrap_or_default();
    let Some(condition) = succeeded(&run.conditions) else { return waiting(task_run, steps) };
    match condition.status.as_str() {
        "True" => Verdict::Ended(success(run, steps)),
        "False" => Verdict::Ended(failure(run, condition, task_run, steps)),
        _ => match steps.first().and_then(started) {
            Some(started) => Verdict::Running { started },
            None if condition.reason == "PipelineRunPending" => {
                Verdict::Waiting { message: Some(condition.message.to_string()) }
            }
            None => waiting(task_run, steps),
        },
    }
}

/// The step that the end is told by: the first that failed, else the last. Those after one that failed are skipped.
pub(super) fn telling(steps: &[StepState]) -> Option<&StepState> {
    let failed = |step: &&StepState| ended(step).is_some_and(|ended| ended.exit_code != 0);
    steps.iter().find(failed).or(steps.last())
}

/// Whether these are the conditions of something that has ended.
pub(super) fn has_ended(conditions: &[Condition]) -> bool {
    succeeded(conditions).is_some_and(|condition| matches!(condition.status.as_str(), "True" | "False"))
}

/// Whether these are the conditions of something that has succeeded.
pub(super) fn has_succeeded(conditions: &[Condition]) -> bool {
    succeeded(conditions).is_some_and(|condition| condition.status == "True")
}

fn succeeded(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.r#type == "Succeeded")
}

/// When the step's container started, while it runs or after it has ended by itself.
fn started(step: &StepState) -> Option<Timestamp> {
    let running = step.running.as_ref().and_then(|running| running.started_at);
    running.or_else(|| ended(step).and_then(|terminated| terminated.started_at))
}

/// How the container ended, where it did by itself: for a run that was cancelled, timed out or whose image
/// could not be pulled, Tekton makes up an exit code of 1.
pub(super) fn ended(step: &StepState) -> Option<&TerminatedStep> {
    let real = |step: &&TerminatedStep| matches!(step.reason.as_str(), "Completed" | "Error" | "OOMKilled");
    step.terminated.as_deref().filter(real)
}

/// Words are said only where something is in the way.
fn waiting(task_run: Option<&TaskRunStatus>, steps: &[StepState]) -> Verdict {
    let container = steps
        .iter()
        .filter_map(|step| step.waiting.as_deref())
        .find(|waiting| !matches!(waiting.reason.as_str(), "PodInitializing" | "ContainerCreating" | ""));
    let condition = task_run.and_then(|task_run| succeeded(&task_run.conditions));
    let usual = ["Started", "Running", ""];
    let said = condition.filter(|condition| !usual.contains(&condition.reason.as_str()));
    let message = match (container, said) {
        (Some(waiting), _) => Some(joined(&waiting.reason, &waiting.message)),
        (None, Some(condition)) => Some(joined(&condition.reason, &condition.message)),
        (None, None) => None,
    };
    Verdict::Waiting { message }
}

/// Since when a TaskRun waits, by the cluster's clock.
pub(super) fn waits_since(task_run: &TaskRunStatus) -> Option<Timestamp> {
    succeeded(&task_run.conditions)?.last_transition_time
}

fn joined(reason: &str, message: &str) -> String {
    match message.trim() {
        "" => reason.to_owned(),
        message => format!("{reason}: {message}"),
    }
}

fn success(run: &RunStatus, steps: &[StepState]) -> End {
    let (first, last) = (steps.first().and_then(ended), steps.last().and_then(ended));
    End {
        phase: Phase::Succeeded,
        exit_code: Some(0),
        reason: "Completed".to_owned(),
        message: "it ended with exit code 0".to_owned(),
        started: first.and_then(|ended| ended.started_at),
        finished: last.and_then(|ended| ended.finished_at).or(run.completion_time),
    }
}

fn failure(
    run: &RunStatus,
    condition: &Condition,
    task_run: Option<&TaskRunStatus>,
    steps: &[StepState],
) -> End {
    let first = steps.first().and_then(ended);
    let ended = telling(steps).and_then(ended);
    let of_task = task_run.and_then(|task_run| succeeded(&task_run.conditions));
    // The run's own reason says that it was ended; the TaskRun's, why it failed.
    let telling = match condition.reason.as_str() {
        "Failed" | "Completed" => of_task.filter(|of_task| of_task.status == "False").unwrap_or(condition),
        _ => condition,
    };
    let (phase, reason, message) = match telling.reason.as_str() {
        "Cancelled" | "CancelledRunningFinally" | "PipelineRunCancelled" | "TaskRunCancelled" => {
            (Phase::Cancelled, "Cancelled".to_owned(), "it was cancelled on the cluster".to_owned())
        }
        "StoppedRunningFinally" | "PipelineRunStopping" => {
            (Phase::Cancelled, "Cancelled".to_owned(), "it was stopped on the cluster".to_owned())
        }
        "PipelineRunTimeout" | "TaskRunTimeout" => {
            (Phase::TimedOut, "PipelineRunTimeout".to_owned(), telling.message.to_string())
        }
        "StepOOM" => out_of_memory(),
        "StepFailed" => exit(ended, &telling.message),
        "PodEvicted" => evicted(&telling.message),
        // Tekton before 1.12 says no more than this.
        "Failed" if tells_of_eviction(&telling.message) => evicted(&telling.message),
        "Failed" if ended.is_some_and(|ended| ended.reason == "OOMKilled") => out_of_memory(),
        "Failed" if ended.is_some_and(|ended| ended.exit_code != 0) => exit(ended, &telling.message),
        reason => (Phase::Failed, reason.to_owned(), explained(telling, steps)),
    };
    // A shell whose child was killed for want of memory shows 0, which is not how the task ended.
    let exit_code = ended.map(|ended| ended.exit_code).filter(|code| phase == Phase::Failed && *code != 0);
    End {
        phase,
        exit_code,
        reason,
        message,
        started: first.and_then(|ended| ended.started_at),
        finished: ended
            .and_then(|ended| ended.finished_at)
            .or(run.completion_time)
            .or(task_run.and_then(|task_run| task_run.completion_time)),
    }
}

fn out_of_memory() -> (Phase, String, String) {
    let message = "it was killed because it needed more memory than its limit";
    (Phase::Failed, "OOMKilled".to_owned(), message.to_owned())
}

fn evicted(message: &str) -> (Phase, String, String) {
    (Phase::Failed, "Evicted".to_owned(), format!("its pod was evicted from its node: {message}"))
}

/// How the kubelet's words about a pod that it evicts begin.
fn tells_of_eviction(message: &str) -> bool {
    let words =
        ["The node was low on resource", "Pod ephemeral local storage usage", "Usage of EmptyDir volume"];
    words.iter().any(|words| message.starts_with(words))
}

/// Tekton's entrypoint reports the end by a signal as 255.
fn exit(ended: Option<&TerminatedStep>, message: &str) -> (Phase, String, String) {
    let message = match ended.map(|ended| ended.exit_code) {
        Some(255) => "it ended with exit code 255, which is how a signal shows too".to_owned(),
        Some(code) => format!("it ended with exit code {code}"),
        None => message.to_owned(),
    };
    (Phase::Failed, "Error".to_owned(), message)
}

/// The condition's words, and the container's where it says more.
fn explained(condition: &Condition, steps: &[StepState]) -> String {
    let mut containers =
        steps.iter().filter_map(|step| step.waiting.as_deref()).map(|waiting| waiting.message.trim());
    match containers.find(|message| !message.is_empty() && !condition.message.contains(message)) {
        Some(more) => format!("{}: {more}", condition.message),
        None => condition.message.to_string(),
    }
}

#[cfg(test)]
mod tests;
