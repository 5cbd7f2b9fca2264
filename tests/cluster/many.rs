//! More tasks than are kept.

use serde_json::Value;

use crate::world::World;

#[test]
#[ignore = "needs a cluster, and an hour of a small one"]
fn of_520_tasks_the_newest_500_stay_on_the_cluster() {
    let Some(world) = World::new("many", "", &[("quick", "command = \"true\"")]) else { return };
    let _daemon = world.serve();
    for _ in 0..520 {
        world.place.ok(&["run-task", "quick"]);
    }
    world.place.until("the last ones have ended, and the first are gone", || {
        let tasks = world.place.json(&["tasks", "quick", "--limit", "1000"]);
        let tasks = tasks.as_array().unwrap();
        let ended = tasks.iter().all(|task| !task["finished"].is_null());
        (ended && tasks.len() == 500 && world.objects("PipelineRun").len() == 500).then_some(())
    });
    let ids = |task: &Value| {
        task["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap().parse::<u32>().unwrap()
    };
    let mut left: Vec<u32> = world.objects("PipelineRun").iter().map(ids).collect();
    left.sort_unstable();
    assert_eq!(left, (21..=520).collect::<Vec<_>>());
}
