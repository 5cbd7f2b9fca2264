//! The object of a build, for each builder.

use jiff::SignedDuration;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tekcron::app::Timeout;
use tekcron::cli::render::{RenderArgs, RenderError, RenderFormat, run};
use tekcron::config::{BuildSettings, Builder, Config, ExecutorKind};
use tekcron::executor::cluster::SourceSecret;
use tekcron::executor::pipeline_run::{
    BuildError, PipelineRun, Step, build, build_source, source_submission,
};
use tekcron::push::{SourceHash, SourceKey};
use tekcron::task::Task;

use crate::crd;
use crate::sample::{config, config_with, env, manual};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn source() -> SourceHash {
    "0123456789abcdef".repeat(4).parse().unwrap()
}

fn config_of(builder: Builder, args: &[&str]) -> Config {
    let mut config = config();
    config.settings.executor = ExecutorKind::Tekton;
    config.settings.public_url = Some("https://tekcron.example".into());
    config.settings.build = Some(BuildSettings {
        builder,
        image: "registry.example/builder:1".into(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        registry: "registry.example/team".into(),
        registry_secret: Some("registry".into()),
        fetch_image: "registry.example/fetch:1".into(),
        service_account: None,
        timeout: Timeout::After(SignedDuration::from_mins(40)),
    });
    config
}

/// A build with limits, variables and a time-out of its own.
fn of_etl() -> Task {
    let mut task = manual("etl");
    task.overrides.env = env([("BP_VERSION", "3.*"), ("DOLLARS", "$$ $(HOME) $(params.x) ${Y}")]);
    task.overrides.resources.memory = Some("1Gi".parse().unwrap());
    task.overrides.timeout = Some(Timeout::After(SignedDuration::from_mins(15)));
    task
}

fn steps(run: &PipelineRun) -> &[Step] {
    &run.spec.pipeline_spec.tasks[0].task_spec.steps
}

const BUILDERS: [(Builder, &[&str]); 4] = [
    (Builder::Buildpacks, &["-cache-image={repository}:cache"]),
    (Builder::Buildah, &["--file", "docker/Dockerfile"]),
    (Builder::Kaniko, &["--cache=true"]),
    (Builder::Custom, &["/bin/sh", "-c", "build $1 $2 > $3", "it", "{source}", "{image}", "{digest_file}"]),
];

#[test]
fn buildpacks_get_variables_as_files_and_a_report_becomes_the_result() {
    let (builder, args) = BUILDERS[0];
    insta::assert_yaml_snapshot!(build_source(&config_of(builder, args), &of_etl(), &source()).unwrap());
}

#[test]
fn each_builder_is_called_as_its_documentation_says() {
    let steps: Vec<Value> = BUILDERS[1..]
        .iter()
        .map(|(builder, args)| {
            let run = build_source(&config_of(*builder, args), &of_etl(), &source()).unwrap();
            let task = &run.spec.pipeline_spec.tasks[0].task_spec;
            let [fetch, step] = task.steps.as_slice() else { panic!("{:?}", task.steps) };
            assert_eq!((fetch.name.as_str(), fetch.args.len()), ("fetch", 0));
            json!({ "step": step, "volumes": task.volumes })
        })
        .collect();
    insta::assert_yaml_snapshot!(steps);
}

#[test]
fn every_build_is_valid_by_tektons_own_schema() {
    for (builder, args) in BUILDERS {
        for task in [of_etl(), manual("plain")] {
            crd::assert_valid(&json!(build_source(&config_of(builder, args), &task, &source()).unwrap()));
        }
    }
}

#[test]
fn what_the_cluster_would_prune_of_a_build_is_found() {
    let Some(crds) = crd::Crds::read() else { return };
    let (builder, args) = BUILDERS[1];
    let run = json!(build_source(&config_of(builder, args), &of_etl(), &source()).unwrap());
    for (pointer, key, value) in [
        ("/spec/pipelineSpec/tasks/0/taskSpec/results/0", "values", json!("x")),
        ("/spec/pipelineSpec/tasks/0/taskSpec/volumes/0", "emptyDirs", json!({})),
        ("/spec/pipelineSpec/tasks/0/taskSpec/steps/1", "workingDirectory", json!("/")),
        ("/spec/pipelineSpec/tasks/0/taskSpec/steps/1/securityContext", "capability", json!({})),
    ] {
        let mut wrong = run.clone();
        wrong.pointer_mut(pointer).unwrap()[key] = value;
        assert_eq!(crds.faults(&wrong).len(), 1, "{pointer}/{key}");
    }
}

/// Nobody but the step that fetches has the token, nobody but the builder the registry's credentials, and nobody
/// what the App binds to.
#[test]
fn each_step_has_the_credentials_that_it_needs_and_no_others() {
    for (builder, args) in BUILDERS {
        let run = build_source(&config_of(builder, args), &of_etl(), &source()).unwrap();
        for step in steps(&run) {
            let secrets: Vec<_> = step
                .env
                .iter()
                .filter_map(|variable| {
                    variable.value_from.as_ref()?.secret_key_ref.as_ref().map(|secret| secret.name.clone())
                })
                .collect();
            let registry = step.volume_mounts.iter().any(|mount| mount.name == "tekcron-registry");
            let token = format!("tekcron-source-{}", run.metadata.name.as_deref().unwrap());
            match step.name.as_str() {
                "fetch" => assert_eq!((secrets, registry), (vec![token], false)),
                "user-container" => assert_eq!((secrets, registry), (vec![], true)),
                _ => assert_eq!((secrets, registry), (vec![], false)),
            }
            assert_eq!(step.env_from, vec![]);
        }
        let text = json!(run).to_string();
        assert!(!text.contains("tekcron-env-etl") && !text.contains("VCAP_SERVICES"), "{text}");
    }
}

#[test]
fn a_token_is_in_a_secret_of_its_own_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config_of(Builder::Kaniko, &[]);
    config.settings.data_dir = dir.path().to_owned();
    let submission = source_submission(&config, &of_etl(), &source()).unwrap();
    let key = SourceKey::open(dir.path()).unwrap();
    let token = key.token(&of_etl().name, &source());
    let token = token.expose_secret();
    let secret = submission.token.as_ref().unwrap();
    assert_eq!(secret.object().data.unwrap()[SourceSecret::KEY].0, token.as_bytes());
    assert!(json!(secret.redacted())["data"].is_null(), "{secret:?}");
    assert!(!format!("{submission:?}").contains(token));
    assert!(!json!(submission.run).to_string().contains(token));
}

