use serde_json::{Value, json};
use tekcron::cli::render::{RenderArgs, RenderError, RenderFormat, run};
use tekcron::executor::pipeline_run::PipelineRun;

use crate::crd;
use crate::sample::config;

fn rendered(target: &str, output: RenderFormat) -> Result<String, RenderError> {
    let mut out = Vec::new();
    run(
        &RenderArgs { target: target.into(), output, all: false, build: false, source: None },
        &config(),
        &mut out,
    )?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn an_app_a_job_and_a_unique_job_name_are_rendered() {
    let job = rendered("etl.nightly", RenderFormat::Yaml).unwrap();
    assert_eq!(job, rendered("nightly", RenderFormat::Yaml).unwrap());
    let run: PipelineRun = serde_yaml_ng::from_str(&job).unwrap();
    crd::assert_valid(&json!(run));
    assert_eq!(run.spec.pipeline_spec.tasks[0].timeout.as_deref(), Some("2h0m0s"));
    let app: PipelineRun = serde_json::from_str(&rendered("etl", RenderFormat::Json).unwrap()).unwrap();
    assert_eq!(app.spec.pipeline_spec.tasks[0].timeout.as_deref(), Some("30m0s"));
    assert_eq!(app.metadata.labels.unwrap()["app.kubernetes.io/version"], "0");
}

#[test]
fn what_does_not_exist_is_answered_with_the_nearest_name() {
    insta::assert_snapshot!(rendered("etl.nightyl", RenderFormat::Yaml).unwrap_err(), @r"
    expected an App or job, found neither called `etl.nightyl`
    hint: did you mean `etl.nightly`?
    ");
    let alone = rendered("zzz", RenderFormat::Yaml).unwrap_err().to_string();
    assert_eq!(alone, "expected an App or job, found neither called `zzz`");
}

#[test]
fn what_stands_beside_a_run_is_rendered_on_request_and_shows_no_credential() {
    let rendered = |target: &str, output| {
        let mut out = Vec::new();
        run(
            &RenderArgs { target: target.into(), output, all: true, build: false, source: None },
            &config(),
            &mut out,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    };
    let yaml = rendered("etl.nightly", RenderFormat::Yaml);
    insta::assert_snapshot!(yaml.split("kind: PipelineRun").next().unwrap());
    let list: Value = serde_json::from_str(&rendered("etl.nightly", RenderFormat::Json)).unwrap();
    let kinds: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["kind"].clone()).collect();
    assert_eq!(
        (&list["kind"], kinds),
        (&json!("List"), vec![json!("Secret"), json!("NetworkPolicy"), json!("PipelineRun")])
    );
    // Whoever applies it overwrites no value with another.
    assert!(list["items"][0]["data"].is_null() && list["items"][0]["stringData"].is_null());
    crd::assert_valid(&list["items"][2]);
    let alone: Value = serde_json::from_str(&rendered("plain", RenderFormat::Json)).unwrap();
    assert_eq!(alone["kind"], "PipelineRun");
}
