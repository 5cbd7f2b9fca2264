//! Alive, ready, measured.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::sample;
use crate::world::World;

#[tokio::test]
async fn a_stopping_service_is_alive_and_not_ready() {
    let world = World::new();
    let bare = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
    assert_eq!(world.send(bare("/readyz")).await.text(), "ok\n");
    assert_eq!(world.get("/readyz?verbose").await.json(), json!({ "ready": true, "causes": [] }));
    world.stop.cancel();
    let answer = world.send(bare("/readyz")).await;
    assert_eq!((answer.status, answer.text()), (503, "not ready\n"));
    let answer = world.get("/readyz?verbose").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "ready": false, "causes": ["the service is stopping"] }));
    assert_eq!(world.send(bare("/livez")).await.text(), "ok\n");
    world.end().await;
}

#[tokio::test]
async fn metrics_hold_what_an_operator_watches() {
    let world = World::new();
    *world.executor.without_room.lock().unwrap() = true;
    world.post("/v1/apps/etl/tasks", "{}").await;
    world.record(&[sample::task("backup", 1, world.now())]).await;
    world.get("/v1/apps/secret-name").await;
    let answer = world.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# TYPE tekcron_tasks_active gauge",
        "tekcron_tasks_active{phase=\"running\"} 0",
        "tekcron_slots_total{outcome=\"skipped\"} 0",
        "tekcron_tasks_total{phase=\"lost\"} 0",
        "# TYPE tekcron_lateness_seconds histogram",
        "tekcron_next_fire_timestamp_seconds 1767495600",
        "tekcron_commit_seconds_bucket",
        "tekcron_commits_total",
        "tekcron_oldest_waiting_seconds",
        "tekcron_http_requests_total{route=\"/v1/apps/{app}\",status=\"404\"}",
    ] {
        assert!(answer.text().contains(line), "{line}\n{}", answer.text());
    }
    assert!(!answer.text().contains("secret-name"), "labels are bounded");
    assert!(!answer.text().contains(&world.token));
    world.end().await;
}
