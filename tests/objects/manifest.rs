use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tekcron::app::{Command, Resources, Timeout};
use tekcron::config::Config;
use tekcron::executor::pipeline_run::{BuildError, PipelineRun, Step, build};
use tekcron::task::Task;

use crate::sample::{config, config_with, env, manual, scheduled};

const EVERY_DOLLAR: &str = "tar cf $(date).tar ${X:-y} /tmp/x.$$ $(params.foo) $(context.pipelineRun.name)";

fn dollars() -> Task {
    let mut task = manual("plain");
    task.overrides.command = Some(Command::shell(EVERY_DOLLAR).unwrap());
    task.overrides.env = env([("PROMPT", "$(HOME)$"), ("REF", "$(params['x'])")]);
    task
}

fn built(config: &Config, task: &Task) -> PipelineRun {
    build(config, task, None).unwrap()
}

fn step(run: &PipelineRun) -> &Step {
    &run.spec.pipeline_spec.tasks[0].task_spec.steps[0]
}

#[test]
fn a_scheduled_run_carries_all_that_app_and_job_say() {
    let previous: Timestamp = "2026-11-30T02:00:00Z".parse().unwrap();
    let run = build(&config(), &scheduled(), Some(previous)).unwrap();
    insta::assert_yaml_snapshot!(run);
}

#[test]
fn a_run_of_an_app_with_nothing_but_a_command_says_no_more_than_that() {
    insta::assert_yaml_snapshot!(built(&config(), &manual("plain")));
}

#[test]
fn dollars_are_escaped_and_only_then_the_indirection_is_there() {
    let run = built(&config(), &dollars());
    insta::assert_yaml_snapshot!(json!({
        "command": step(&run).command,
        "env": step(&run).env.iter().filter(|variable| {
            ["TEKCRON_DOLLAR", "PROMPT", "REF"].contains(&variable.name.as_str())
        }).collect::<Vec<_>>(),
    }));
}

#[test]
fn the_run_wins_over_the_job_and_the_job_over_the_app() {
    let mut task = scheduled();
    task.overrides.resources = Resources { cpu: Some("2".parse().unwrap()), ..Resources::default() };
    let run = built(&config(), &task);
    let limits =
        step(&run).compute_resources.as_ref().and_then(|resources| resources.limits.clone()).unwrap();
    let amounts: Vec<_> = limits.iter().map(|(name, amount)| (name.as_str(), amount.0.as_str())).collect();
    assert_eq!(amounts, [("cpu", "2"), ("ephemeral-storage", "1Gi"), ("memory", "512Mi")]);
    let requests = step(&run).compute_resources.as_ref().and_then(|resources| resources.requests.clone());
    assert_eq!(requests, Some(limits));

    let timeouts = |run: &PipelineRun| {
        let pipeline = run.spec.timeouts.as_ref().and_then(|timeouts| timeouts.pipeline.clone());
        [pipeline, run.spec.pipeline_spec.tasks[0].timeout.clone()].map(Option::unwrap)
    };
    assert_eq!(timeouts(&run), ["2h0m0s", "2h0m0s"]);
    assert_eq!(timeouts(&built(&config(), &manual("etl"))), ["30m0s", "30m0s"]);
    task.overrides.timeout = Some(Timeout::After(SignedDuration::from_secs(5)));
    assert_eq!(timeouts(&built(&config(), &task)), ["5s", "5s"]);
    assert_eq!(timeouts(&built(&config(), &manual("plain"))), ["0s", "0s"]);

    assert_eq!(step(&run).command, ["sh", "etl.sh", "--full"]);
    assert_eq!(step(&built(&config(), &manual("etl"))).command[2], "sh etl.sh > /tmp/out.$$$$");
    task.overrides.command = Some(Command::shell("true").unwrap());
    assert_eq!(step(&built(&config(), &task)).command, ["/bin/sh", "-c", "true"]);
}

