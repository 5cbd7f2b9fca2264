//! The table against recordings of a real cluster, and against Tekton's own words where there is none.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::executor::tekton::object::{SeenRun, SeenTaskRun};

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tekton").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recording: the run, and its TaskRun where there was one.
fn recorded(sample: &str) -> (RunStatus, Option<TaskRunStatus>) {
    let text = fixture(&format!("{sample}.yaml"));
    let mut objects =
        serde_yaml_ng::Deserializer::from_str(&text).map(|object| Value::deserialize(object).unwrap());
    let run = objects.next().unwrap();
    assert_eq!(run["kind"], "PipelineRun", "{sample}");
    let run: SeenRun = serde_json::from_value(run).unwrap();
    let task_run = objects.next().map(|task_run| {
        assert_eq!(task_run["kind"], "TaskRun", "{sample}");
        serde_json::from_value::<SeenTaskRun>(task_run).unwrap().status
    });
    (run.status, task_run)
}

fn judged(sample: &str) -> Verdict {
    let (run, task_run) = recorded(sample);
    judge(&run, task_run.as_ref())
}

fn at(text: &str) -> Option<Timestamp> {
    Some(format!("2026-11-{text}Z").parse().unwrap())
}

fn ended(verdict: Verdict) -> End {
    match verdict {
        Verdict::Ended(end) => end,
        verdict => panic!("not ended: {verdict:?}"),
    }
}

fn waits(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::Waiting { message } => message,
        verdict => panic!("not waiting: {verdict:?}"),
    }
}

#[test]
fn every_recorded_end_is_told_with_exit_code_reason_and_times() {
    use Phase::{Cancelled, Failed, Succeeded, TimedOut};
    let exits = |code: i32| format!("it ended with exit code {code}");
    let table = [
        ("succeeded", Succeeded, Some(0), "Completed", exits(0), at("23T23:24:25"), at("23T23:24:26")),
        (
            "timeout-two-hours",
            Succeeded,
            Some(0),
            "Completed",
            exits(0),
            at("24T00:26:09"),
            at("24T00:26:09"),
        ),
        ("failed-exit-3", Failed, Some(3), "Error", exits(3), at("23T23:24:25"), at("23T23:24:25")),
        ("retried", Failed, Some(3), "Error", exits(3), at("23T23:25:22"), at("23T23:25:22")),
        (
            "signal",
            Failed,
            Some(255),
            "Error",
            "it ended with exit code 255, which is how a signal shows too".to_owned(),
            at("24T00:26:09"),
            at("24T00:26:09"),
        ),
        (
            "oom",
            Failed,
            Some(137),
            "OOMKilled",
            "it was killed because it needed more memory than its limit".to_owned(),
            at("23T23:24:27"),
            at("23T23:24:28"),
        ),
        // The exit code 1 of these is made up, and so is when their step began.
        (
            "cancelled",
            Cancelled,
            None,
            "Cancelled",
            "it was cancelled on the cluster".to_owned(),
            None,
            at("23T23:25:14"),
        ),
        (
            "timed-out",
            TimedOut,
            None,
            "PipelineRunTimeout",
            "PipelineRun \"timed-out\" failed to finish within \"5s\"".to_owned(),
            None,
            at("23T23:24:25"),
        ),
        (
            "missing-secret",
            Failed,
            None,
            "CreateContainerConfigError",
            "Failed to create pod due to config error: secret \"nosuch\" not found".to_owned(),
            None,
            at("23T23:25:18"),
        ),
        (
            "lim",
            Failed,
            None,
            "TaskRunValidationFailed",
            "[User error] invalid request resource value: 64Mi must be less or equal to limit 32Mi"
                .to_owned(),
            None,
            at("23T23:25:18"),
        ),
        (
            "no-service-account",
            Failed,
            None,
            "PodCreationFailed",
            "failed to create task run pod \"no-service-account-task\": translating TaskSpec to Pod: \
             serviceaccounts \"nosuch\" not found. Maybe invalid TaskSpec"
                .to_owned(),
            None,
            at("23T23:25:14"),
        ),
    ];
    for (sample, phase, exit_code, reason, message, started, finished) in table {
        let expected = End { phase, exit_code, reason: reason.to_owned(), message, started, finished };
        assert_eq!(ended(judged(sample)), expected, "{sample}");
    }
    let image_pull = ended(judged("image-pull"));
    assert_eq!((image_pull.phase, image_pull.exit_code, image_pull.started), (Failed, None, None));
    assert_eq!(image_pull.reason, "TaskRunImagePullFailed");
    for words in ["failed to pull the image", "nowhere.invalid/none:1", "no such host"] {
        assert!(image_pull.message.contains(words), "{}", image_pull.message);
    }
}

#[test]
fn what_waits_is_told_in_the_words_of_whoever_it_waits_for() {
    let table = [
        ("pending", "PipelineRun \"pending\" is pending"),
        ("unschedulable", "ExceededNodeResources: TaskRun Pod exceeded available resources"),
        (
            "quota",
            "ExceededResourceQuota: TaskRun Pod exceeded available resources: pods \"quota-task-pod\" is forbidden: \
             exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
        ),
    ];
    for (sample, words) in table {
        assert_eq!(waits(judged(sample)).as_deref(), Some(words), "{sample}");
    }
}

