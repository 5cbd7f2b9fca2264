use std::collections::BTreeMap;

use tekcron::app::env::is_system;
use tekcron::app::{Command, Secrets};
use tekcron::config::Config;
use tekcron::executor::pipeline_run::{ResolveError, build, resolve_command, resolve_env};
use tekcron::task::Task;

use crate::sample::{config, config_with, env, manual, scheduled};

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.insert("tekcron-env-etl", "VCAP_SERVICES", r#"{"smtp":["$(HOME)"]}"#.to_owned().into());
    secrets
}

fn seen(config: &Config, task: &Task) -> BTreeMap<String, String> {
    let run = build(config, task, None).unwrap();
    let resolved = resolve_env(&run, &secrets()).unwrap();
    let count = resolved.len();
    let seen: BTreeMap<_, _> = resolved.into_iter().collect();
    assert_eq!(seen.len(), count, "each name once");
    seen
}

#[test]
fn a_scheduled_task_sees_its_env_and_the_systems() {
    insta::assert_yaml_snapshot!(seen(&config(), &scheduled()));
}

#[test]
fn later_layers_win_and_the_system_wins_over_all() {
    let mut task = scheduled();
    assert_eq!(seen(&config(), &task)["LAYER"], "job");
    task.overrides.env = env([("LAYER", "run"), ("TEKCRON_TASK_ID", "666"), ("MEMORY_LIMIT", "1T")]);
    let seen = seen(&config(), &task);
    assert_eq!(seen["LAYER"], "run");
    assert_eq!(seen["TEKCRON_TASK_ID"], "17");
    assert_eq!(seen["MEMORY_LIMIT"], "512M");
    assert_eq!(seen["LANG"], "en_US.UTF-8");
}

#[test]
fn what_a_schedule_says_of_its_runs_wins_over_the_job_and_the_run_over_it() {
    let parameters = "[app]\nname = \"etl\"\n[[jobs]]\nname = \"nightly\"\ncommand = \"plain\"\nenv = { LAYER = \"job\", ONLY = \"job\" }\ntimezone = \"Europe/London\"\nschedules = [{ cron = \"0 2 * * *\", command = [\"sh\", \"full.sh\"], env = { LAYER = \"schedule\" } }, { cron = \"@hourly\" }]\n";
    let config = Config::from_toml("", &[parameters]).unwrap();
    let mut task = scheduled();
    let command = |task: &Task| {
        build(&config, task, None).unwrap().spec.pipeline_spec.tasks[0].task_spec.steps[0].command.clone()
    };
    assert_eq!((&*seen(&config, &task)["LAYER"], &*seen(&config, &task)["ONLY"]), ("schedule", "job"));
    assert_eq!(command(&task), ["sh", "full.sh"]);
    task.overrides.env = env([("LAYER", "run")]);
    task.overrides.command = Some(Command::shell("other").unwrap());
    assert_eq!(seen(&config, &task)["LAYER"], "run");
    assert_eq!(command(&task), ["/bin/sh", "-c", "other"]);
    let mut hourly = scheduled();
    hourly.schedule = Some(config.jobs().next().unwrap().1.schedules[1].key.clone());
    assert_eq!(seen(&config, &hourly)["LAYER"], "job");
    assert_eq!(command(&hourly), ["/bin/sh", "-c", "plain"]);
}

#[test]
fn the_systems_variables_are_known_by_name() {
    let config = config_with(|app| app.env = env([]));
    let authors: Vec<_> = {
        let (app, job) = (&config.apps["etl"], &config.apps["etl"].jobs["nightly"]);
        [&config.settings.env, &app.env, &job.terms.env]
            .into_iter()
            .flat_map(BTreeMap::keys)
            .cloned()
            .collect()
    };
    let system: Vec<_> =
        seen(&config, &scheduled()).into_keys().filter(|name| !authors.contains(name)).collect();
    assert!(system.len() > 15, "{system:?}");
    for name in system {
        assert_eq!(is_system(&name), name != "DATABASE_URL", "{name}");
    }
    for name in ["PATH", "HOME", "PORT", "TEKCRON", "LC_ALL"] {
        assert!(!is_system(name), "{name}");
    }
}

#[test]
fn a_task_is_not_told_a_port_to_listen_on_nor_an_index() {
    let seen = seen(&config(), &scheduled());
    for name in ["PORT", "VCAP_APP_PORT", "CF_INSTANCE_INDEX"] {
        assert!(!seen.contains_key(name), "{name}");
    }
}

#[test]
fn without_services_there_are_no_credentials_to_look_up() {
    let run = build(&config(), &manual("plain"), None).unwrap();
    let resolved = resolve_env(&run, &Secrets::default()).unwrap();
    assert!(resolved.contains(&("VCAP_SERVICES".to_owned(), "{}".to_owned())));
    assert!(!resolved.iter().any(|(name, _)| name == "DATABASE_URL"));
}

#[test]
fn an_authors_database_url_stays_where_no_binding_has_a_uri() {
    let config = config_with(|app| app.env = env([("DATABASE_URL", "sqlite:local")]));
    let run = build(&config, &manual("etl"), None).unwrap();
    let value = |secrets: &Secrets| {
        let resolved: BTreeMap<_, _> = resolve_env(&run, secrets).unwrap().into_iter().collect();
        resolved["DATABASE_URL"].clone()
    };
    assert_eq!(value(&secrets()), "sqlite:local");
    let mut bound = secrets();
    bound.insert("tekcron-env-etl", "DATABASE_URL", "postgres://warehouse".to_owned().into());
    assert_eq!(value(&bound), "postgres://warehouse");
}

#[test]
fn a_credential_that_nobody_handed_over_is_an_error_that_names_it() {
    let run = build(&config(), &manual("etl"), None).unwrap();
    let missing = resolve_env(&run, &Secrets::default()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "expected key `VCAP_SERVICES` of secret `tekcron-env-etl` for variable `VCAP_SERVICES`, found none"
    );
}

#[test]
fn a_local_process_gets_what_the_author_wrote() {
    for text in ["/tmp/x.$$", "$(date)", "$(HOME)", "${X:-y}", "$(params.foo)", "$(context.pipelineRun.name)"]
    {
        let mut task = manual("plain");
        task.overrides.command = Some(Command::exec(vec!["echo".into(), text.into()]).unwrap());
        task.overrides.env = env([("HOME", "/home/etl"), ("TEXT", text)]);
        let run = build(&config(), &task, None).unwrap();
        assert_eq!(resolve_command(&run).unwrap(), ["echo", text]);
        assert_eq!(seen(&config(), &task)["TEXT"], text);
    }
}

#[test]
fn an_object_with_several_steps_is_none_of_ours() {
    let mut run = build(&config(), &manual("plain"), None).unwrap();
    let steps = &mut run.spec.pipeline_spec.tasks[0].task_spec.steps;
    steps.push(steps[0].clone());
    assert_eq!(resolve_command(&run), Err(ResolveError::Steps(2)));
}
