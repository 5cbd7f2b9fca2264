//! What is kept, seen from outside.

use std::fs;

use crate::harness::Place;

const APP: &str = r#"
[app]
name = "many"
command = "echo $TEKCRON_TASK_ID"
keep = 5

[[jobs]]
name = "noisy"

[[jobs]]
name = "rare"
"#;

#[test]
fn the_newest_stay_and_the_oldest_go_with_log_and_directory() {
    let place = Place::with(&[("many", APP)]);
    let _daemon = place.serve();
    place.ok(&["run-job", "rare", "--wait"]);
    for _ in 0..12 {
        place.ok(&["run-job", "noisy", "--wait"]);
    }
    let ids = place.until("the sweep", || {
        let tasks = place.json(&["tasks", "many"]);
        let ids: Vec<_> = tasks.as_array().unwrap().iter().map(|task| task["id"].as_u64().unwrap()).collect();
        (ids.len() == 5).then_some(ids)
    });
    assert_eq!(ids, [13, 12, 11, 10, 1], "the rare job's last success is protected from the noisy one");
    place.until("their directories", || {
        (fs::read_dir(place.path().join("data/tasks")).unwrap().count() == 5).then_some(())
    });
    assert_eq!(place.ok(&["logs", "many", "--task", "1"]), "1\n");
}
