//! Verbs that answer from the configuration where no service runs.

use std::fs;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::crd;
use crate::fake::{Fake, Reply, Run, tekcron};
use crate::sample::app;

const ETL: &str = r#"
[app]
name = "etl"
command = "sh etl.sh"
memory = "256Mi"
[app.env]
STAGE = "secret-stage"

[[jobs]]
name = "nightly"
schedule = "0 2 * * *"
timezone = "Europe/London"
overlap = "skip"

[[jobs]]
name = "refill"
"#;

const MAIL: &str = "[app]\nname = \"mail\"\ncommand = \"sh mail.sh\"\n";

/// A directory with a configuration.
pub(crate) struct Home(pub(crate) TempDir);

impl Home {
    pub(crate) fn with(apps: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        fs::create_dir_all(home.path().join("config/apps")).unwrap();
        for (name, text) in apps {
            fs::write(home.path().join(format!("config/apps/{name}.toml")), text).unwrap();
        }
        Self(home)
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Run {
        let mut command = tekcron(args);
        command.current_dir(self.0.path());
        Run::of(command).await
    }
}

fn home() -> Home {
    Home::with(&[("etl", ETL), ("mail", MAIL)])
}

#[tokio::test]
async fn apps_are_listed_from_the_configuration_and_it_is_said_so() {
    insta::assert_snapshot!(home().run(&["apps"]).await);
    insta::assert_snapshot!(home().run(&["apps", "--limit", "1", "-o", "name"]).await);
}

#[tokio::test]
async fn an_app_and_its_jobs_are_told_with_their_next_slots_but_without_values_of_env() {
    let run = home().run(&["app", "etl", "-o", "json"]).await;
    assert!(!run.out.contains("secret-stage"), "{run}");
    let found: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(found["env"], serde_json::json!(["STAGE"]));
    assert_eq!(found["jobs"][0]["name"], "etl.nightly");
    assert!(found["jobs"][0]["next"].is_string() && found["jobs"][1]["next"].is_null(), "{run}");
    let jobs = home().run(&["jobs", "etl", "-o", "name"]).await;
    assert_eq!(jobs.out, "job/etl.nightly\njob/etl.refill\n");
}

#[tokio::test]
async fn an_app_that_is_not_configured_is_told_with_the_nearest_one() {
    insta::assert_snapshot!(home().run(&["app", "mial"]).await);
    assert_eq!(home().run(&["jobs", "elt"]).await.code, 1);
}

#[tokio::test]
async fn an_object_is_rendered_without_a_service_and_an_unknown_one_refused() {
    let run = home().run(&["render", "etl.nightly", "-o", "json"]).await;
    let object: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &object["kind"]), (0, &Value::from("PipelineRun")), "{run}");
    crd::assert_valid(&object);
    let run = home().run(&["render", "etl.nightyl"]).await;
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("hint: did you mean `etl.nightly`?"), "{run}");
}

