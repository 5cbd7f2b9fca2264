//! What other schedulers read, taken over by the real binary.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::fake::{Run, tekcron};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import")
}

/// Runs in the directory of the fixtures, so that nothing printed depends on where that is.
async fn import(args: &[&str]) -> Run {
    let mut command = tekcron(&[&["import"], args].concat());
    command.current_dir(fixtures());
    Run::of(command).await
}

/// A config directory without Apps.
fn config() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("apps")).unwrap();
    dir
}

async fn check(dir: &Path) -> Run {
    Run::of(tekcron(&["check", dir.to_str().unwrap()])).await
}

#[tokio::test]
async fn a_crontab_of_the_system_is_an_app_with_a_job_for_each_entry() {
    insta::assert_snapshot!(import(&["crontab", "system", "--users", "always", "--timezone", "UTC"]).await);
}

#[tokio::test]
async fn a_users_crontab_brings_its_zone_and_variables() {
    insta::assert_snapshot!(import(&["crontab", "user", "--app", "mine", "--timezone", "UTC"]).await);
}

#[tokio::test]
async fn all_bad_lines_are_told_and_nothing_is_printed() {
    let run = import(&["crontab", "broken"]).await;
    assert_eq!(run.out, "");
    insta::assert_snapshot!(run);
}

#[tokio::test]
async fn cronjobs_become_apps_and_what_changes_is_told() {
    let dir = config();
    let apps = dir.path().join("apps");
    let run = import(&["cronjob", "cronjob.yaml", "--into", apps.to_str().unwrap()]).await;
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    let said = run.err.replace(apps.to_str().unwrap(), "APPS");
    insta::assert_snapshot!(said);
    insta::assert_snapshot!(fs::read_to_string(apps.join("nightly.toml")).unwrap());
    insta::assert_snapshot!(fs::read_to_string(apps.join("paused.toml")).unwrap());
    assert_eq!(check(dir.path()).await.code, 0);
}

#[tokio::test]
async fn several_apps_are_not_printed_as_one_file() {
    let run = import(&["cronjob", "cronjob.yaml"]).await;
    assert_eq!((run.code, run.out.as_str()), (64, ""));
    assert!(run.err.contains("expected a directory for 2 Apps"), "{}", run.err);
}

#[tokio::test]
async fn tasks_and_schedules_of_kf_are_jobs_of_their_app() {
    insta::assert_snapshot!(import(&["kf", "kf.yaml"]).await);
}

#[tokio::test]
async fn what_is_there_is_left_as_it_is_and_nothing_is_written_beside_it() {
    let dir = config();
    let apps = dir.path().join("apps");
    fs::write(apps.join("paused.toml"), "mine").unwrap();
    let run = import(&["cronjob", "cronjob.yaml", "--into", apps.to_str().unwrap()]).await;
    assert_eq!(run.code, 73, "{}", run.err);
    assert!(run.err.contains("is there already"), "{}", run.err);
    assert_eq!(fs::read_to_string(apps.join("paused.toml")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&apps).unwrap().count(), 1);
}

#[tokio::test]
async fn what_cannot_be_taken_over_is_refused_with_its_place() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("jobs.yaml");
    let pod = |spec: &str| {
        format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{ name: a }}\nspec:\n  schedule: '0 2 * * *'\n  jobTemplate: {{ spec: {{ template: {{ spec: {spec} }} }} }}\n"
        )
    };
    for (text, expected) in [
        ("a: [".to_owned(), "this is not YAML"),
        ("a: 1".to_owned(), "expected an object with `kind` and `metadata.name`"),
        ("".to_owned(), "found nothing that could be taken over"),
        (
            pod("{ containers: [{ name: c, image: a }, { name: d, image: b }] }"),
            "expected one container, found 2",
        ),
        (pod("{ containers: [{ name: c, image: a, args: [x] }] }"), "expected `command`, found none"),
        (
            pod("{ initContainers: [{ name: i }], containers: [{ name: c, command: [x] }] }"),
            "expected no init container",
        ),
        (pod("{ containers: [{ name: c, image: 'A B', command: [x] }] }"), "expected an image"),
        (pod("{}").replace("0 2 * * *", "0 25 * * *"), "hour: expected a number from 0 to 23"),
        (
            pod("{ containers: [{ name: c, command: [x] }] }")
                .replace("schedule", "concurrencyPolicy: Never\n  schedule"),
            "expected `Allow`, `Always`, `Forbid` or `Replace`, found `Never`",
        ),
    ] {
        fs::write(&file, &text).unwrap();
        let run = import(&["cronjob", file.to_str().unwrap()]).await;
        assert_eq!((run.code, run.out.as_str()), (64, ""), "{text}");
        assert!(run.err.contains(expected) && run.err.contains("hint: "), "{text}\n{}", run.err);
    }
    let run = import(&["crontab", "/nowhere/tab"]).await;
    assert_eq!(run.code, 74, "{}", run.err);
    assert!(run.err.contains("cannot read `/nowhere/tab`"), "{}", run.err);
}

/// Crontabs that packages of a distribution ship: those of this machine, and of `TEKCRON_TEST_CRONTABS`, where
/// `.ci/run` puts more.
#[tokio::test]
async fn crontabs_of_packages_are_taken_over_and_sound() {
    let dirs = ["/etc/cron.d".into()].into_iter().chain(std::env::var_os("TEKCRON_TEST_CRONTABS"));
    // Of two of one name one is enough: an App is called as its file is.
    let files: BTreeMap<OsString, PathBuf> = dirs
        .filter_map(|dir| fs::read_dir(dir).ok())
        .flat_map(|dir| dir.map(|entry| entry.unwrap()))
        .map(|entry| (entry.file_name(), entry.path()))
        .filter(|(name, _)| !name.to_string_lossy().starts_with('.'))
        .collect();
    if files.is_empty() {
        eprintln!(
            "skipped: this machine has no crontab in /etc/cron.d, and TEKCRON_TEST_CRONTABS names none"
        );
    }
    let dir = config();
    let apps = dir.path().join("apps");
    for file in files.values() {
        let args = ["crontab", file.to_str().unwrap(), "--users", "always", "--into", apps.to_str().unwrap()];
        let run = import(&args).await;
        assert_eq!(run.code, 0, "{}: {}", file.display(), run.err);
    }
    let run = check(dir.path()).await;
    assert_eq!(run.code, 0, "{}", run.err);
    if !files.is_empty() {
        assert!(run.out.contains(&format!("{} App", files.len())), "{}", run.out);
    }
}
