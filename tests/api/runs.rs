//! Runs by hand: claimed, waited for, ended.

use std::time::Duration;

use serde_json::{Value, json};
use tekcron::store::Commit;
use tekcron::task::Phase;

use crate::sample;
use crate::world::World;

const RUN: &str = "/v1/apps/etl/tasks";

async fn run(world: &World) -> Value {
    let answer = world.post(RUN, "{}").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let submitted = world.executor.submitted();
    world.until("it is submitted", || world.executor.submitted() > submitted.saturating_sub(1)).await;
    answer.json()
}

#[tokio::test]
async fn a_run_is_claimed_and_found_where_the_answer_says() {
    let world = World::new();
    world.clock.advance(Duration::from_nanos(1_234_567_891));
    let body = json!({
        "command": ["sh", "etl.sh", "--full"], "display_name": "by hand", "env": {"STAGE": "test"},
        "cpu": "0.5", "memory": "256M", "disk": "1Gi", "timeout": "1h 30m", "overlap": "allow",
    });
    let answer = world.post(RUN, &body.to_string()).await;
    assert_eq!((answer.status, answer.header("location")), (201, "/v1/apps/etl/tasks/1"));
    let task = answer.json();
    assert_eq!(
        (&task["display_name"], &task["trigger"], &task["id"]),
        (&json!("by hand"), &json!("manual"), &json!(1))
    );
    let found = world.get(answer.header("location")).await.json();
    assert_eq!((&found["name"], &found["created"]), (&task["name"], &task["created"]));
    let recorded = world.store.task(&"etl".parse().unwrap(), tekcron::task::TaskId(1)).unwrap().unwrap();
    assert_eq!(recorded.overrides.resources.memory.unwrap().bytes(), 256 << 20);
    world.end().await;
}

#[tokio::test]
async fn a_job_is_run_by_its_name() {
    let world = World::new();
    let answer = world.post("/v1/jobs/weekly/tasks", "").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["job"], "backup.weekly");
    let tasks = world.get("/v1/jobs/weekly/tasks").await.json();
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1);
    let answer = world.post("/v1/jobs/weekly/tasks", r#"{"overlap": "skip"}"#).await;
    answer.expect(409, "overlap", "task 1 of job `backup.weekly` is still active", "overlap allow");
    world.end().await;
}

#[tokio::test]
async fn a_repeated_key_answers_the_same_task_and_another_body_under_it_is_refused() {
    let world = World::new();
    let first = world.post_keyed(RUN, "k-1", r#"{"display_name": "x"}"#).await;
    let again = world.post_keyed(RUN, "k-1", r#"{ "display_name":"x" }"#).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.json()["name"], again.json()["name"]);
    let other = world.post_keyed(RUN, "k-1", r#"{"display_name": "y"}"#).await;
    other.expect(422, "idempotency-mismatch", "used for another request", "new key");
    let other = world.post_keyed("/v1/apps/backup/tasks", "k-1", r#"{"display_name": "x"}"#).await;
    other.expect(422, "idempotency-mismatch", "", "");
    assert_eq!(world.get("/v1/tasks").await.json()["items"].as_array().unwrap().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn of_many_requests_at_once_under_one_key_one_task_comes() {
    let world = World::new();
    let requests = (0..20).map(|_| world.post_keyed(RUN, "same", "{}"));
    let answers = futures::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 201 && answer.json()["id"] == 1));
    assert_eq!(world.get("/v1/tasks").await.json()["items"].as_array().unwrap().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_wait_ends_with_the_task() {
    let world = World::new();
    let task = run(&world).await;
    let name = task["name"].as_str().unwrap();
    let waiting =
        [world.begin("/v1/apps/etl/tasks/1?wait=60"), world.begin(&format!("/v1/tasks/{name}?wait=60"))];
    world.until_waiting(2).await;
    assert!(waiting.iter().all(|answer| !answer.is_finished()));
    world.executor.end(name, Phase::Failed, world.now());
    for answer in waiting {
        let answer = answer.await.unwrap().json();
        assert_eq!((&answer["phase"], &answer["exit_code"]), (&json!("failed"), &json!(1)));
    }
    assert_eq!(world.get("/v1/apps/etl/tasks/1?wait=60").await.json()["phase"], "failed", "at once");
    world.end().await;
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_answered_with_the_task_as_it_is() {
    let world = World::new();
    run(&world).await;
    assert_eq!(world.get("/v1/apps/etl/tasks/1?wait=0").await.status, 200);
    let waiting = world.begin("/v1/apps/etl/tasks/1?wait=20");
    world.until_waiting(1).await;
    world.clock.advance(Duration::from_secs(19));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    world.clock.advance(Duration::from_secs(1));
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.json()["finished"].is_null()), (200, true));
    world.end().await;
}

#[tokio::test]
async fn a_wait_ends_when_the_service_stops() {
    let world = World::new();
    run(&world).await;
    let waiting = world.begin("/v1/apps/etl/tasks/1?wait=60");
    world.until_waiting(1).await;
    world.stop.cancel();
    assert_eq!(waiting.await.unwrap().status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_running_task_is_asked_to_end_and_an_ended_one_is_left_alone() {
    let world = World::new();
    let task = run(&world).await;
    let name = task["name"].as_str().unwrap();
    world.until("the executor has it", || world.executor.submitted() == 1).await;
    let shown = || world.store.task(&"etl".parse().unwrap(), tekcron::task::TaskId(1)).unwrap().unwrap();
    world.until("it is confirmed", || shown().phase == Phase::Submitted).await;
    let answer = world.post("/v1/apps/etl/tasks/1/terminate", "").await.json();
    assert_eq!(answer["result"], "requested");
    assert!(!answer["task"]["terminating"].is_null());
    world.until("the executor is told", || !world.executor.cancelled().is_empty()).await;
    world.executor.end(name, Phase::Cancelled, world.now());
    world.until("it has ended", || shown().phase == Phase::Cancelled).await;
    let answer = world.post(&format!("/v1/tasks/{name}/terminate"), "").await.json();
    assert_eq!((&answer["result"], &answer["task"]["phase"]), (&json!("already-ended"), &json!("cancelled")));
    world.end().await;
}

#[tokio::test]
async fn a_task_that_waits_for_room_is_ended_at_once() {
    let world = World::new();
    *world.executor.without_room.lock().unwrap() = true;
    assert_eq!(world.post(RUN, "{}").await.json()["phase"], "pending");
    let answer = world.post("/v1/apps/etl/tasks/1/terminate", "").await.json();
    assert_eq!((&answer["result"], &answer["task"]["phase"]), (&json!("ended"), &json!("cancelled")));
    world.end().await;
}

#[tokio::test]
async fn a_stopping_service_takes_no_run_and_says_so() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    world.stop.cancel();
    world.until_dispatcher_ended().await;
    world.post(RUN, "{}").await.expect(503, "stopping", "stopping", "again");
    let answer = world.post("/v1/apps/etl/tasks/1/terminate", "").await;
    answer.expect(503, "stopping", "stopping", "again");
    assert_eq!(world.get("/v1/apps/etl/tasks/1?wait=60").await.status, 200, "reading goes on");
    world.store.commit(Commit::new()).await.unwrap();
    world.end().await;
}
