//! Killed while something that was made by command is changed, then started again.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::harness::Place;
use crate::pushed::push;

const WEB: &str = "[app]\nname = \"web\"\n";

/// A place where the pushed App `web` has run tasks.
fn place() -> Place {
    let place = Place::with(&[("filed", "[app]\nname = \"filed\"\ncommand = \"true\"\n")]);
    push(&place, "web", WEB);
    place
}

/// What `args` comes to when the daemon is killed at `point`.
fn killed_at(place: &Place, point: &str, args: &[&str]) {
    let daemon = place.spawn(&[("TEKCRON_FAULT", &format!("{point}:1"))]);
    assert!(daemon.line().is_some(), "{point}: {}", place.log());
    assert!(!place.run(args).status.success(), "{point}");
    assert_eq!(daemon.ended().signal(), Some(Signal::KILL.as_raw()), "{point}: {}", place.log());
}

fn credentials(place: &Place) -> usize {
    fs::read_dir(place.path().join("data/services")).map_or(0, Iterator::count)
}

#[test]
fn an_app_on_its_way_out_goes_with_the_next_start_wherever_it_was_stopped() {
    for point in ["deleting", "delete-history", "delete-app", "sweep-deleted", "sweep-records"] {
        let place = place();
        let daemon = place.serve();
        place.ok(&["create-job", "web", "tick", "sleep 600"]);
        place.ok(&["run-task", "web", "-c", "true", "--wait"]);
        let task = place.json(&["run-job", "tick"]);
        place.until("it runs", || {
            (place.json(&["task", task["name"].as_str()?])["phase"] == "running").then_some(())
        });
        assert!(daemon.terminate().success());
        killed_at(&place, point, &["delete", "web", "-f"]);
        let _daemon = place.serve();
        place.until("it is gone", || (!place.run(&["tasks", "web"]).status.success()).then_some(()));
        place.until("its last row is gone", || place.log().contains("an App was deleted").then_some(()));
        assert!(!place.ok(&["export"]).contains("tick"), "{point}");
        let left: Vec<_> = fs::read_dir(place.path().join("data/tasks")).unwrap().collect();
        assert!(left.is_empty(), "{point}: {left:?}");
    }
}

#[test]
fn an_edit_that_was_not_answered_is_there_or_not_and_never_half() {
    let place = place();
    killed_at(&place, "edited", &["set-env", "web", "A", "1"]);
    let _daemon = place.serve();
    assert_eq!(place.ok(&["env", "web"]), "A=1\n", "it was on disk");
}

#[test]
fn credentials_that_no_service_names_go_with_the_next_start() {
    let place = place();
    let made = ["cups", "db", "-p", r#"{"a": "b"}"#];
    killed_at(&place, "credentials-written", &made);
    assert_eq!(credentials(&place), 1);
    let daemon = place.serve();
    assert_eq!((credentials(&place), place.json(&["services"]).as_array().unwrap().len()), (0, 0));
    place.ok(&made);
    assert!(daemon.terminate().success());
    let daemon = place.serve();
    assert_eq!((credentials(&place), place.json(&["services"]).as_array().unwrap().len()), (1, 1));
    assert!(daemon.terminate().success());
    for point in ["credentials-written", "service-updated"] {
        killed_at(&place, point, &["uups", "db", "-p", r#"{"a": "c"}"#]);
        assert_eq!(credentials(&place), 2, "{point}");
        let daemon = place.serve();
        assert_eq!(credentials(&place), 1, "{point}");
        assert!(daemon.terminate().success());
    }
    killed_at(&place, "service-deleted", &["delete-service", "db", "-f"]);
    assert_eq!(credentials(&place), 1);
    let _daemon = place.serve();
    assert_eq!((credentials(&place), place.json(&["services"]).as_array().unwrap().len()), (0, 0));
}