#[test]
fn a_source_that_nobody_can_build_or_fetch_is_refused_with_a_hint() {
    let mut config = config_of(Builder::Kaniko, &[]);
    config.settings.public_url = None;
    let refused = |config: &Config| build_source(config, &of_etl(), &source()).unwrap_err();
    insta::assert_snapshot!(refused(&config), @r#"
    expected `public_url` in `tekcron.toml`, from which builds fetch their source, found none
    hint: as pods of the cluster reach the API: `public_url = "https://tekcron.example.org"`
    "#);
    config.settings.build = None;
    insta::assert_snapshot!(refused(&config), @r"
    expected `[build]` in `tekcron.toml`, as a cluster builds the source of App `etl`, found none
    hint: it takes `builder`, `image` and `registry`, and `public_url` beside it; `push --image` needs none
    ");
    let config = config_of(Builder::Kaniko, &[]);
    let with = |name: &str, value: &str| {
        let mut task = of_etl();
        task.overrides.env = env([(name, value)]);
        build_source(&config, &task, &source())
    };
    assert!(matches!(with("A B", ""), Err(BuildError::EnvName { .. })));
    assert!(matches!(with("A", "\0"), Err(BuildError::EnvValue { .. })));
    assert!(matches!(build_source(&config, &manual("gone"), &source()), Err(BuildError::UnknownApp(_))));
}

/// The programs of such an image are found by its launcher alone.
#[test]
fn tasks_on_an_image_of_buildpacks_go_through_its_launcher() {
    let command = |builder, image: &str| {
        let mut config = config_of(builder, &[]);
        config.apps = config_with(|app| app.image = Some(image.to_owned())).apps;
        let run = build(&config, &manual("etl"), None).unwrap();
        steps(&run)[0].command.clone()
    };
    let plain = ["/bin/sh", "-c", "sh etl.sh > /tmp/out.$$$$"];
    let launched = [&["/cnb/lifecycle/launcher", "--"], plain.as_slice()].concat();
    let ours = format!("registry.example/team/etl@{DIGEST}");
    assert_eq!(command(Builder::Buildpacks, &ours), launched);
    assert_eq!(command(Builder::Kaniko, &ours), plain);
    for other in ["busybox:1", "registry.example/team/etl:1", &format!("registry.example/team/etl2@{DIGEST}")]
    {
        assert_eq!(command(Builder::Buildpacks, other), plain, "{other}");
    }
}

fn rendered(config: &Config, target: &str, all: bool, output: RenderFormat) -> Result<String, RenderError> {
    let mut out = Vec::new();
    let args = RenderArgs { target: target.into(), output, all, build: true, source: Some(source()) };
    run(&args, config, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_build_is_rendered_for_an_app_that_is_there_or_not_yet() {
    let config = config_of(Builder::Kaniko, &[]);
    for app in ["etl", "brand-new"] {
        let text = rendered(&config, app, false, RenderFormat::Yaml).unwrap();
        let run: PipelineRun = serde_yaml_ng::from_str(&text).unwrap();
        crd::assert_valid(&json!(run));
        let annotations = run.metadata.annotations.unwrap();
        assert_eq!(annotations["tekcron.dev/image"], format!("registry.example/team/{app}"));
        assert_eq!(annotations["tekcron.dev/source"], source().to_string());
    }
    let list: Value =
        serde_json::from_str(&rendered(&config, "etl", true, RenderFormat::Json).unwrap()).unwrap();
    let kinds: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(kinds, [json!("Secret"), json!("PipelineRun")]);
    assert!(list["items"][0]["data"].is_null(), "{list}");
    let refused = rendered(&config, "etl.nightly", false, RenderFormat::Yaml).unwrap_err().to_string();
    assert!(refused.starts_with("expected the name of an App, found `etl.nightly`"), "{refused}");
}
