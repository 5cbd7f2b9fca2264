//! `run-task`, `run-job` and `terminate-task`: what is sent, and what is said.

use serde_json::json;
use tekcron::api::resources::{TerminateResource, TerminateResult};
use tekcron::task::Phase;

use crate::fake::{Fake, Reply};
use crate::sample::{ended, queued, task};

#[tokio::test]
async fn a_run_sends_what_it_changes_and_nothing_else() {
    let fake = Fake::start([
        ("POST /v1/apps/etl/tasks", Reply::created(&queued(9))),
        ("POST /v1/jobs/etl.nightly/tasks", Reply::created(&queued(10))),
    ])
    .await;
    let changes = "run-task etl -c false --name again -m 256M -k 1G --cpu-cores 0.5 --timeout 90s";
    let mut args: Vec<_> = changes.split(' ').collect();
    args.extend(["--env", "A=1=2", "--env", "B="]);
    insta::assert_snapshot!(fake.run(&args).await);
    let run = fake
        .run(&["run-job", "job/etl.nightly", "-o", "name", "--overlap", "Forbid", "--", "sh", "etl.sh", "-c"])
        .await;
    assert_eq!(run.to_string(), "task/etl-nightly-abcdefghij10\n[0]");

    let requests = fake.requests();
    let (task, job) = (&requests[0].body, &requests[1].body);
    assert_eq!(
        *task,
        json!({
            "command": "false", "display_name": "again", "env": { "A": "1=2", "B": "" }, "cpu": "0.5",
            "memory": "256M", "disk": "1G", "timeout": "90s", "overlap": null,
        })
    );
    assert_eq!(job["command"], json!(["sh", "etl.sh", "-c"]));
    assert_eq!(job["overlap"], "skip");
    assert_eq!((&job["env"], &job["memory"]), (&json!({}), &json!(null)));
}

#[tokio::test]
async fn a_run_whose_answer_breaks_off_is_sent_once_more_under_the_same_key() {
    let line = "POST /v1/apps/etl/tasks";
    let fake = Fake::start([(line, Reply::Broken), (line, Reply::created(&queued(9)))]).await;
    let run = fake.run(&["run-task", "etl", "-o", "name"]).await;
    assert_eq!(run.to_string(), "task/etl-nightly-abcdefghij09\n[0]");
    let keys: Vec<_> = fake.requests().iter().map(|seen| seen.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_eq!(uuid::Uuid::parse_str(keys[0].to_str().unwrap()).unwrap().get_version_num(), 7);
}

#[tokio::test]
async fn each_run_has_a_key_of_its_own_and_a_line_that_breaks_twice_is_an_error() {
    let line = "POST /v1/apps/etl/tasks";
    let fake =
        Fake::start([(line, Reply::Broken), (line, Reply::Broken), (line, Reply::created(&queued(9)))]).await;
    let broken = fake.run(&["run-task", "etl"]).await;
    assert_eq!((broken.code, broken.out.as_str()), (69, ""), "{broken}");
    assert!(broken.err.starts_with("error: the connection to `http://127.0.0.1:"), "{broken}");
    assert_eq!(fake.run(&["run-task", "etl"]).await.code, 0);
    let keys: Vec<_> = fake.requests().iter().map(|seen| seen.headers["idempotency-key"].clone()).collect();
    assert_ne!(keys[0], keys[2]);
}

#[tokio::test]
async fn a_terminate_says_what_came_of_it() {
    let answer = |result, task| Reply::ok(&TerminateResource { result, task });
    let cancelled = ended(8, Phase::Cancelled, None, "Cancelled", "it was terminated");
    let fake = Fake::start([
        ("POST /v1/tasks/etl-x/terminate", answer(TerminateResult::Requested, queued(9))),
        ("POST /v1/apps/etl/tasks/8/terminate", answer(TerminateResult::Ended, cancelled)),
        ("POST /v1/apps/etl/tasks/7/terminate", answer(TerminateResult::AlreadyEnded, task(7))),
    ])
    .await;
    insta::assert_snapshot!(fake.run(&["terminate-task", "etl-x", "-o", "name"]).await, @r"
    task/etl-nightly-abcdefghij09
    ! the task `etl-nightly-abcdefghij09` is being terminated
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["terminate-task", "etl", "8"]).await, @r"
    Name                       ID   DisplayName   Age    Duration   Succeeded   Reason
    etl-nightly-abcdefghij08   8    nightly       2d1h   95s        False       Cancelled
    ! the task `etl-nightly-abcdefghij08` had not started, and never will
    [0]
    ");
    insta::assert_snapshot!(fake.run(&["terminate-task", "etl", "7", "-o", "name"]).await, @r"
    task/etl-nightly-abcdefghij07
    ! the task `etl-nightly-abcdefghij07` had already ended (succeeded, 2d1h ago); nothing was changed
    [0]
    ");
    fake.requests();
}
