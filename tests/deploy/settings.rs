//! The configuration that `deploy` brings, read as the pod reads it.

use std::path::Path;
use std::process::Command;

use jiff::SignedDuration;
use serde_json::Value;
use tekcron::config::{self, Checked, Config, ExecutorKind, LogStreamTarget, SettingsOverrides};

use crate::crd::assert_valid;
use crate::manifest::{container, files, folder, items, object, pod, stateful_set, word};

/// What the StatefulSet says of a variable; of one that only the cluster knows, a sample.
fn variable(name: &str) -> Option<String> {
    let container = container();
    let variable = items(&container["env"]).iter().find(|variable| variable["name"] == name)?;
    let of_a_field = variable.pointer("/valueFrom/fieldRef/fieldPath").map(|path| {
        assert_eq!(path, "metadata.namespace");
        "batch".to_owned()
    });
    variable["value"].as_str().map(str::to_owned).or(of_a_field)
}

fn checked() -> Config {
    let overrides = SettingsOverrides::from_env(|name| variable(name).map(Into::into)).unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let Checked { config, problems } = config::check(&folder().join("config"), &overrides, now);
    assert!(problems.is_empty(), "{}", problems.report(false));
    config.unwrap()
}

#[test]
fn the_configuration_has_no_fault_and_is_for_a_cluster() {
    let config = checked();
    assert_eq!(config.settings.executor, ExecutorKind::Tekton);
    assert_eq!(config.settings.tekton.log_stream, LogStreamTarget::Stdout);
    assert_eq!(config.settings.namespace, "batch");
    assert!(config.settings.listen.ip().is_loopback());
    assert!(!config.settings.insecure);
}

#[test]
fn a_first_task_runs_within_a_minute_from_a_public_image_and_no_files() {
    let config = checked();
    let now = "2026-01-01T00:00:30Z".parse().unwrap();
    let next =
        config.jobs().flat_map(|(_, job)| &job.schedules).map(|schedule| schedule.recurrence.next_after(now));
    let next = next.flatten().min().unwrap();
    assert!(next.duration_since(now) <= SignedDuration::from_mins(1), "{next}");
    for app in config.apps.values() {
        let image = app.image.as_ref().unwrap().to_string();
        assert!(image.starts_with("docker.io/library/") && image.contains(':'), "{image}");
        assert!(app.path.is_none() && !app.state && app.services.is_empty());
    }
}

#[test]
fn its_objects_are_what_the_cluster_takes() {
    let output = Command::new(env!("CARGO_BIN_EXE_tekcron"))
        .args(["--config", "config", "render", "hello.minutely", "-o", "json"])
        .current_dir(folder())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_valid(&run);
}

#[test]
fn files_are_where_the_variables_say() {
    let (container, pod, set) = (container(), pod(), stateful_set());
    let mounts = items(&container["volumeMounts"]);
    let mounted = |name: &str| {
        let mount = mounts.iter().find(|mount| mount["name"] == name).unwrap_or_else(|| panic!("{name}"));
        Path::new(word(mount, "/mountPath")).to_owned()
    };
    let config = variable("TEKCRON_CONFIG").unwrap();
    assert_eq!(mounted("settings"), Path::new(&config).join("tekcron.toml"));
    assert_eq!(mounted("apps"), Path::new(&config).join("apps"));
    // A directory of its own: the volume's may be root's, and hold `lost+found`.
    assert_eq!(Path::new(&variable("TEKCRON_DATA_DIR").unwrap()).parent(), Some(mounted("data").as_path()));
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "data");
    assert_eq!(mounts.len(), 3);
    let generated = object("kustomization.yaml")["configMapGenerator"].take();
    for (volume, map) in items(&pod["volumes"]).iter().zip(items(&generated)) {
        assert_eq!(volume["configMap"]["name"], map["name"]);
    }
    // A mount of one file does not change: what is in it has to come with a new name.
    assert!(generated[0]["options"].is_null());
    assert_eq!(generated[1]["options"]["disableNameSuffixHash"], true);
    let apps: Vec<_> = files(".toml").into_iter().filter(|file| file.starts_with("config/apps/")).collect();
    assert_eq!(items(&generated[1]["files"]), apps);
}

#[test]
fn every_variable_is_one_that_is_read() {
    let asked = std::cell::RefCell::new(vec!["TEKCRON_CONFIG".to_owned(), "TEKCRON_TOKEN".to_owned()]);
    let ask = |name: &str| {
        asked.borrow_mut().push(name.to_owned());
        None
    };
    SettingsOverrides::from_env(ask).unwrap();
    let container = container();
    for variable in items(&container["env"]) {
        assert!(asked.borrow().iter().any(|name| variable["name"] == name.as_str()), "{variable}");
    }
}

#[test]
fn the_pod_has_time_to_drain_and_to_write() {
    let grace = pod()["terminationGracePeriodSeconds"].as_i64().unwrap();
    let writes = SignedDuration::from_secs(10);
    assert!(SignedDuration::from_secs(grace) >= checked().settings.drain + writes + writes);
}
