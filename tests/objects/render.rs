use tekcron::cli::render::{RenderArgs, RenderError, RenderFormat, run};
use tekcron::executor::pipeline_run::PipelineRun;

use crate::sample::config;

fn rendered(target: &str, output: RenderFormat) -> Result<String, RenderError> {
    let mut out = Vec::new();
    run(&RenderArgs { target: target.into(), output }, &config(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn an_app_a_job_and_a_unique_job_name_are_rendered() {
    let job = rendered("etl.nightly", RenderFormat::Yaml).unwrap();
    assert_eq!(job, rendered("nightly", RenderFormat::Yaml).unwrap());
    let run: PipelineRun = serde_yaml_ng::from_str(&job).unwrap();
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
