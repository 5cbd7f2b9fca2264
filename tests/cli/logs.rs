//! `logs`: which task's, which part, and as it comes.

use jiff::SignedDuration;
use tekcron::api::resources::TaskResource;
use tekcron::task::Phase;

use crate::fake::{Fake, Reply};
use crate::sample::{ended, now, queued, task};

#[tokio::test]
async fn without_a_task_the_log_is_that_of_the_newest() {
    for args in
        [["logs", "etl"].as_slice(), &["logs", "etl", "--task"], &["logs", "etl", "--task", "--recent"]]
    {
        let fake = Fake::start([
            ("GET /v1/apps/etl/tasks?limit=20", Reply::page(&[task(9)], None)),
            ("GET /v1/apps/etl/tasks/9/logs", Reply::Text("one\ntwo\n")),
        ])
        .await;
        assert_eq!(fake.run(args).await.to_string(), "one\ntwo\n[0]");
        fake.requests();
    }
}

const NEWEST: &str = "GET /v1/apps/etl/tasks?limit=20";

/// The second attempt at task 9, due in two days.
fn waiting_retry() -> TaskResource {
    TaskResource { not_before: Some(now() + SignedDuration::from_mins(49 * 60 + 30)), ..queued(10) }
}

#[tokio::test]
async fn a_retry_that_waits_is_passed_over_and_told() {
    let failed = ended(9, Phase::Failed, Some(1), "Error", "it ended with exit code 1");
    let fake = Fake::start([
        (NEWEST, Reply::page(&[waiting_retry(), failed], None)),
        ("GET /v1/apps/etl/tasks/9/logs", Reply::Text("no route to host\n")),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["logs", "etl"]).await, @r"
    no route to host
    ! task 10 has not started yet: it is due in 2d1h; this is the log of task 9
    [0]
    ");
    fake.requests();
}

#[tokio::test]
async fn a_task_that_was_terminated_before_its_start_is_passed_over_and_told() {
    let never = TaskResource { phase: Phase::Cancelled, finished: Some(now()), ..queued(10) };
    let fake = Fake::start([
        (NEWEST, Reply::page(&[never, task(9)], None)),
        ("GET /v1/apps/etl/tasks/9/logs", Reply::Text("done\n")),
    ])
    .await;
    let run = fake.run(&["logs", "etl"]).await;
    assert_eq!(run.to_string(), "done\n! task 10 never started; this is the log of task 9\n[0]");
    fake.requests();
}

#[tokio::test]
async fn a_log_that_was_removed_is_told_by_both_who_show_it() {
    let removed = || {
        let mut task = task(7);
        (task.log.kept, task.log.cut) = (0, 83);
        Reply::ok(&task)
    };
    let one = "GET /v1/apps/etl/tasks/7";
    let fake = Fake::start([(one, removed()), ("GET /v1/apps/etl/tasks/7/logs", Reply::Text(""))]).await;
    let run = fake.run(&["logs", "etl", "--task", "7"]).await;
    assert_eq!(run.to_string(), "! the log of task 7 was removed\n[0]");
    fake.requests();
    let fake = Fake::start([(one, removed())]).await;
    let run = fake.run(&["task", "etl", "7"]).await;
    let log = run.out.lines().find_map(|line| line.strip_prefix("Log:")).unwrap();
    assert_eq!(log.trim(), "removed");
    fake.requests();
}

#[tokio::test]
async fn one_that_has_not_started_is_waited_for_where_it_is_followed_and_told_where_it_is_named() {
    let follow = "GET /v1/apps/etl/tasks/10/logs?follow=true";
    for args in [["logs", "etl", "--follow"].as_slice(), &["logs", "etl", "--recent", "--follow"]] {
        let page = Reply::page(&[waiting_retry(), task(9)], None);
        let fake = Fake::start([(NEWEST, page), (follow, Reply::Text("again\n"))]).await;
        let told = "! task 10 has not started yet: it is due in 2d1h; its log follows when it has";
        assert_eq!(fake.run(args).await.to_string(), format!("again\n{told}\n[0]"));
        fake.requests();
    }
    let fake = Fake::start([
        ("GET /v1/apps/etl/tasks/10", Reply::ok(&queued(10))),
        ("GET /v1/apps/etl/tasks/10/logs", Reply::Text("")),
    ])
    .await;
    let run = fake.run(&["logs", "etl", "--task", "10"]).await;
    assert_eq!(run.to_string(), "! task 10 has not started yet; there is no log yet\n[0]");
    fake.requests();
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
    ! hint: `tekcron logs backup --task etl-nightly-abcdefghij07`
    [1]
    ");
    let none: [TaskResource; 0] = [];
    let fake = Fake::start([("GET /v1/apps/etl/tasks?limit=20", Reply::page(&none, None))]).await;
    insta::assert_snapshot!(fake.run(&["logs", "etl"]).await, @r"
    ! error: the App `etl` has no task yet
    ! hint: `tekcron run-task etl` runs one
    [1]
    ");
}

#[tokio::test]
async fn a_followed_log_that_breaks_off_goes_on_where_it_was() {
    const LOG: &str = "GET /v1/apps/etl/tasks/7/logs?follow=true";
    let fake = Fake::start([
        ("GET /v1/apps/etl/tasks/7", Reply::ok(&task(7))),
        (LOG, Reply::BrokenAfter("one\ntw")),
        (LOG, Reply::Broken),
        (LOG, Reply::Text("one\ntwo\nthree\n")),
    ])
    .await;
    let run = fake.run(&["logs", "etl", "--task", "7", "--follow"]).await;
    fake.requests();
    assert_eq!((run.code, run.out.as_str()), (0, "one\ntwo\nthree\n"), "{run}");
}

#[tokio::test]
async fn the_last_lines_of_a_log_that_breaks_off_are_not_guessed_again() {
    let fake = Fake::start([
        ("GET /v1/apps/etl/tasks/7", Reply::ok(&task(7))),
        ("GET /v1/apps/etl/tasks/7/logs?tail=2&follow=true", Reply::BrokenAfter("one\n")),
    ])
    .await;
    let run = fake.run(&["logs", "etl", "--task", "7", "--follow", "-n", "2"]).await;
    fake.requests();
    assert_eq!((run.code, run.out.as_str()), (69, "one\n"), "{run}");
}
