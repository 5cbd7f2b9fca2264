//! `logs`: which task's, which part, and as it comes.

use tekcron::api::resources::TaskResource;

use crate::fake::{Fake, Reply};
use crate::sample::task;

#[tokio::test]
async fn without_a_task_the_log_is_that_of_the_newest() {
    for args in
        [["logs", "etl"].as_slice(), &["logs", "etl", "--task"], &["logs", "etl", "--task", "--recent"]]
    {
        let fake = Fake::start([
            ("GET /v1/apps/etl/tasks?limit=1", Reply::page(&[task(9)], Some("c"))),
            ("GET /v1/apps/etl/tasks/9/logs", Reply::Text("one\ntwo\n")),
        ])
        .await;
        assert_eq!(fake.run(args).await.to_string(), "one\ntwo\n[0]");
        fake.requests();
    }
}

#[tokio::test]
async fn a_task_is_meant_by_number_or_by_name() {
    for (which, line) in [("7", "GET /v1/apps/etl/tasks/7"), ("task/etl-x", "GET /v1/tasks/etl-x")] {
        let log = "GET /v1/apps/etl/tasks/7/logs?tail=2&timestamps=true";
        let fake =
            Fake::start([(line, Reply::ok(&task(7))), (log, Reply::Text("no newline at the end"))]).await;
        let run = fake.run(&["logs", "app/etl", "--task", which, "-n", "2", "--timestamps"]).await;
        fake.requests();
        assert_eq!((run.out.as_str(), run.code), ("no newline at the end", 0));
    }
}

#[tokio::test]
async fn a_task_of_another_app_and_an_app_without_tasks_are_told() {
    let other = TaskResource { app: "backup".into(), ..task(7) };
    let fake = Fake::start([("GET /v1/tasks/etl-x", Reply::ok(&other))]).await;
    insta::assert_snapshot!(fake.run(&["logs", "etl", "--task", "etl-x"]).await, @r"
    ! error: the task `etl-nightly-abcdefghij07` is one of the App `backup`, not of `etl`
    [1]
    ");
    let none: [TaskResource; 0] = [];
    let fake = Fake::start([("GET /v1/apps/etl/tasks?limit=1", Reply::page(&none, None))]).await;
    insta::assert_snapshot!(fake.run(&["logs", "etl"]).await, @r"
    ! error: the App `etl` has no task yet
    ! hint: `tekcron run-task etl` runs one
    [1]
    ");
}

#[tokio::test]
async fn a_log_that_breaks_off_while_it_is_followed_is_an_error() {
    let fake = Fake::start([
        ("GET /v1/apps/etl/tasks/7", Reply::ok(&task(7))),
        ("GET /v1/apps/etl/tasks/7/logs?follow=true", Reply::Broken),
    ])
    .await;
    let run = fake.run(&["logs", "etl", "--task", "7", "--follow"]).await;
    fake.requests();
    assert_eq!(run.code, 69, "{run}");
}
