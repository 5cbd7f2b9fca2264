//! Runs that run, as a real cluster recorded one.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Value, json};

use super::objects::{Kind, Objects};

const RECORDED: &str = include_str!("../../../tests/fixtures/tekton/succeeded.yaml");

/// Has every run have a TaskRun whose container runs.
pub(super) fn run_all(objects: &mut Objects) -> String {
    let names = objects.names(Kind::PipelineRun);
    let mut recorded = serde_yaml_ng::Deserializer::from_str(RECORDED)
        .map(|object| Value::deserialize(object).expect("YAML"));
    let (mut run_as, mut task_run_as) =
        (recorded.next().expect("a PipelineRun"), recorded.next().expect("its TaskRun"));
    for (object, words) in [
        (&mut run_as, "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0"),
        (&mut task_run_as, "Not all Steps in the Task have finished executing"),
    ] {
        let status = object["status"].as_object_mut().expect("it has a status");
        status.remove("completionTime");
        let condition =
            json!({ "type": "Succeeded", "status": "Unknown", "reason": "Running", "message": words });
        status["conditions"] = json!([condition]);
    }
    let step = &mut task_run_as["status"]["steps"][0];
    step.as_object_mut().expect("it has a step").retain(|key, _| key == "name" || key == "container");
    step["running"] = json!({ "startedAt": "2026-12-01T02:00:05Z" });
    for name in &names {
        let Some(text) = objects.get(Kind::PipelineRun, name) else { continue };
        let mut run: Value = serde_json::from_slice(&text).expect("it was JSON before");
        let task_run_name = format!("{name}-task");
        let mut task_run = task_run_as.clone();
        task_run["metadata"]["name"] = json!(task_run_name);
        let mut labels = run["metadata"]["labels"].clone();
        labels["tekton.dev/pipelineRun"] = json!(name);
        task_run["metadata"]["labels"] = labels;
        task_run["status"]["podName"] = json!(format!("{task_run_name}-pod"));
        objects.put("ADDED", Kind::TaskRun, task_run_name.clone(), task_run);
        run["status"] = run_as["status"].clone();
        run["status"]["childReferences"][0]["name"] = json!(task_run_name);
        objects.put("MODIFIED", Kind::PipelineRun, name.clone(), run);
    }
    names.len().to_string()
}

/// What a pod has written.
pub(super) fn log(lines: usize) -> String {
    let mut text = String::new();
    for line in 0..lines {
        writeln!(text, "2026-12-01T02:00:05.{line:09}Z line {line} of a task that says what it does")
            .expect("a String");
    }
    text
}
