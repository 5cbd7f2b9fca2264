//! Logs, as text.

use std::time::Duration;

use serde_json::json;
use tekcron::executor::LogQuery;
use tekcron::task::{LogSize, Phase};

use crate::executor::Logs;
use crate::sample;
use crate::world::World;

const LOGS: &str = "/v1/apps/etl/tasks/1/logs";

#[tokio::test]
async fn a_log_is_plain_text_and_the_query_reaches_the_executor() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    let answer = world.get(LOGS).await;
    assert_eq!((answer.status, answer.text()), (200, "one\ntwo\nthree\n"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("tekcron-log"), "");
    world.get(&format!("{LOGS}?tail=5&timestamps=true&follow=true")).await;
    let asked = world.executor.asked.lock().unwrap().clone();
    let all = LogQuery { tail: Some(5), follow: true, timestamps: true };
    assert_eq!(asked, [LogQuery::default(), all]);
    world.end().await;
}

#[tokio::test]
async fn a_log_that_was_removed_is_empty_and_says_so() {
    let world = World::new();
    *world.executor.logs.lock().unwrap() = Logs::Whole;
    let mut task = sample::task("etl", 1, world.now());
    task.log = LogSize { kept: 0, cut: 500 };
    world.record(&[task]).await;
    assert_eq!(world.get(LOGS).await.header("tekcron-log"), "removed");
    world.end().await;
}

#[tokio::test]
async fn a_task_that_has_not_started_has_an_empty_log_and_following_it_waits() {
    let world = World::new();
    *world.executor.without_room.lock().unwrap() = true;
    assert_eq!(world.post("/v1/apps/etl/tasks", "{}").await.json()["phase"], json!("pending"));
    assert_eq!(world.get(LOGS).await.text(), "");
    assert!(world.executor.asked.lock().unwrap().is_empty());
    let following = world.begin(&format!("{LOGS}?follow=true"));
    world.until_waiting(1).await;
    assert!(!following.is_finished());
    *world.executor.without_room.lock().unwrap() = false;
    world.service.dispatch.relist().await;
    let shown = || world.store.task(&"etl".parse().unwrap(), tekcron::task::TaskId(1)).unwrap().unwrap();
    world.until("it is confirmed", || shown().phase == Phase::Submitted).await;
    world.clock.advance(Duration::from_millis(200));
    assert_eq!(following.await.unwrap().text(), "one\ntwo\nthree\n");
    world.end().await;
}

#[tokio::test]
async fn following_is_broken_off_when_the_service_stops() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    *world.executor.logs.lock().unwrap() = Logs::Open;
    let following = world.begin(&format!("{LOGS}?follow=true"));
    world.until("it is asked for", || !world.executor.asked.lock().unwrap().is_empty()).await;
    world.stop.cancel();
    let broken = following.await.expect_err("a body that is cut does not pass for a whole one");
    assert!(broken.is_panic());
    world.end().await;
}
