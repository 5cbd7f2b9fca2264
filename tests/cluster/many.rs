//! More tasks than are kept.

use serde_json::Value;

use crate::world::World;

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
    let left = world.place.json(&["tasks", "quick", "--limit", "1000"]);
    assert_eq!(left.as_array().unwrap().len(), 500);
    let ids = |task: &Value| {
        task["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap().parse::<u32>().unwrap()
    };
    let mut left: Vec<u32> = world.objects("PipelineRun").iter().map(ids).collect();
    left.sort_unstable();
    assert_eq!(left, (21..=520).collect::<Vec<_>>());
}
