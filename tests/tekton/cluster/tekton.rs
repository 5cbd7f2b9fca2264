//! Tekton's part: runs move through what a real cluster recorded.

use serde::Deserialize;
use serde_json::{Value, json};
use tekcron::clock::SystemClock;

use super::logs::USER;
use super::objects::Refused;
use super::{Cluster, RUNS, State, TASK_RUNS};

/// The recorded objects of `name`: the run, and its TaskRun where there was one.
fn sample(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/tekton/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_yaml_ng::Deserializer::from_str(&text).map(|object| Value::deserialize(object).unwrap()).collect()
}

impl Cluster {
    /// Has the run `name` be as `sample` was.
    pub(crate) fn becomes(&self, name: &str, sample: &str) {
        self.with(|state| becomes(state, name, sample));
    }

    /// The run has become what `sample` says, and its pod, which was told to end, has not ended yet.
    pub(crate) fn becomes_before_its_pod(&self, name: &str, name_of_sample: &str) {
        self.with(|state| put(state, name, sample(name_of_sample)));
    }

    /// Has the run's container run, from `started` on.
    pub(crate) fn runs_since(&self, name: &str, started: &str) {
        self.first_step_runs(name, "succeeded", started);
    }

    /// Has the first step of a build run, from `started` on; the others wait for it.
    pub(crate) fn fetches_since(&self, name: &str, started: &str) {
        self.first_step_runs(name, "build-succeeded", started);
    }

    fn first_step_runs(&self, name: &str, ended: &str, started: &str) {
        self.with(|state| {
            let mut objects = sample(ended);
            unfinished(
                &mut objects[0],
                "Running",
                "Tasks Completed: 0 (Failed: 0, Cancelled 0), Incomplete: 1, Skipped: 0",
            );
            unfinished(&mut objects[1], "Running", "Not all Steps in the Task have finished executing");
            for object in &mut objects {
                object["status"].as_object_mut().unwrap().remove("results");
            }
            let steps = objects[1]["status"]["steps"].as_array_mut().unwrap();
            for step in steps.iter_mut() {
                step.as_object_mut().unwrap().retain(|key, _| key == "name" || key == "container");
            }
            steps[0]["running"] = json!({ "startedAt": started });
            put(state, name, objects);
        });
    }

    /// Has the run's pod write a line.
    pub(crate) fn writes(&self, name: &str, time: &str, text: &str) {
        self.container_writes(name, USER, time, text);
    }

    /// Has one container of the run's pod write a line.
    pub(crate) fn container_writes(&self, name: &str, container: &str, time: &str, text: &str) {
        self.with(|state| {
            let log = state.logs.entry(pod_of(name)).or_default().entry(container.to_owned()).or_default();
            log.lines.push((time.parse().unwrap(), text.to_owned()));
        });
    }

    /// A container of the run's pod has ended: its log has no more.
    pub(crate) fn container_ends(&self, name: &str, container: &str) {
        self.with(|state| {
            let logs = state.logs.entry(pod_of(name)).or_default();
            logs.entry(container.to_owned()).or_default().ended = true;
        });
    }

    /// Somebody else deletes the run, in the background.
    pub(crate) fn is_deleted(&self, name: &str) {
        self.with(|state| {
            state.objects.delete(RUNS, name, None, "2026-12-01T03:00:00Z").unwrap();
            collect_garbage(state);
        });
    }

    /// What the garbage collector does now and then: the children of runs that are gone go.
    pub(crate) fn collects_garbage(&self) {
        self.with(collect_garbage);
    }

    pub(crate) fn has_pod(&self, name: &str) -> bool {
        self.look(|state| state.logs.contains_key(&pod_of(name)))
    }
}

fn unfinished(object: &mut Value, reason: &str, message: &str) {
    let status = object["status"].as_object_mut().unwrap();
    status.remove("completionTime");
    status["conditions"] =
        json!([{ "type": "Succeeded", "status": "Unknown", "reason": reason, "message": message }]);
}