#[tokio::test]
async fn programs_get_a_command_as_it_was_written_and_people_get_one_line() {
    let app = "[app]\nname = \"etl\"\ncommand = \"sh etl.sh\"\n[[jobs]]\nname = \"load\"\ncommand = [\"sh\", \"-c\", \"a b\"]\n";
    let home = Home::with(&[("etl", app)]);
    let run = home.run(&["app", "etl", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(found["command"], "sh etl.sh");
    assert_eq!(found["jobs"][0]["command"], serde_json::json!(["sh", "-c", "a b"]));
    let run = home.run(&["jobs", "-o", "wide"]).await;
    assert!(run.out.lines().any(|line| line.ends_with("   sh -c a b")), "{run}");
}

#[tokio::test]
async fn what_dash_o_name_prints_can_be_rendered() {
    for (target, same) in [("job/etl.nightly", "etl.nightly"), ("app/etl", "etl")] {
        let (run, expected) = (home().run(&["render", target]).await, home().run(&["render", same]).await);
        crd::assert_valid(&serde_yaml_ng::from_str(&run.out).unwrap());
        assert_eq!((run.code, run.out), (0, expected.out), "{target}: {}", run.err);
    }
}

#[tokio::test]
async fn what_stands_beside_an_object_is_rendered_with_it() {
    let app = format!("{MAIL}services = [\"db\"]\nsecurity_groups = [\"web\"]\n");
    let home = Home::with(&[("mail", &app)]);
    let settings =
        "[services.db]\ncredentials = { env = \"NOBODY_SETS_THIS\" }\n[security_groups.web]\nrules = []\n";
    fs::write(home.0.path().join("config/tekcron.toml"), settings).unwrap();
    let run = home.run(&["render", "mail", "--all"]).await;
    let documents = serde_yaml_ng::Deserializer::from_str(&run.out);
    let documents: Vec<Value> = documents.map(|document| Value::deserialize(document).unwrap()).collect();
    let kinds: Vec<_> = documents.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(
        (run.code, kinds.as_slice()),
        (0, ["Secret", "NetworkPolicy", "PipelineRun"].as_slice()),
        "{run}"
    );
    crd::assert_valid(&documents[2]);
}

#[tokio::test]
async fn what_cannot_be_rendered_is_told_with_a_hint_that_helps() {
    let app = |name| format!("[app]\nname = \"{name}\"\n[[jobs]]\nname = \"envy\"\ncommand = \"env\"\n");
    let home = Home::with(&[("etl", &app("etl")), ("mail", &app("mail"))]);
    insta::assert_snapshot!(home.run(&["render", "envy"]).await, @r"
    ! error: several Apps have a job `envy`: `etl.envy`, `mail.envy`
    ! hint: name the App too, as in `APP.JOB`
    [1]
    ");
    insta::assert_snapshot!(home.run(&["render", "etl"]).await, @r"
    ! error: expected a start command on the run, its job or App `etl`, found none
    ! hint: set `command` in the App's file, or give one with each run
    [1]
    ");
}

#[tokio::test]
async fn a_wrong_configuration_is_reported_whole_by_those_who_need_it() {
    let home = Home::with(&[("etl", "[app]\nname = \"etl\"\nmemroy = \"1G\"\ncommand = 3\n")]);
    for args in [["apps"].as_slice(), &["render", "etl"], &["serve", "--listen", "127.0.0.1:0"]] {
        let run = home.run(args).await;
        assert_eq!((run.code, run.out.as_str()), (64, ""), "{args:?}: {run}");
        assert!(run.err.contains("config/apps/etl.toml:3:") && run.err.contains(":4:"), "{args:?}: {run}");
    }
    let nothing = TempDir::new().unwrap();
    let home = Home(nothing);
    assert_eq!(home.run(&["serve"]).await.code, 64);
}

#[tokio::test]
async fn a_service_is_found_by_the_data_directory_that_the_configuration_names() {
    let fake = Fake::start([("GET /v1/apps?limit=50", Reply::page(&[app()], None))]).await;
    let home = home();
    let settings = format!("data_dir = \"{}\"\n", fake.data_dir.path().display());
    fs::write(home.0.path().join("config/tekcron.toml"), settings).unwrap();
    assert_eq!(home.run(&["apps", "-o", "name"]).await.to_string(), "app/etl\n[0]");
    fake.requests();
}

#[tokio::test]
async fn a_url_that_was_named_and_does_not_answer_is_an_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let home = home();
    let mut command = tekcron(&["apps", "--url", &url]);
    command.current_dir(home.0.path()).env("TEKCRON_TOKEN", "t");
    assert_eq!(Run::of(command).await.code, 69);
}

#[tokio::test]
async fn a_variable_that_is_set_to_nothing_is_as_good_as_unset() {
    let home = home();
    let mut command = tekcron(&["apps", "-o", "name"]);
    command.current_dir(home.0.path());
    for name in ["CONFIG", "DATA_DIR", "URL", "TOKEN", "TOKEN_FILE", "CA", "LISTEN"] {
        command.env(format!("TEKCRON_{name}"), "");
    }
    assert_eq!(Run::of(command).await.out, "app/etl\napp/mail\n");
}
