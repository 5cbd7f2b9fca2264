//! Apps that were pushed, beside those of the files: what they are given, and their end.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::harness::{Place, text};
use crate::pushed::{leave, push};

const FILED: &str = "[app]\nname = \"filed\"\ncommand = \"true\"\n";
const WEB: &str = "[app]\nname = \"web\"\nmemory = \"64M\"\n[app.env]\nSTAGE = \"one\"\n";

fn refused(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn place() -> Place {
    let place = Place::with(&[("filed", FILED)]);
    push(&place, "web", WEB);
    place
}

#[test]
fn what_is_set_and_bound_reaches_the_next_task_also_after_a_kill_and_credentials_nobody_else() {
    let place = place();
    let daemon = place.serve();
    let command =
        "test \"$STAGE$MORE\" = two-x && case \"$VCAP_SERVICES\" in *s3s\"\"ame*) ;; *) exit 3;; esac";
    place.ok(&["create-job", "web", "tick", command]);
    place.ok(&["set-env", "web", "STAGE", "two"]);
    place.ok(&["set-env", "web", "MORE", "-x"]);
    place.ok(&["set-env", "web", "LESS", "1"]);
    place.ok(&["unset-env", "web", "LESS"]);
    place.ok(&["cups", "db", "-p", r#"{"password": "s3same"}"#, "-t", "sql, main"]);
    place.ok(&["bind-service", "web", "db"]);
    daemon.kill();

    let daemon = place.serve_with(&[("TEKCRON_LOG", "trace")]);
    place.ok(&["run-job", "web.tick", "--wait"]);
    assert_eq!(place.ok(&["env", "web"]), "MORE=-x\nSTAGE=two\n");
    let listed = place.ok(&["apps"]);
    let web = listed.lines().find(|line| line.starts_with("web ")).unwrap();
    assert_eq!(
        web.split_whitespace().take(4).collect::<Vec<_>>(),
        ["web", "stopped", "64Mi", "-"],
        "{listed}"
    );
    assert_eq!(place.json(&["services"])[0]["apps"], serde_json::json!(["web"]));
    let mut seen = vec![place.log(), place.ok(&["export", "web"])];
    for verb in [&["services"][..], &["apps"], &["app", "web"], &["env", "web"], &["tasks", "web"]] {
        for format in ["table", "wide", "json", "yaml"] {
            seen.push(place.ok(&[verb, &["-o", format]].concat()));
        }
    }
    let (ours, others): (Vec<_>, Vec<_>) =
        place.data_files().into_iter().partition(|file| file.parent().unwrap().ends_with("services"));
    assert_eq!(ours.len(), 1, "{ours:?}");
    seen.extend(others.iter().map(|file| text(&fs::read(file).unwrap_or_default())));
    for (index, part) in seen.iter().enumerate() {
        assert!(!part.contains("s3same"), "part {index}:\n{part}");
    }

    place.ok(&["uups", "db", "-p", r#"{"password": "an0ther"}"#]);
    let task = place.run(&["run-job", "web.tick", "--wait"]);
    assert_eq!(task.status.code(), Some(3), "{}", text(&task.stderr));
    place.ok(&["uups", "db", "-p", r#"{"password": "s3same"}"#]);
    place.ok(&["run-job", "web.tick", "--wait"]);
    assert!(!ours[0].exists() && !place.log().contains("an0ther"));

    let bound = refused(&place.run(&["delete-service", "db", "-f"]));
    assert!(bound.contains("is bound by `web`\nhint: `tekcron unbind-service APP db` first"), "{bound}");
    place.ok(&["unbind-service", "web", "db"]);
    place.ok(&["delete-service", "db", "-f"]);
    assert_eq!(fs::read_dir(ours[0].parent().unwrap()).unwrap().count(), 0);
    let task = place.run(&["run-job", "web.tick", "--wait"]);
    assert_eq!(task.status.code(), Some(3), "{}", text(&task.stderr));
    assert!(daemon.terminate().success());
}

#[test]
fn an_app_of_a_file_is_read_only_and_what_is_wrong_is_refused_with_a_hint() {
    let place = place();
    let _daemon = place.serve();
    let before = (place.json(&["apps"]), place.json(&["services"]));
    for (args, code, words) in [
        (
            &["set-env", "filed", "A", "1"][..],
            1,
            "hint: edit `config/apps/filed.toml`, then `tekcron reload`",
        ),
        (&["unset-env", "filed", "A"], 1, "read-only here"),
        (&["bind-service", "filed", "db"], 1, "the service `db` does not exist\nhint: `tekcron services`"),
        (&["delete", "filed", "-f"], 1, "hint: edit `config/apps/filed.toml`"),
        (&["delete", "wep", "-f"], 1, "did you mean `web`?"),
        (&["delete", "web"], 64, "`--force` deletes without asking"),
        (&["delete-service", "db"], 64, "--force"),
        (&["delete-service", "db", "-f"], 1, "does not exist"),
        (&["unbind-service", "web", "db"], 1, "the service `db` does not exist"),
        (&["set-env", "web", "A=", "1"], 64, "expected the name of a variable"),
        (&["uups", "db", "-p", "{}"], 1, "the service `db` does not exist"),
        (&["uups", "db"], 64, "<-p <CREDENTIALS>|--secret <SECRET>|-t <TAGS>>"),
        (&["cups", "Db", "-p", "{}"], 64, "`db` would fit"),
        (&["cups", "db", "-p", "user,password"], 64, "nobody is there to be asked for user, password"),
        (&["cups", "db", "-p", "/nowhere.json"], 64, "credentials in `/nowhere.json`"),
        (&["cups", "db", "-p", "{\"a\": s3same}"], 64, "an error at line 1, column 7"),
    ] {
        let output = place.run(args);
        let said = refused(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words) && !said.contains("s3same"), "{args:?}: {said}");
    }
    assert_eq!((place.json(&["apps"]), place.json(&["services"])), before);
}

/// What a store says of the App `web`, by kind.
fn kept(place: &Place) -> Vec<String> {
    place.ok(&["store", "export", "out"]);
    let lines = fs::read_to_string(place.path().join("out")).unwrap();
    fs::remove_file(place.path().join("out")).unwrap();
    let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_web = records.filter(|record| record["app"] == "web");
    of_web.map(|record| record["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_app_that_is_deleted_ends_its_tasks_and_leaves_nothing_but_its_numbers() {
    let place = place();
    let daemon = place.serve();
    place.ok(&["create-job", "web", "tick", "echo tick"]);
    place.ok(&["schedule-job", "tick", "* * * * * *", "--id", "second"]);
    place.ok(&["run-task", "web", "-c", "sleep 600"]);
    place.until("it runs, and so did the schedule", || {
        let tasks = place.json(&["tasks", "web"]);
        let phases: Vec<_> = tasks.as_array()?.iter().map(|task| task["phase"].clone()).collect();
        (phases.contains(&"running".into()) && phases.contains(&"succeeded".into())).then_some(())
    });
    place.ok(&["run-task", "filed", "--wait"]);
    place.ok(&["delete", "web", "--force"]);
    for args in [&["app", "web"][..], &["tasks", "web"], &["slots", "web.tick"], &["job", "web.tick"]] {
        assert!(refused(&place.run(args)).contains("does not exist"), "{args:?}");
    }
    assert_eq!(place.json(&["tasks"]).as_array().unwrap().len(), 1);
    let left = fs::read_dir(place.path().join("data/tasks")).unwrap();
    let left: Vec<_> = left.map(|task| task.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.len() == 1 && left[0].starts_with("filed-"), "{left:?}");
    assert!(daemon.terminate().success());
    assert_eq!(kept(&place), ["counter"]);
    let _daemon = place.serve();
    assert_eq!(place.json(&["apps"]).as_array().unwrap().len(), 1);
}

#[test]
fn an_exported_app_moves_into_a_file_behind_which_the_pushed_one_rests_until_it_is_deleted() {
    let place = place();
    let daemon = place.serve();
    place.ok(&["create-job", "web", "tick", "echo \"$STAGE\"", "--overlap", "skip"]);
    place.ok(&["schedule-job", "web.tick", "7 3 * * *", "--timezone", "Europe/Paris"]);
    let shown = |args: &[&str]| {
        let mut shown = place.json(args);
        for key in ["stored", "file", "last_task", "jobs", "path", "revision"] {
            shown.as_object_mut().unwrap().remove(key);
        }
        shown
    };
    let ahead = place.ok(&["plan"]);
    assert!(ahead.contains("web.tick"), "{ahead}");
    assert!(place.ok(&["explain", "web.tick"]).contains("7 3 * * *"));
    let before = (shown(&["app", "web"]), shown(&["job", "web.tick"]), place.ok(&["env", "web"]));
    let exported = place.ok(&["export", "web"]);
    place.write_app("web", &exported);
    place.ok(&["check"]);
    place.ok(&["reload"]);
    let after = (shown(&["app", "web"]), shown(&["job", "web.tick"]), place.ok(&["env", "web"]));
    assert_eq!(before, after);
    assert_eq!(place.json(&["app", "web"])["file"], "config/apps/web.toml");
    let words = "an App that was pushed has no effect";
    assert!(place.log().contains(words), "{}", place.log());
    assert!(refused(&place.run(&["set-env", "web", "A", "1"])).contains("config/apps/web.toml"));
    assert!(place.ok(&["export", "web"]).contains("# it rests: `config/apps/web.toml`"));

    let ran = place.ok(&["run-job", "web.tick", "--follow"]);
    assert!(ran.contains("one"), "{ran}");
    place.ok(&["delete", "web", "-f"]);
    assert_eq!(
        place.json(&["tasks", "web"]).as_array().unwrap().len(),
        1,
        "the file's App keeps its history"
    );
    assert_eq!(place.json(&["job", "web.tick"])["stored"], false);
    assert!(daemon.terminate().success());
    assert!(!kept(&place).iter().any(|kind| kind == "app" || kind == "job"));
}

#[test]
fn a_deletion_goes_on_with_the_next_start_unless_a_file_has_taken_the_name_and_with_it_the_history() {
    let place = place();
    let daemon = place.serve();
    place.ok(&["create-job", "web", "tick", "true"]);
    place.ok(&["run-job", "web.tick", "--wait"]);
    assert!(daemon.terminate().success());
    leave(&place, "web", WEB);
    place.write_app("web", "[app]\nname = \"web\"\ncommand = \"true\"\n");
    let daemon = place.serve();
    place.until("the pushed one is gone", || place.log().contains("an App was deleted").then_some(()));
    assert_eq!(place.json(&["tasks", "web"]).as_array().unwrap().len(), 1);
    assert!(daemon.terminate().success());
    assert!(kept(&place).contains(&"task".to_owned()) && !kept(&place).contains(&"app".to_owned()));

    fs::remove_file(place.path().join("config/apps/web.toml")).unwrap();
    leave(&place, "web", WEB);
    let daemon = place.serve();
    let said = refused(&place.run(&["run-task", "web", "-c", "true"]));
    assert!(said.contains("does not exist"), "{said}");
    place.until("it is gone", || (place.log().matches("an App was deleted").count() == 2).then_some(()));
    assert!(daemon.terminate().success());
    assert_eq!(kept(&place), ["counter"]);
}

#[test]
fn a_place_with_settings_and_no_file_of_an_app_serves_those_that_were_pushed() {
    let place = Place::with(&[]);
    fs::write(place.path().join("config/tekcron.toml"), "").unwrap();
    push(&place, "web", WEB);
    let _daemon = place.serve();
    assert_eq!(place.ok(&["apps", "-o", "name"]), "app/web\n");
}
