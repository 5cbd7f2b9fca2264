use serde_json::{Value, json};

use super::*;
use crate::executor::tekton::status::{Verdict, judge};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const REPOSITORY: &str = "registry.example/team/etl";

/// A run whose steps ended with these exit codes, and what it told.
fn run(exit_codes: &[i32], result: Option<Value>) -> (RunStatus, TaskRunStatus) {
    let steps: Vec<Value> = ["fetch", "user-container", "digest"]
        .iter()
        .zip(exit_codes)
        .map(|(name, code)| {
            json!({ "name": name, "container": format!("step-{name}"), "terminated": {
                "exitCode": code, "reason": if *code == 0 { "Completed" } else { "Error" },
            } })
        })
        .collect();
    let failed = exit_codes.iter().any(|code| *code != 0);
    let (status, of_run, of_task) =
        if failed { ("False", "Failed", "StepFailed") } else { ("True", "Completed", "Succeeded") };
    let condition = |reason: &str| json!([{ "type": "Succeeded", "status": status, "reason": reason }]);
    let results: Vec<Value> =
        result.into_iter().map(|value| json!({ "name": "image-digest", "value": value })).collect();
    let run = json!({ "conditions": condition(of_run), "results": results });
    let task_run = json!({ "conditions": condition(of_task), "steps": steps });
    (serde_json::from_value(run).unwrap(), serde_json::from_value(task_run).unwrap())
}

fn judged(run: &RunStatus, task_run: Option<&TaskRunStatus>) -> End {
    let Verdict::Ended(end) = judge(run, task_run) else { panic!("it has not ended") };
    judge_build(end, REPOSITORY, run, task_run)
}

#[test]
fn an_image_is_known_by_the_digest_of_the_run_or_of_its_task() {
    for digest in [DIGEST.to_owned(), format!("{DIGEST}\n")] {
        let (run, mut task_run) = run(&[0, 0, 0], Some(json!(digest)));
        assert_eq!(judged(&run, Some(&task_run)).phase, Phase::Succeeded);
        assert_eq!(image(REPOSITORY, &run, Some(&task_run)), Ok(format!("{REPOSITORY}@{DIGEST}")));
        assert_eq!(judged(&run, None).phase, Phase::Succeeded, "its TaskRun is gone");
        let silent = RunStatus { results: Box::default(), ..run.clone() };
        task_run.results = run.results;
        assert_eq!(image(REPOSITORY, &silent, Some(&task_run)), Ok(format!("{REPOSITORY}@{DIGEST}")));
    }
}

#[test]
fn what_is_no_digest_is_none() {
    for value in [
        json!(""),
        json!("latest"),
        json!(&DIGEST[..70]),
        json!(format!("{DIGEST} {DIGEST}")),
        json!(DIGEST.to_uppercase()),
        json!("md5:0123456789abcdef0123456789abcdef"),
        json!([DIGEST]),
        json!({ "digest": DIGEST }),
        Value::Null,
    ] {
        let (run, task_run) = run(&[0, 0], Some(value.clone()));
        let end = judged(&run, Some(&task_run));
        assert_eq!((end.phase, end.exit_code), (Phase::Failed, None), "{value}");
        assert_eq!(end.reason, "NoImageDigest");
        assert!(end.message.contains("expected `sha256:` and 64 digits, found"), "{}", end.message);
    }
    let (run, task_run) = run(&[0, 0], Some(json!(format!("\u{1b}[2J{}", "x".repeat(500)))));
    let message = judged(&run, Some(&task_run)).message;
    assert!(message.len() < 250 && !message.contains('\u{1b}'), "{message}");
}

/// Tekton may fail a run whose task has succeeded, for want of a result.
#[test]
fn a_run_that_tekton_fails_for_want_of_its_result_has_no_digest() {
    let (_, task_run) = run(&[0, 0], None);
    let condition = json!([{ "type": "Succeeded", "status": "False", "reason": "CouldntGetPipelineResult", "message": "x" }]);
    let run: RunStatus = serde_json::from_value(json!({ "conditions": condition })).unwrap();
    let end = judged(&run, Some(&task_run));
    assert_eq!((end.phase, end.reason.as_str()), (Phase::Failed, "NoImageDigest"));
    assert_eq!(end.message, "the builder succeeded, and left no digest of an image");
}

#[test]
fn the_step_that_failed_says_what_went_wrong() {
    for (exit_codes, exit_code, reason) in [
        // What comes after a step that failed is skipped, and ends with a made-up 1.
        (&[1, 1, 1][..], None, "FetchFailed"),
        (&[0, 51, 1], Some(51), "Error"),
        (&[0, 0, 1], None, "NoImageDigest"),
    ] {
        let (run, task_run) = run(exit_codes, None);
        let end = judged(&run, Some(&task_run));
        assert_eq!((end.phase, end.exit_code, end.reason.as_str()), (Phase::Failed, exit_code, reason));
    }
}

#[test]
fn an_end_that_is_not_the_builds_own_keeps_its_words() {
    let condition = |reason: &str| {
        let condition =
            json!([{ "type": "Succeeded", "status": "False", "reason": reason, "message": "because" }]);
        serde_json::from_value::<RunStatus>(json!({ "conditions": condition })).unwrap()
    };
    let phase = |reason: &str| judged(&condition(reason), None);
    assert_eq!(phase("Cancelled").phase, Phase::Cancelled);
    assert_eq!(phase("PipelineRunTimeout").phase, Phase::TimedOut);
    let refused = phase("CreateRunFailed");
    assert_eq!((refused.phase, refused.reason.as_str()), (Phase::Failed, "CreateRunFailed"));
}
