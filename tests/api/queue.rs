//! What waits to start.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sample;
use crate::world::World;

/// `etl` runs one task at a time.
fn world() -> World {
    let dir = TempDir::new().unwrap();
    let mut config = sample::config(dir.path());
    let etl = config.apps.get_mut("etl").unwrap();
    std::sync::Arc::make_mut(etl).max_running = Some(1);
    World::with_config(dir, config)
}

fn ids(page: &Value) -> Vec<u64> {
    page["items"].as_array().unwrap().iter().map(|item| item["task"]["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_waits_is_listed_with_what_is_in_its_way_page_by_page() {
    let world = world();
    for _ in 0..3 {
        assert_eq!(world.post("/v1/jobs/etl.nightly/tasks", "").await.status, 201);
    }
    world.post("/v1/jobs/etl.nightly/tasks", r#"{"overlap": "queue-all"}"#).await;
    let page = world.get("/v1/queue?limit=2").await.json();
    assert_eq!(ids(&page), [2, 3]);
    let first = &page["items"][0];
    let words = "max_running = 1 of App etl: 1 run";
    assert_eq!((&first["blocked"], &first["waits_for"]), (&json!("app"), &json!(words)));
    let next = page["next"].as_str().unwrap();
    let page = world.get(&format!("/v1/queue?limit=2&cursor={next}")).await.json();
    assert_eq!((ids(&page), &page["next"]), (vec![4], &Value::Null));
    let last = &page["items"][0];
    assert_eq!((&last["blocked"], &last["behind"]), (&json!("run"), &json!(1)));
    assert_eq!(last["waits_for"], "task 1 of its job");
    assert_eq!(ids(&world.get("/v1/queue?app=backup").await.json()), [0; 0]);
    world.get("/v1/queue?app=etk").await.expect(404, "not-found", "App `etk`", "`etl`");
    world.get(&format!("/v1/queue?app=etl&cursor={next}")).await.expect(400, "bad-request", "another", "");
    world.end().await;
}

#[tokio::test]
async fn a_waiting_task_is_moved_and_taken_out_and_one_that_has_started_is_neither() {
    let world = world();
    for _ in 0..4 {
        world.post("/v1/jobs/etl.nightly/tasks", "").await;
    }
    let moved = world.post("/v1/apps/etl/tasks/4/front", "").await.json();
    assert_eq!(ids(&world.get("/v1/queue").await.json()), [4, 2, 3]);
    let dropped = world.post(&format!("/v1/tasks/{}/drop", moved["name"].as_str().unwrap()), "").await.json();
    assert_eq!((&dropped["phase"], &dropped["reason"]), (&json!("cancelled"), &json!("Dropped")));
    assert_eq!(ids(&world.get("/v1/queue").await.json()), [2, 3]);
    for verb in ["front", "drop"] {
        let answer = world.post(&format!("/v1/apps/etl/tasks/1/{verb}"), "").await;
        answer.expect(409, "not-waiting", "task 1 of App `etl` has started", "terminate-task etl 1");
        let answer = world.post(&format!("/v1/apps/etl/tasks/4/{verb}"), "").await;
        answer.expect(409, "not-waiting", "task 4 of App `etl` has ended as `cancelled`", "");
        let answer = world.post(&format!("/v1/apps/etl/tasks/9/{verb}"), "").await;
        assert_eq!(answer.status, 404);
    }
    assert_eq!(ids(&world.get("/v1/queue").await.json()), [2, 3], "nothing was changed");
    world.end().await;
}
