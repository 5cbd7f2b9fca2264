//! Jobs that are created by command, beside those of the files.

use std::process::Output;

use crate::harness::{Place, text};

const APP: &str =
    "[app]\nname = \"etl\"\ncommand = \"echo done\"\n[[jobs]]\nname = \"filed\"\nschedule = \"0 2 * * *\"\n";

/// What a verb said when it refused, with nothing on stdout.
fn refused(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

fn jobs(place: &Place) -> Vec<String> {
    place.ok(&["jobs", "-o", "name"]).lines().map(str::to_owned).collect()
}

#[test]
fn a_job_that_is_created_and_scheduled_runs_survives_a_kill_and_goes() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    let made =
        ["create-job", "etl", "tick", "echo $WHAT", "--env", "WHAT=ticked", "-m", "64M", "--overlap", "skip"];
    let made = place.json(&made);
    assert_eq!((&made["name"], &made["stored"]), (&"etl.tick".into(), &true.into()));
    let scheduled = place.json(&["schedule-job", "tick", "* * * * * *", "--id", "second"]);
    assert_eq!(scheduled["schedules"][0]["key"], "second");
    place.ok(&["schedule-job", "tick", "0 0 1 1 *", "--timezone", "Europe/Paris"]);
    daemon.kill();

    let _daemon = place.serve();
    assert_eq!(jobs(&place), ["job/etl.filed", "job/etl.tick"]);
    place.until("it runs by its schedule", || {
        let history = place.json(&["job-history", "tick"]);
        history.as_array()?.iter().find(|task| task["phase"] == "succeeded").cloned()
    });
    let log = place.ok(&["run-job", "tick", "--follow"]);
    assert!(log.contains("ticked"), "{log}");

    let listed = place.ok(&["job-schedules", "-o", "wide"]);
    assert!(listed.contains("created by command") && listed.contains("config/apps/etl.toml"), "{listed}");
    let which = refused(&place.run(&["delete-job-schedule", "tick", "--force"]));
    assert!(which.contains("has 2 schedules"), "{which}");
    let ahead = place.ok(&["plan"]);
    assert!(ahead.contains("etl.tick") && ahead.contains("etl.filed"), "{ahead}");
    let why = place.ok(&["explain", "tick"]);
    assert!(why.contains("etl.tick") && why.contains("* * * * * *"), "{why}");
    place.ok(&["delete-job-schedule", "tick", "second", "--force"]);
    assert_eq!(place.json(&["job", "tick"])["schedules"].as_array().unwrap().len(), 1);

    place.ok(&["delete-job", "etl.tick", "--force"]);
    assert_eq!(jobs(&place), ["job/etl.filed"]);
    assert!(!place.json(&["job-history", "etl.tick"]).as_array().unwrap().is_empty(), "its history stays");
}

#[test]
fn what_is_no_job_is_refused_with_a_hint_and_changes_nothing() {
    let place = Place::with(&[("etl", APP)]);
    let _daemon = place.serve();
    place.ok(&["create-job", "etl", "mine"]);
    for (args, words) in [
        (&["create-job", "etk", "x"][..], "did you mean `etl`?"),
        (&["create-job", "etl", "mine"], "exists already"),
        (&["create-job", "etl", "filed"], "config/apps/etl.toml"),
        (&["create-job", "etl", "Upper"], "expected lower-case letters"),
        (&["create-job", "etl", "x", "--overlap", "never"], "expected one of"),
        (&["create-job", "etl", "x", "--timeout", "5"], "unit"),
        (&["schedule-job", "filed", "0 3 * * *"], "edit `config/apps/etl.toml`"),
        (&["schedule-job", "mine", "0 25 * * *"], "hour: expected a number from 0 to 23"),
        (&["schedule-job", "mine", "0 3 * * *", "--timezone", "Europe/Pariss"], "Europe/Paris"),
        (&["schedule-job", "nobody", "0 3 * * *"], "does not exist"),
        (&["delete-job", "filed", "--force"], "edit `config/apps/etl.toml`"),
        (&["delete-job", "mine"], "--force"),
        (&["delete-job-schedule", "mine", "abc", "--force"], "it has none"),
    ] {
        let said = refused(&place.run(args));
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert_eq!(jobs(&place), ["job/etl.filed", "job/etl.mine"]);
}

#[test]
fn an_exported_job_moves_into_its_file_which_then_has_the_last_word() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    place.ok(&["create-job", "etl", "mine", "sh -c 'date; echo \"a\"'", "--timeout", "5m"]);
    place.ok(&["schedule-job", "mine", "7 3 * * *", "--timezone", "Europe/Paris"]);
    let before = place.json(&["job", "mine"]);
    let exported = place.ok(&["export"]);
    place.write_app("etl", &format!("{APP}\n{exported}"));
    place.ok(&["check"]);
    place.ok(&["reload"]);
    let after = place.json(&["job", "mine"]);
    assert_eq!(after["stored"], false);
    for same in ["command", "schedules", "overlap"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert!(place.log().contains("created by command does not run"), "{}", place.log());
    let key = after["schedules"][0]["key"].as_str().unwrap();
    let rests = refused(&place.run(&["delete-job-schedule", "etl.mine", key, "--force"]));
    assert!(rests.contains("edit `config/apps/etl.toml`"), "{rests}");
    place.ok(&["delete-job", "etl.mine", "--force"]);
    assert_eq!(place.json(&["job", "mine"])["stored"], false, "the file's stays");

    // Without its App a stored job waits.
    place.ok(&["create-job", "etl", "other"]);
    place.write_app("etl", "[app]\nname = \"etl2\"\ncommand = \"true\"\n");
    place.ok(&["reload"]);
    assert_eq!(jobs(&place), Vec::<String>::new());
    assert!(place.ok(&["export"]).contains("it rests"));
    assert!(daemon.terminate().success());
    place.write_app("etl", APP);
    let _daemon = place.serve();
    assert_eq!(jobs(&place), ["job/etl.filed", "job/etl.other"]);
}
