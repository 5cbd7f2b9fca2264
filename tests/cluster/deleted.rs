//! Runs that somebody else deletes.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::json;
use tekcron::clock::{Clock, SystemClock};

use crate::harness::text;
use crate::world::World;

#[test]
#[ignore = "needs a cluster"]
fn a_run_that_is_deleted_while_it_runs_is_cancelled_with_its_log_and_goes() {
    let Some(world) = World::new("deleted", "", &[("slow", "command = \"echo begun; sleep 600\"")]) else {
        return;
    };
    let _daemon = world.serve();
    let name = world.begin(&["slow"]);
    world.place.until("its log is here", || (world.log_of("slow", &name) == "begun\n").then_some(()));
    world.delete(&name);
    let task = world.ended(&name);
    assert_eq!((&task["phase"], &task["reason"]), (&json!("cancelled"), &json!("Deleted")), "{task}");
    assert_eq!(world.log_of("slow", &name), "begun\n");
    world.place.until("the run goes", || world.run_object(&name).is_none().then_some(()));
    world.place.until("its pod goes", || world.pods().is_empty().then_some(()));
}

#[test]
#[ignore = "needs a cluster"]
fn a_run_that_is_deleted_after_its_end_leaves_its_history() {
    let Some(world) = World::new("history", "", &[("quick", "command = \"echo done\"")]) else { return };
    let daemon = world.serve();
    let (_, task) = world.run(&["quick"]);
    let name = task["name"].as_str().unwrap();
    world.delete(name);
    world.place.until("the run goes", || world.run_object(name).is_none().then_some(()));
    assert_eq!(world.task(name), task);
    // A daemon that was away when a run ended and was deleted finds it held.
    let name = world.begin(&["quick", "-c", "echo begun; sleep 5; echo done"]);
    daemon.kill();
    world.place.until("it ends unseen", || {
        let run = world.run_object(&name).unwrap();
        (!run["status"]["completionTime"].is_null()).then_some(())
    });
    world.delete(&name);
    let _daemon = world.serve();
    let task = world.ended(&name);
    assert_eq!((&task["phase"], &task["exit_code"]), (&json!("succeeded"), &json!(0)), "{task}");
    assert_eq!(world.log_of("quick", &name), "begun\ndone\n");
    world.place.until("the run goes", || world.run_object(&name).is_none().then_some(()));
}

/// The dependents go first, and among them the pod, which has its grace period: what is read until then is kept.
#[test]
#[ignore = "needs a cluster"]
fn a_run_that_is_deleted_in_the_foreground_leaves_what_it_had_written() {
    let Some(world) = World::new("foreground", "", &[("slow", "command = \"echo begun; sleep 600\"")]) else {
        return;
    };
    let _daemon = world.serve();
    let name = world.begin(&["slow"]);
    world.place.until("its log is here", || (world.log_of("slow", &name) == "begun\n").then_some(()));
    world.delete_with(&name, &DeleteParams::foreground());
    let task = world.ended(&name);
    assert_eq!((&task["phase"], &task["reason"]), (&json!("cancelled"), &json!("Deleted")), "{task}");
    assert!(task["exit_code"].is_null(), "{task}");
    assert_eq!(world.log_of("slow", &name), "begun\n");
    world.place.until("the run goes", || world.run_object(&name).is_none().then_some(()));
    world.place.until("its pod goes", || world.pods().is_empty().then_some(()));
}

#[test]
#[ignore = "needs a cluster"]
fn a_namespace_that_is_deleted_is_gone_within_a_minute_and_its_history_stays() {
    let apps = [("slow", "command = \"echo begun; sleep 600\""), ("quick", "command = \"echo done\"")];
    let Some(world) = World::in_namespace_of_its_own("namespace", "", &apps) else { return };
    let _daemon = world.serve();
    let (_, ended) = world.run(&["quick"]);
    let name = world.begin(&["slow"]);
    world.place.until("its log is here", || (world.log_of("slow", &name) == "begun\n").then_some(()));
    let began = SystemClock::new();
    world.delete_namespace();
    world.place.until("the namespace is gone", || (!world.has_namespace()).then_some(()));
    let took = began.monotonic();
    let task = world.ended(&name);
    // Pods and runs are deleted side by side: where the pod went first, its run has failed, as by a signal.
    assert!(["cancelled", "failed", "lost"].contains(&task["phase"].as_str().unwrap()), "{task}");
    assert!(world.log_of("slow", &name).starts_with("begun\n"));
    assert_eq!(world.task(ended["name"].as_str().unwrap()), ended);
    assert_eq!(world.log_of("quick", ended["name"].as_str().unwrap()), "done\n");
    assert!(took < Duration::from_secs(60), "it waited for {took:?}");
}

/// Nothing holds what is not asked to be held.
#[test]
#[ignore = "needs a cluster"]
fn without_a_finalizer_a_run_that_is_deleted_while_it_runs_is_lost_and_its_log_is_here() {
    let apps = [("slow", "command = \"echo begun; sleep 600\"")];
    let Some(world) = World::new("unheld", "finalizer = false", &apps) else { return };
    let _daemon = world.serve();
    let name = world.begin(&["slow"]);
    assert!(world.run_object(&name).unwrap()["metadata"]["finalizers"].is_null());
    world.place.until("its log is here", || (world.log_of("slow", &name) == "begun\n").then_some(()));
    world.delete(&name);
    world.place.until("the run goes", || world.run_object(&name).is_none().then_some(()));
    let task = world.ended(&name);
    assert_eq!(task["phase"], "lost", "{task}");
    assert!(task["message"].as_str().unwrap().contains("last seen"), "{task}");
    assert_eq!(world.log_of("slow", &name), "begun\n");
}

#[test]
#[ignore = "needs a cluster"]
fn what_no_daemon_will_ever_record_is_released_by_hand() {
    let apps = [("slow", "command = \"sleep 600\"")];
    let Some(world) = World::new("release", "", &apps) else { return };
    let daemon = world.serve();
    let name = world.begin(&["slow"]);
    daemon.kill();
    world.delete(&name);
    let held = world.run_object(&name).unwrap();
    assert_eq!(held["metadata"]["finalizers"], json!(["tekcron.dev/outcome"]), "{held}");
    let output = world.place.run(&["--config", "config", "release", &name]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(&name), "{said}");
    world.place.until("the run goes", || world.run_object(&name).is_none().then_some(()));
    world.place.until("its pod goes", || world.pods().is_empty().then_some(()));
}
