//! More tasks than are kept.

use std::collections::BTreeSet;

use crate::world::{World, name_of};

#[test]
#[ignore = "needs a cluster, and an hour of a small one"]
fn of_520_tasks_the_newest_500_stay_on_the_cluster() {
    let Some(world) = World::new("many", "max_submitted = 16", &[("quick", "command = \"true\"")]) else {
        return;
    };
    let _daemon = world.serve();
    for _ in 0..520 {
        world.place.ok(&["run-task", "quick"]);
    }
    // A small cluster takes its time: patience is for the next few.
    for wanted in (20..=520).step_by(20) {
        world.place.until("some more have ended", || {
            let tasks = world.place.json(&["tasks", "quick", "--limit", "1000"]);
            let tasks = tasks.as_array().unwrap();
            let under_way = tasks.iter().filter(|task| task["finished"].is_null()).count();
            (520 - under_way >= wanted).then_some(())
        });
    }
    world.place.until("the first are gone", || (world.objects("PipelineRun").len() == 500).then_some(()));
    let listed = world.place.json(&["tasks", "quick", "--limit", "1000"]);
    let listed: BTreeSet<String> =
        listed.as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap().to_owned()).collect();
    let there: BTreeSet<String> = world.objects("PipelineRun").iter().map(name_of).collect();
    assert_eq!(there, listed);
    // One that took its time while others ended was not among the oldest finished ones.
    let newest = world.place.json(&["tasks", "quick", "--limit", "400"]);
    assert_eq!(newest[399]["id"], 121);
}
