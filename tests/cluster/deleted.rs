//! Runs that somebody else deletes.

use serde_json::json;

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