/// A PipelineRun says `Running` as soon as its TaskRun is there, and the ends of both come one by one.
#[test]
fn a_run_counts_as_running_from_its_container_on() {
    let mut seen = 0;
    for line in fixture("watch-events.jsonl").lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let run: SeenRun = serde_json::from_value(event["object"].take()).unwrap();
        let name = run.metadata.name.unwrap();
        let verdict = judge(&run.status, None);
        match run.status.conditions.first().map(|condition| condition.status.as_str()) {
            None | Some("Unknown") => {
                assert!(matches!(verdict, Verdict::Waiting { .. }), "{name}: {verdict:?}")
            }
            Some(_) => assert!(matches!(verdict, Verdict::Ended(_)), "{name}: {verdict:?}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 52);
}

fn run_says(status: &str, reason: &str, message: &str) -> RunStatus {
    let condition = json!({ "type": "Succeeded", "status": status, "reason": reason, "message": message });
    serde_json::from_value(json!({ "conditions": [condition], "completionTime": "2026-11-23T23:30:00Z" }))
        .unwrap()
}

fn task_run_says(status: &str, reason: &str, message: &str, step: &Value) -> TaskRunStatus {
    let condition = json!({ "type": "Succeeded", "status": status, "reason": reason, "message": message });
    serde_json::from_value(json!({ "conditions": [condition], "podName": "x-pod", "steps": [step] })).unwrap()
}

fn terminated(exit_code: i32, reason: &str) -> Value {
    json!({ "name": "user-container", "container": "step-user-container", "terminated": {
        "exitCode": exit_code, "reason": reason,
        "startedAt": "2026-11-23T23:29:00Z", "finishedAt": "2026-11-23T23:29:30Z",
    } })
}

fn goes_on(reason: &str, message: &str, step: &Value) -> Verdict {
    judge(
        &run_says("Unknown", "Running", "Incomplete: 1"),
        Some(&task_run_says("Unknown", reason, message, step)),
    )
}

fn fails(reason: &str, message: &str, step: &Value) -> End {
    let task_run = task_run_says("False", reason, message, step);
    ended(judge(&run_says("False", "Failed", "Tasks Completed: 1 (Failed: 1)"), Some(&task_run)))
}

const NOTHING: Value = Value::Null;

fn no_step() -> Value {
    json!({ "name": "user-container" })
}

/// Tekton's `pkg/pod/status.go`: words of which there is no recording.
#[test]
fn an_evicted_pod_is_told_apart_in_every_version() {
    let node = "The node was low on resource: memory.";
    let disk = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi.";
    let volume = "Usage of EmptyDir volume \"ws-b6dfk\" exceeds the limit \"10Gi\".";
    for message in [node, disk, volume] {
        for (reason, step) in
            [("PodEvicted", no_step()), ("Failed", no_step()), ("Failed", terminated(137, "Error"))]
        {
            let end = fails(reason, message, &step);
            assert_eq!((end.phase, end.reason.as_str()), (Phase::Failed, "Evicted"), "{reason}");
            assert_eq!(end.message, format!("its pod was evicted from its node: {message}"));
        }
    }
    assert_eq!(fails("PodEvicted", node, &no_step()).exit_code, None);
    assert_eq!(fails("PodEvicted", node, &terminated(137, "Error")).exit_code, Some(137));
}

/// Before 1.12, a TaskRun only says `Failed`.
#[test]
fn older_versions_are_understood_by_the_step() {
    let exited = fails("Failed", "\"step-user-container\" exited with code 3", &terminated(3, "Error"));
    assert_eq!((exited.reason.as_str(), exited.exit_code), ("Error", Some(3)));
    assert_eq!(exited.message, "it ended with exit code 3");
    let killed = fails("Failed", "OOMKilled", &terminated(137, "OOMKilled"));
    assert_eq!((killed.reason.as_str(), killed.exit_code), ("OOMKilled", Some(137)));
    let unsaid = fails("Failed", "build failed for unspecified reasons.", &no_step());
    assert_eq!((unsaid.reason.as_str(), unsaid.exit_code), ("Failed", None));
    assert_eq!(unsaid.message, "build failed for unspecified reasons.");
}

#[test]
fn a_deadline_is_a_time_out_wherever_it_is_said() {
    let message = "TaskRun \"x-task\" failed to finish within \"5s\"";
    let of_task = fails("TaskRunTimeout", message, &terminated(1, "TaskRunTimeout"));
    let of_run = ended(judge(&run_says("False", "PipelineRunTimeout", message), None));
    for end in [of_task, of_run] {
        assert_eq!((end.phase, end.exit_code, end.started), (Phase::TimedOut, None, None));
        assert_eq!((end.reason.as_str(), end.message.as_str()), ("PipelineRunTimeout", message));
    }
}

#[test]
fn every_way_to_be_cancelled_is_cancelled() {
    for reason in ["Cancelled", "CancelledRunningFinally", "PipelineRunCancelled", "StoppedRunningFinally"] {
        let end = ended(judge(&run_says("False", reason, "PipelineRun \"x\" was cancelled"), None));
        assert_eq!(
            (end.phase, end.exit_code, end.reason.as_str()),
            (Phase::Cancelled, None, "Cancelled"),
            "{reason}"
        );
    }
    // Somebody cancelled the TaskRun alone.
    let end =
        fails("TaskRunCancelled", "TaskRun \"x-task\" was cancelled.", &terminated(1, "TaskRunCancelled"));
    assert_eq!((end.phase, end.exit_code, end.started), (Phase::Cancelled, None, None));
}

/// What else a run or a TaskRun is refused with is final, and keeps its own word and words.
#[test]
fn every_other_reason_keeps_its_word() {
    let of_run = [
        "CreateRunFailed",
        "PipelineValidationFailed",
        "CouldntGetTask",
        "InvalidTaskRunSpecs",
        "ParameterMissing",
    ];
    for reason in of_run {
        let end = ended(judge(&run_says("False", reason, "because"), None));
        assert_eq!((end.phase, end.exit_code), (Phase::Failed, None), "{reason}");
        assert_eq!((end.reason.as_str(), end.message.as_str()), (reason, "because"));
        assert_eq!(end.finished, Some("2026-11-23T23:30:00Z".parse().unwrap()));
    }
    for reason in ["TaskRunResolutionFailed", "InitContainerOOM", "SidecarFailed", "SomethingNew"] {
        let end = fails(reason, "because", &no_step());
        assert_eq!(
            (end.phase, end.reason.as_str(), end.message.as_str()),
            (Phase::Failed, reason, "because")
        );
    }
}

#[test]
fn a_run_that_completed_with_something_skipped_has_succeeded() {
    for reason in ["Succeeded", "Completed"] {
        let end = ended(judge(&run_says("True", reason, ""), None));
        assert_eq!((end.phase, end.exit_code, end.reason.as_str()), (Phase::Succeeded, Some(0), "Completed"));
    }
}

#[test]
fn what_is_in_the_way_of_a_start_is_shown_and_what_is_usual_is_not() {
    let waiting = |reason: &str, message: &str| json!({ "name": "user-container", "waiting": { "reason": reason, "message": message } });
    let table = [
        ("Started", "", no_step(), None),
        ("Running", "Not all Steps in the Task have finished executing", no_step(), None),
        ("Running", "", waiting("PodInitializing", ""), None),
        ("Running", "", waiting("ContainerCreating", ""), None),
        (
            "Pending",
            "pod status \"Initialized\":\"False\"",
            no_step(),
            Some("Pending: pod status \"Initialized\":\"False\""),
        ),
        ("ExceededNodeResources", "no room", no_step(), Some("ExceededNodeResources: no room")),
        (
            "PullImageFailed",
            "build step pending",
            waiting("ImagePullBackOff", "Back-off"),
            Some("ImagePullBackOff: Back-off"),
        ),
        ("PullImageFailed", "", waiting("InvalidImageName", ""), Some("InvalidImageName")),
    ];
    for (reason, message, step, words) in table {
        assert_eq!(waits(goes_on(reason, message, &step)).as_deref(), words, "{reason}");
    }
    let started = judge(&run_says("Unknown", "Started", ""), None);
    assert_eq!(waits(started), None);
    assert_eq!(waits(judge(&RunStatus::default(), None)), None);
}

#[test]
fn a_container_that_runs_or_ran_is_running_until_the_run_says_otherwise() {
    let started: Timestamp = "2026-11-23T23:29:00Z".parse().unwrap();
    let running = json!({ "name": "user-container", "running": { "startedAt": "2026-11-23T23:29:00Z" } });
    assert_eq!(goes_on("Running", "", &running), Verdict::Running { started });
    assert_eq!(goes_on("Running", "", &terminated(0, "Completed")), Verdict::Running { started });
    // It could not be ended, or is being ended: it runs.
    for reason in ["PipelineRunCouldntCancel", "PipelineRunStopping", "CancelledRunningFinally"] {
        let verdict =
            judge(&run_says("Unknown", reason, ""), Some(&task_run_says("Unknown", "Running", "", &running)));
        assert_eq!(verdict, Verdict::Running { started }, "{reason}");
    }
}

/// An object of another version than we know of must not break the watch.
#[test]
fn nulls_and_unknown_fields_are_passed_over() {
    let status = json!({ "conditions": NOTHING, "childReferences": NOTHING, "new": { "a": [1] } });
    assert_eq!(serde_json::from_value::<RunStatus>(status).unwrap(), RunStatus::default());
    let status = json!({ "conditions": NOTHING, "podName": NOTHING, "steps": NOTHING });
    assert_eq!(serde_json::from_value::<TaskRunStatus>(status).unwrap(), TaskRunStatus::default());
}