/// Names that nobody can build from that of the run.
fn task_run_of(name: &str) -> String {
    format!("{name}-task-{}", name.len())
}

fn pod_of(name: &str) -> String {
    format!("{}-pod", task_run_of(name))
}

/// The pod, and with it the log, goes with these.
const WITHOUT_POD: [&str; 3] = ["cancelled", "timed-out", "image-pull"];

fn becomes(state: &mut State, name: &str, name_of_sample: &str) {
    put(state, name, sample(name_of_sample));
    if WITHOUT_POD.contains(&name_of_sample) {
        state.logs.remove(&pod_of(name));
    } else if let Some(logs) = state.logs.get_mut(&pod_of(name)) {
        let ended = is_complete(state.objects.get(RUNS, name).unwrap());
        logs.values_mut().for_each(|log| log.ended = ended);
    }
}

/// The TaskRun first, as its controller does.
fn put(state: &mut State, name: &str, mut objects: Vec<Value>) {
    let now = state.now(&SystemClock::new());
    for condition in objects.iter_mut().filter_map(|object| object["status"]["conditions"].get_mut(0)) {
        condition["lastTransitionTime"] = json!(now);
    }
    let task_run = (objects.len() > 1).then(|| objects.remove(1));
    let run = objects.remove(0);
    let Some(of) = state.objects.get(RUNS, name).cloned() else { panic!("no run {name}") };
    if let Some(mut task_run) = task_run {
        task_run["metadata"]["name"] = json!(task_run_of(name));
        let mut labels = of["metadata"]["labels"].clone();
        labels["tekton.dev/pipelineRun"] = json!(name);
        if task_run["status"]["podName"].as_str().is_some_and(|pod| !pod.is_empty()) {
            task_run["status"]["podName"] = json!(pod_of(name));
            let logs = state.logs.entry(pod_of(name)).or_default();
            for step in task_run["status"]["steps"].as_array().into_iter().flatten() {
                logs.entry(step["container"].as_str().unwrap_or(USER).to_owned()).or_default();
            }
        }
        let status = task_run["status"].clone();
        task_run["metadata"]["labels"] = labels;
        let known = state.objects.change(TASK_RUNS, &task_run_of(name), |object| {
            object["status"] = status;
            Ok(())
        });
        if known.is_err() {
            state.objects.create(TASK_RUNS, task_run, "2026-12-01T02:00:01Z").unwrap();
        }
    }
    let changed = state.objects.change(RUNS, name, |object| {
        object["status"] = run["status"].clone();
        for child in object["status"]["childReferences"].as_array_mut().into_iter().flatten() {
            child["name"] = json!(task_run_of(name));
        }
        Ok(())
    });
    changed.unwrap();
}

pub(super) fn is_complete(run: &Value) -> bool {
    let condition = &run["status"]["conditions"][0]["status"];
    condition == "True" || condition == "False"
}

/// What Tekton's webhook says to a change of a spec.
pub(super) fn complete() -> Refused {
    let message = "admission webhook \"validation.webhook.pipeline.tekton.dev\" denied the request: validation \
                   failed: invalid value: Once the PipelineRun is complete, no updates are allowed: spec";
    (400, "BadRequest", message.to_owned())
}

/// A run that somebody wants ended ends, and its pod goes.
pub(super) fn cancel(state: &mut State, name: &str) {
    if state.objects.get(RUNS, name).is_some_and(|run| !is_complete(run)) {
        becomes(state, name, "cancelled");
    }
}

fn collect_garbage(state: &mut State) {
    let runs: Vec<String> = state.objects.all(RUNS).map(name_of).collect();
    let orphans: Vec<String> = state
        .objects
        .all(TASK_RUNS)
        .filter(|task_run| {
            let of = task_run["metadata"]["labels"]["tekton.dev/pipelineRun"].as_str().unwrap_or_default();
            !runs.iter().any(|run| run == of)
        })
        .map(name_of)
        .collect();
    for orphan in orphans {
        state.objects.remove(TASK_RUNS, &orphan);
        state.logs.remove(&format!("{orphan}-pod"));
    }
}

fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
