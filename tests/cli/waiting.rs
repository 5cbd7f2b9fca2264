//! `--wait` and `--follow`: the program ends as the task did.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tekcron::api::resources::TaskResource;
use tekcron::task::{Phase, TaskId};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::fake::{Fake, Reply, Run};
use crate::sample::{ended, queued, task};

const RUN: &str = "POST /v1/apps/etl/tasks";
const WAIT: &str = "GET /v1/apps/etl/tasks/9?wait=60";
const LOG: &str = "GET /v1/apps/etl/tasks/9/logs?follow=true";

/// How `--wait` ends where no retry follows.
async fn waited(end: &TaskResource) -> Run {
    let end = TaskResource { job: None, ..end.clone() };
    let fake = Fake::start([(RUN, Reply::created(&queued(9))), (WAIT, Reply::ok(&end))]).await;
    let run = fake.run(&["run-task", "etl", "--wait", "-o", "name"]).await;
    fake.requests();
    run
}

#[tokio::test]
async fn each_end_has_its_exit_code_and_its_reason_in_words() {
    let mut seen = String::new();
    for end in [
        task(9),
        ended(9, Phase::Failed, Some(3), "Error", "it ended with exit code 3"),
        ended(9, Phase::Failed, Some(255), "Error", "SIGKILL ended it"),
        ended(9, Phase::Failed, Some(0), "Error", "it left its process group behind"),
        ended(9, Phase::Failed, Some(-9), "Error", "SIGKILL ended it"),
        ended(9, Phase::Failed, None, "TaskRunImagePullFailed", "the image cannot be pulled"),
        ended(9, Phase::TimedOut, None, "PipelineRunTimeout", "it ran longer than 1m"),
        ended(9, Phase::Cancelled, None, "Cancelled", "it was terminated"),
        ended(9, Phase::Lost, None, "Lost", "nobody knows how it ended"),
    ] {
        let run = waited(&end).await;
        assert_eq!(run.out, "task/etl-nightly-abcdefghij09\n");
        let last = run.err.lines().last().unwrap();
        seen += &format!("[{}] {last}\n", run.code);
    }
    insta::assert_snapshot!(seen);
}

#[tokio::test]
async fn the_hint_of_a_message_has_its_own_line() {
    let message = "expected variable `KEY`, found none\nhint: set it before tekcron starts";
    let end = TaskResource { job: None, ..ended(9, Phase::Failed, None, "BadCredentials", message) };
    let run = waited(&end).await;
    let told: Vec<_> = run.err.lines().skip(1).collect();
    let expected = [
        "the task `etl-nightly-abcdefghij09` failed after 95s: expected variable `KEY`, found none",
        "hint: set it before tekcron starts",
    ];
    assert_eq!(told, expected);
    let fake = Fake::start([("GET /v1/apps/etl/tasks/9", Reply::ok(&end))]).await;
    let shown = fake.run(&["task", "etl", "9"]).await.out;
    let at =
        |label: &str| shown.lines().find(|line| line.starts_with(label)).unwrap().split_once(':').unwrap().1;
    assert_eq!(at("Message:").trim(), "expected variable `KEY`, found none");
    assert_eq!(at("Hint:").trim(), "set it before tekcron starts");
}

const HISTORY: &str = "GET /v1/jobs/etl.nightly/tasks?limit=20";

#[tokio::test]
async fn a_retry_that_follows_is_announced_with_its_time() {
    let failed = ended(9, Phase::Failed, Some(3), "Error", "it ended with exit code 3");
    let due = "2999-01-01T00:00:30.5Z".parse().unwrap();
    let retry = |id, first, attempt| TaskResource {
        attempt,
        first_attempt: Some(TaskId(first)),
        not_before: Some(due),
        ..queued(id)
    };
    let job = "POST /v1/jobs/etl.nightly/tasks";
    // Another run's retry, then ours.
    let page = Reply::page(&[retry(12, 4, 2), retry(10, 9, 2), failed.clone()], None);
    let script = [(job, Reply::created(&queued(9))), (WAIT, Reply::ok(&failed)), (HISTORY, page)];
    let fake = Fake::start(script).await;
    let run = fake.run(&["run-job", "etl.nightly", "--wait", "-o", "name"]).await;
    fake.requests();
    assert_eq!(run.code, 3);
    let told: Vec<_> = run.err.lines().skip(2).collect();
    assert!(told[0].starts_with("it is tried again as task 10 at 2999-01-01T00:00:30Z (in "), "{run}");
    assert_eq!(told[1..], ["hint: `tekcron logs etl --task 10 --follow` shows that"]);
}