#[test]
fn a_run_without_a_command_anywhere_is_refused_with_a_hint() {
    let config = config_with(|app| app.command = None);
    let refused = build(&config, &manual("etl"), None).unwrap_err();
    insta::assert_snapshot!(refused, @r"
    expected a start command on the run, its job or App `etl`, found none
    hint: set `command` in the App's file, or give one with each run
    ");
    assert!(build(&config, &scheduled(), None).is_ok(), "its job has one");
}

#[test]
fn a_run_of_what_is_no_longer_configured_is_refused() {
    let config = config_with(|app| app.jobs.clear());
    let refused = build(&config, &scheduled(), None).unwrap_err();
    assert_eq!(refused.to_string(), "expected a job `nightly` on App `etl`, found none in the config");
    assert!(matches!(build(&config, &manual("gone"), None), Err(BuildError::UnknownApp(_))));
}

#[test]
fn what_kubernetes_would_refuse_is_refused_before() {
    let with_env = |name: &str, value: &str| {
        let mut task = manual("plain");
        task.overrides.env = env([(name, value)]);
        build(&config(), &task, None)
    };
    assert!(matches!(with_env("A=B", ""), Err(BuildError::EnvName { .. })));
    assert!(matches!(with_env("1ST", ""), Err(BuildError::EnvName { .. })));
    assert!(matches!(with_env("", ""), Err(BuildError::EnvName { .. })));
    assert!(matches!(with_env("A", "\0"), Err(BuildError::EnvValue { .. })));
    assert!(with_env("A.b-c_1", "").is_ok());

    let mut other = config();
    other.settings.instance = "my tekcron".into();
    assert!(matches!(build(&other, &manual("plain"), None), Err(BuildError::Label { .. })));
    let config = config_with(|app| app.security_groups = vec!["x".repeat(64)]);
    assert!(matches!(build(&config, &manual("etl"), None), Err(BuildError::Label { .. })));
}

#[test]
fn an_object_reads_back_as_it_was_written() {
    let run = built(&config(), &scheduled());
    let text = serde_yaml_ng::to_string(&run).unwrap();
    assert_eq!(serde_yaml_ng::from_str::<PipelineRun>(&text).unwrap(), run);
}

#[test]
fn every_object_is_valid_by_tektons_own_schema() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tekton");
    let Some(schema) = pipeline_run_schema(&folder) else {
        eprintln!("SKIPPED: no Tekton schemas at `{}`", folder.display());
        return;
    };
    let spec = &schema["properties"]["spec"]["properties"];
    let variables = &spec["taskRunTemplate"]["properties"]["podTemplate"]["properties"]["env"];
    let resources = &spec["taskRunSpecs"]["items"]["properties"]["computeResources"];
    for task in [scheduled(), manual("etl"), manual("plain"), dollars()] {
        let run = built(&config(), &task);
        assert_valid(&schema, &json!(run));
        // The schema leaves `pipelineSpec` open; the same types stand elsewhere in it.
        assert_valid(variables, &json!(step(&run).env));
        if let Some(amounts) = &step(&run).compute_resources {
            assert_valid(resources, &json!(amounts));
        }
    }
    let mut wrong = json!(built(&config(), &scheduled()));
    wrong["spec"]["timeouts"]["pipelines"] = json!("1h");
    assert!(!jsonschema::validator_for(&schema).unwrap().is_valid(&wrong), "the schema refuses nothing");
}

fn assert_valid(schema: &Value, object: &Value) {
    assert!(schema.is_object(), "the schema has moved");
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn pipeline_run_schema(folder: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(folder.join("crd-300-pipelinerun.yaml")).ok()?;
    let crd: Value = serde_yaml_ng::from_str(&text).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let v1 = versions.iter().find(|version| version["name"] == "v1").unwrap();
    let mut schema = v1["schema"]["openAPIV3Schema"].clone();
    close(&mut schema);
    // `ObjectMeta` is checked by the API server, and only named in the schema.
    schema["properties"]["metadata"]["additionalProperties"] = json!(true);
    Some(schema)
}

/// Makes the schema refuse what a cluster would silently prune.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let open = map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
            let is_schema = map.get("properties").is_some_and(Value::is_object) && !open;
            if is_schema && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".into(), json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}
