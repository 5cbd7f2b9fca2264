//! What stands beside the runs on a cluster: credentials, and what tasks may reach.

use secrecy::ExposeSecret;
use serde_json::json;
use tekcron::app::{CredentialSource, Secrets, read_secrets_with};
use tekcron::config::{Config, ExecutorKind};
use tekcron::executor::cluster::{BindingSecret, network_policies, network_policy};
use tekcron::executor::pipeline_run::{BuildError, ResolveError, build, resolve_env, submission};

use crate::crd;
use crate::sample::{config, config_with, manual, scheduled};

const PASSWORD: &str = "hunter2";

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.insert("tekcron-env-etl", "VCAP_SERVICES", format!("{{\"p\":\"{PASSWORD}\"}}").into());
    secrets.insert("tekcron-env-etl", "DATABASE_URL", format!("postgres://u:{PASSWORD}@db").into());
    secrets.insert("tekcron-env-other", "VCAP_SERVICES", "another's".into());
    secrets
}

/// With these of `etl`'s services as Secrets of the cluster.
fn on_the_cluster(services: &[&str]) -> Config {
    let mut config = config();
    for (index, service) in services.iter().enumerate() {
        let secret = CredentialSource::Secret(format!("team-{index}"));
        config.services.get_mut(*service).unwrap().credentials = secret;
    }
    config
}

#[test]
fn the_credentials_of_an_app_are_one_secret_that_its_runs_only_name() {
    let config = config();
    let secret = BindingSecret::new(&config, &config.apps["etl"], &secrets()).unwrap().unwrap();
    insta::assert_yaml_snapshot!(secret.object());
    let data = secret.object().data.unwrap();
    assert_eq!(data["DATABASE_URL"].0, format!("postgres://u:{PASSWORD}@db").as_bytes());
    assert_eq!(secret.name(), "tekcron-env-etl");
    let run = serde_json::to_string(&build(&config, &scheduled(), None).unwrap()).unwrap();
    assert!(run.contains("tekcron-env-etl") && !run.contains(PASSWORD));
    let none = BindingSecret::new(&config, &config.apps["plain"], &secrets()).unwrap();
    assert!(none.is_none(), "{none:?}");
}

#[test]
fn no_value_is_shown_to_anybody() {
    let config = config();
    let secret = BindingSecret::new(&config, &config.apps["etl"], &secrets()).unwrap().unwrap();
    assert_eq!(
        format!("{secret:?}"),
        "BindingSecret { name: \"tekcron-env-etl\", keys: [\"DATABASE_URL\", \"VCAP_SERVICES\"] }"
    );
    let shown = serde_json::to_string(&secret.redacted()).unwrap();
    assert!(shown.contains("tekcron-env-etl") && !shown.contains(PASSWORD), "{shown}");
    // Applied, it overwrites no value with another.
    assert!(!shown.contains("\"data\"") && !shown.contains("stringData"), "{shown}");
}

#[test]
fn more_than_a_secret_holds_is_refused_before_the_cluster_does() {
    let mut secrets = secrets();
    secrets.insert("tekcron-env-etl", "VCAP_SERVICES", "x".repeat(1 << 20).into());
    let config = config();
    let refused = BindingSecret::new(&config, &config.apps["etl"], &secrets).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "expected at most 1 MiB of credentials for App `etl`, found 1048599 bytes"
    );
}

#[test]
fn secrets_of_the_cluster_are_named_in_order_and_never_read() {
    let config = on_the_cluster(&["mailbox", "warehouse"]);
    let read = read_secrets_with(&config, &config.apps["etl"], |_| panic!("nothing is to be read"));
    assert!(read.unwrap().is_empty());
    let run = build(&config, &scheduled(), None).unwrap();
    crd::assert_valid(&json!(run));
    let step = &run.spec.pipeline_spec.tasks[0].task_spec.steps[0];
    assert_eq!(
        json!(step.env_from),
        json!([{ "secretRef": { "name": "team-0" } }, { "secretRef": { "name": "team-1" } }])
    );
    let named = |name: &str| step.env.iter().any(|variable| variable.name == name);
    assert!(!named("VCAP_SERVICES") && !named("DATABASE_URL"), "the Secrets may have them");
    assert!(named("VCAP_APPLICATION"), "what is the system's wins over a Secret's");
}

#[test]
fn a_service_of_each_kind_is_bound_in_its_own_way() {
    let config = on_the_cluster(&["mailbox"]);
    let credentials = |variable: &str| (variable == "WAREHOUSE").then(|| "postgres://db".to_owned());
    let read = read_secrets_with(&config, &config.apps["etl"], credentials).unwrap();
    let services = read.get("tekcron-env-etl", "VCAP_SERVICES").unwrap().expose_secret();
    assert!(services.contains("postgres://db") && !services.contains("mailbox"), "{services}");
    let run = build(&config, &scheduled(), None).unwrap();
    let step = &run.spec.pipeline_spec.tasks[0].task_spec.steps[0];
    assert_eq!(step.env_from.len(), 1);
    assert!(step.env.iter().any(|variable| variable.name == "VCAP_SERVICES"));
}

#[test]
fn this_machine_has_no_secrets_of_a_cluster() {
    let mut config = on_the_cluster(&["mailbox", "warehouse"]);
    let refused = submission(&config, &scheduled(), None).unwrap_err();
    insta::assert_snapshot!(refused, @r#"
    service `mailbox` is Secret `team-0` of a cluster, which a task on this machine cannot get
    hint: `executor = "tekton"`, or `credentials = { env = "VARIABLE" }` or `{ file = "PATH" }`
    "#);
    assert!(matches!(refused, BuildError::ClusterSecret { .. }));
    let run = build(&config, &scheduled(), None).unwrap();
    let unresolved = resolve_env(&run, &Secrets::default());
    assert_eq!(unresolved, Err(ResolveError::EnvFrom("team-0".into())));
    config.settings.executor = ExecutorKind::Tekton;
    assert!(submission(&config, &scheduled(), None).is_ok());
}

#[test]
fn a_security_group_is_a_policy_that_selects_the_runs_that_name_it() {
    let config = config();
    let policies = network_policies(&config, &config.apps["etl"]);
    insta::assert_yaml_snapshot!(policies);
    let selected = policies[0].spec.as_ref().unwrap().pod_selector.as_ref().unwrap();
    let labels = build(&config, &scheduled(), None).unwrap().metadata.labels.unwrap();
    for (key, value) in selected.match_labels.as_ref().unwrap() {
        assert_eq!(labels.get(key), Some(value), "{key}");
    }
    let others = build(&config, &manual("plain"), None).unwrap().metadata.labels.unwrap();
    assert!(!others.keys().any(|key| key.starts_with("security-group")), "{others:?}");
    assert!(network_policies(&config, &config.apps["plain"]).is_empty());
}

#[test]
fn a_group_without_rules_lets_nothing_out() {
    let config = config();
    let policy = json!(network_policy(&config.settings, "nothing", &Default::default()));
    assert_eq!(policy["spec"]["egress"], json!([]));
    assert_eq!(policy["spec"]["policyTypes"], json!(["Egress"]));
}

#[test]
fn names_that_only_differ_in_what_an_object_may_not_be_called_stay_apart() {
    let config = config_with(|_| {});
    let name =
        |group: &str| network_policy(&config.settings, group, &Default::default()).metadata.name.unwrap();
    assert_eq!(name("public-networks"), "tekcron-tekcron-public-networks");
    let names =
        [name("public-networks"), name("public_networks"), name("Public-Networks"), name("public.networks")];
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "{names:?}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
    }
}