#[tokio::test]
async fn where_no_retry_follows_or_none_is_told_there_is_no_word_of_one() {
    let failed = ended(9, Phase::Failed, Some(3), "Error", "it ended with exit code 3");
    for reply in
        [Reply::page(std::slice::from_ref(&failed), None), Reply::error(404, "not-found", "gone", None)]
    {
        let script = [(RUN, Reply::created(&queued(9))), (WAIT, Reply::ok(&failed)), (HISTORY, reply)];
        let fake = Fake::start(script).await;
        let run = fake.run(&["run-task", "etl", "--wait", "-o", "name"]).await;
        fake.requests();
        assert_eq!((run.code, run.err.lines().count()), (3, 2), "{run}");
    }
}

#[tokio::test]
async fn the_end_is_asked_for_until_it_is_there() {
    let running = TaskResource { phase: Phase::Running, ..queued(9) };
    let fake = Fake::start([
        (RUN, Reply::created(&queued(9))),
        (WAIT, Reply::ok(&running)),
        (WAIT, Reply::Broken),
        (WAIT, Reply::error(503, "stopping", "the service is stopping", None)),
        (WAIT, Reply::ok(&task(9))),
    ])
    .await;
    let run = fake.run(&["run-task", "etl", "--wait", "-o", "json"]).await;
    fake.requests();
    assert_eq!(run.code, 0, "{run}");
    let ended: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(ended["phase"], "succeeded");
}

#[tokio::test]
async fn a_task_that_is_gone_leaves_no_exit_code() {
    let gone = Reply::error(404, "not-found", "the task 9 of `etl` does not exist", None);
    let fake = Fake::start([(RUN, Reply::created(&queued(9))), (WAIT, gone)]).await;
    insta::assert_snapshot!(fake.run(&["run-task", "etl", "--wait"]).await, @r"
    ! waiting for the task `etl-nightly-abcdefghij09` (etl 9); Ctrl-C ends only the wait
    ! error: lost sight of the task `etl-nightly-abcdefghij09`: the task 9 of `etl` does not exist
    ! hint: `tekcron task etl-nightly-abcdefghij09` shows it
    [125]
    ");
}

#[tokio::test]
async fn following_prints_the_log_alone_and_ends_as_the_task_did() {
    let (log, pieces) = mpsc::unbounded_channel();
    let failed = ended(9, Phase::Failed, Some(3), "Error", "it ended with exit code 3");
    let failed = TaskResource { job: None, ..failed };
    let script =
        [(RUN, Reply::created(&queued(9))), (LOG, Reply::Stream(pieces)), (WAIT, Reply::ok(&failed))];
    let fake = Fake::start(script).await;
    let mut child = fake.command(&["run-task", "etl", "--follow"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in ["first\n", "second\n"] {
        log.send(line).unwrap();
        // It is printed before the next one is there.
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line.trim_end());
    }
    drop(log);
    assert_eq!(lines.next_line().await.unwrap(), None);
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    fake.requests();
}

#[tokio::test]
async fn a_log_that_breaks_off_does_not_end_the_wait() {
    let script = [
        (RUN, Reply::created(&queued(9))),
        (LOG, Reply::BrokenAfter("one\n")),
        (LOG, Reply::Text("one\ntwo\n")),
        (WAIT, Reply::ok(&task(9))),
    ];
    let fake = Fake::start(script).await;
    let run = fake.run(&["run-task", "etl", "--follow"]).await;
    fake.requests();
    assert_eq!((run.code, run.out.as_str()), (0, "one\ntwo\n"), "{run}");
}

/// Waits until the program says that it waits.
async fn until_it_waits(
    mut command: Command,
) -> (Child, tokio::io::Lines<BufReader<tokio::process::ChildStderr>>) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    assert!(line.starts_with("waiting for the task `etl-nightly-abcdefghij09`"), "{line}");
    (child, lines)
}

#[tokio::test]
async fn ctrl_c_ends_only_the_wait_and_names_the_task() {
    for (flag, second) in [("--wait", WAIT), ("--follow", LOG)] {
        let fake = Fake::start([(RUN, Reply::created(&queued(9))), (second, Reply::Silence)]).await;
        let (mut child, mut lines) = until_it_waits(fake.command(&["run-task", "etl", flag])).await;
        let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let line = lines.next_line().await.unwrap().unwrap();
        assert_eq!(line, "no longer waiting; the task `etl-nightly-abcdefghij09` goes on");
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{flag}");
    }
}
