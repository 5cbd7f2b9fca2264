use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tekcron::app::{Command, Resources, Timeout};
use tekcron::config::{Config, ExecutorKind};
use tekcron::executor::pipeline_run::{BuildError, PipelineRun, Step, build};
use tekcron::task::Task;

use crate::crd::{self, Crds};
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
    for task in [scheduled(), manual("etl"), manual("plain"), dollars()] {
        crd::assert_valid(&json!(built(&config(), &task)));
    }
}

#[test]
fn what_the_cluster_would_prune_or_refuse_is_found() {
    let Some(crds) = Crds::read() else { return };
    let run = json!(built(&config(), &scheduled()));
    assert_eq!(crds.faults(&run), [""; 0]);
    for (pointer, key, value) in [
        ("/spec/timeouts", "pipelines", json!("1h")),
        ("/spec/timeouts", "pipeline", json!(3600)),
        ("/spec/taskRunTemplate", "serviceAccount", json!("etl")),
        ("/spec/taskRunTemplate/podTemplate", "nodeSelectors", json!({})),
        ("/spec/taskRunTemplate/podTemplate/tolerations/0", "tolerationSeconds", json!("60")),
        ("/spec/taskRunTemplate/podTemplate/volumes/0", "secrets", json!({})),
        ("/spec/taskRunTemplate/podTemplate/securityContext", "runAsUsers", json!(0)),
        ("/spec/taskRunTemplate/podTemplate/securityContext", "runAsUser", json!("root")),
        ("/spec/pipelineSpec/tasks/0/taskSpec/steps/0", "envForm", json!([])),
        ("/spec/pipelineSpec/tasks/0/taskSpec/steps/0/volumeMounts/0", "path", json!("/x")),
        ("/spec/pipelineSpec/tasks/0/taskSpec/steps/0/computeResources/limits", "memory", json!(true)),
        ("/spec", "pipelinespec", json!({})),
    ] {
        let mut wrong = run.clone();
        wrong.pointer_mut(pointer).unwrap()[key] = value;
        assert_eq!(crds.faults(&wrong).len(), 1, "{pointer}/{key}");
    }
}

#[test]
fn a_cluster_is_not_asked_to_run_what_has_no_image() {
    let with = |change: fn(&mut tekcron::app::App)| {
        let mut config = config_with(change);
        config.settings.executor = ExecutorKind::Tekton;
        build(&config, &manual("etl"), None)
    };
    assert!(with(|_| {}).is_ok());
    assert!(matches!(with(|app| app.image = None), Err(BuildError::NoImage { .. })));
    assert!(matches!(with(|app| app.image = Some("etl:".into())), Err(BuildError::Image(_))));
    assert!(build(&config(), &manual("plain"), None).is_ok(), "this machine needs none");
}

#[test]
fn volumes_do_not_hide_each_other_nor_the_lasting_directory() {
    let at = |path: &'static str| {
        let config = config_with(|app| app.pod_template.volumes[0].mount_path = path.parse().unwrap());
        build(&config, &manual("etl"), None)
    };
    assert!(at("/elsewhere").is_ok());
    assert!(matches!(at("/scratch"), Err(BuildError::Mount { .. })));
    assert!(matches!(at("/workspace/state"), Err(BuildError::Mount { .. })));
    let config = config_with(|app| app.pod_template.node_selector = env([("a b", "c")]));
    assert!(matches!(build(&config, &manual("etl"), None), Err(BuildError::Label { .. })));
}

#[test]
fn without_a_finalizer_a_run_has_none() {
    let mut config = config();
    assert!(built(&config, &scheduled()).metadata.finalizers.is_some());
    config.settings.tekton.finalizer = false;
    assert_eq!(built(&config, &scheduled()).metadata.finalizers, None);
}
