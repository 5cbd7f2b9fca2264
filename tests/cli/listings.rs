//! Listings and single things in each format.

use serde_json::Value;
use tekcron::api::resources::{
    AppResource, BreachResource, JobResource, SlotResource, StatusResource, TaskResource,
};
use tekcron::task::Phase;

use crate::fake::{Fake, Reply};
use crate::sample::{app, ended, job, job_by_hand, queued, slots, task};

fn tasks() -> Vec<TaskResource> {
    let failed = ended(8, Phase::Failed, Some(3), "Error", "it ended with exit code 3");
    vec![queued(9), failed, task(7)]
}

async fn listed(args: &[&str], line: &str, reply: Reply) -> String {
    let fake = Fake::start([(line, reply)]).await;
    let run = fake.run(args).await;
    fake.requests();
    run.to_string()
}

#[tokio::test]
async fn tasks_have_the_columns_of_kf() {
    let reply = Reply::page(&tasks(), None);
    insta::assert_snapshot!(listed(&["tasks"], "GET /v1/tasks?limit=50", reply).await);
}

#[tokio::test]
async fn wide_says_more_of_the_tasks() {
    let reply = Reply::page(&tasks(), None);
    let args = ["tasks", "app/etl", "-o", "wide", "--limit", "3"];
    insta::assert_snapshot!(listed(&args, "GET /v1/apps/etl/tasks?limit=3", reply).await);
}

#[tokio::test]
async fn names_are_one_a_line_with_their_kind() {
    let reply = Reply::page(&tasks(), None);
    insta::assert_snapshot!(listed(&["tasks", "-o", "name"], "GET /v1/tasks?limit=50", reply).await);
    let reply = Reply::page(&[job(), job_by_hand()], None);
    insta::assert_snapshot!(listed(&["jobs", "-o", "name"], "GET /v1/jobs?limit=50", reply).await, @r"
    job/etl.nightly
    job/etl.refill
    [0]
    ");
    let reply = Reply::page(&[app()], None);
    insta::assert_snapshot!(listed(&["apps", "-o", "name"], "GET /v1/apps?limit=50", reply).await, @r"
    app/etl
    [0]
    ");
}

#[tokio::test]
async fn json_and_yaml_are_arrays_of_what_the_service_said() {
    for format in ["json", "yaml"] {
        let fake = Fake::start([("GET /v1/tasks?limit=50", Reply::page(&tasks(), None))]).await;
        let run = fake.run(&["tasks", "-o", format]).await;
        // JSON is YAML.
        let found: Vec<TaskResource> = serde_yaml_ng::from_str(&run.out).unwrap();
        assert_eq!((found.len(), found[1].exit_code, run.code), (3, Some(3), 0), "{format}");
    }
    let fake = Fake::start([("GET /v1/tasks?limit=50", Reply::page(&[queued(9)], None))]).await;
    let run = fake.run(&["tasks", "-o", "json"]).await;
    let mut found: Value = serde_json::from_str(&run.out).unwrap();
    found[0]["created"] = Value::Null;
    insta::assert_json_snapshot!(found);
}

#[tokio::test]
async fn nothing_is_an_empty_array_and_a_word_to_people() {
    let none: [TaskResource; 0] = [];
    for (format, expected) in
        [("json", "[]\n[0]"), ("yaml", "[]\n[0]"), ("name", "[0]"), ("table", "! no tasks found\n[0]")]
    {
        let reply = Reply::page(&none, None);
        assert_eq!(listed(&["tasks", "-o", format], "GET /v1/tasks?limit=50", reply).await, expected);
    }
}

#[tokio::test]
async fn cursors_are_followed_up_to_the_limit_and_more_is_said_to_be_there() {
    let fake = Fake::start([
        ("GET /v1/tasks?limit=3", Reply::page(&[task(9), task(8)], Some("a/b="))),
        ("GET /v1/tasks?limit=3&cursor=a%2Fb%3D", Reply::page(&[task(7), task(6)], Some("c"))),
    ])
    .await;
    let run = fake.run(&["tasks", "--limit", "3", "-o", "name"]).await;
    fake.requests();
    insta::assert_snapshot!(run, @r"
    task/etl-nightly-abcdefghij09
    task/etl-nightly-abcdefghij08
    task/etl-nightly-abcdefghij07
    ! showing 3, there are more
    ! hint: --limit N shows more of them
    [0]
    ");
}

#[tokio::test]
async fn a_large_limit_is_asked_for_in_pages_that_the_service_allows() {
    let fake = Fake::start([
        ("GET /v1/tasks?phase=failed&limit=1000", Reply::page(&[task(2)], Some("c"))),
        ("GET /v1/tasks?phase=failed&limit=1000&cursor=c", Reply::page(&tasks()[..0], Some("d"))),
        ("GET /v1/tasks?phase=failed&limit=1000&cursor=d", Reply::page(&[task(1)], None)),
    ])
    .await;
    let run = fake.run(&["tasks", "--limit", "5000", "--phase", "failed", "-o", "name"]).await;
    fake.requests();
    assert_eq!((run.out.lines().count(), run.err.as_str()), (2, ""));
}

#[tokio::test]
async fn a_task_is_shown_by_name_and_by_app_and_id() {
    let by_name =
        listed(&["task", "task/etl-x", "-o", "name"], "GET /v1/tasks/etl-x", Reply::ok(&task(7))).await;
    let by_id =
        listed(&["task", "etl", "7", "-o", "name"], "GET /v1/apps/etl/tasks/7", Reply::ok(&task(7))).await;
    assert_eq!((by_name.as_str(), by_id), ("task/etl-nightly-abcdefghij07\n[0]", by_name.clone()));

    let retry = TaskResource {
        first_attempt: Some(tekcron::task::TaskId(6)),
        attempt: 2,
        log: tekcron::task::LogSize { kept: 10_485_760, cut: 77 },
        ..ended(7, Phase::Failed, Some(137), "OOMKilled", "it used more than its memory limit of 256Mi")
    };
    let text = listed(&["task", "etl", "7"], "GET /v1/apps/etl/tasks/7", Reply::ok(&retry)).await;
    insta::assert_snapshot!(without_stamps(&text));
}

/// The lines of a detail view, without the times that differ with every run.
fn without_stamps(text: &str) -> String {
    let line = |line: &str| match line.split_once(" (") {
        Some((stamped, rest)) if stamped.ends_with('Z') => {
            let label = stamped.rsplit_once(' ').map_or("", |(label, _)| label);
            format!("{label} (time) ({rest}")
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn jobs_are_listed_with_their_next_fire_and_last_end() {
    let jobs = [job(), job_by_hand()];
    let text =
        listed(&["jobs", "etl", "-o", "wide"], "GET /v1/jobs?app=etl&limit=50", Reply::page(&jobs, None))
            .await;
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_job_is_shown_with_its_schedules() {
    let fake = Fake::start([("GET /v1/jobs/nightly", Reply::ok(&job()))]).await;
    let run = fake.run(&["job", "nightly", "-o", "json"]).await;
    let found: JobResource = serde_json::from_str(&run.out).unwrap();
    assert_eq!(found.schedules[0].cron, "0 2 * * *");
    let by_hand = listed(&["job", "etl.refill"], "GET /v1/jobs/etl.refill", Reply::ok(&job_by_hand())).await;
    insta::assert_snapshot!(by_hand);
}

#[tokio::test]
async fn the_history_of_a_job_tells_slots_and_attempts() {
    let args = ["job-history", "etl.nightly", "-o", "wide"];
    let reply = Reply::page(&tasks()[1..], None);
    insta::assert_snapshot!(listed(&args, "GET /v1/jobs/etl.nightly/tasks?limit=50", reply).await);
}

#[tokio::test]
async fn slots_tell_what_became_of_each_and_ranges_how_many_they_are() {
    let line = "GET /v1/jobs/etl.nightly/slots?order=newest&limit=50";
    let text = listed(&["slots", "etl.nightly"], line, Reply::page(&slots(), None)).await;
    insta::assert_snapshot!(text);
    let names =
        listed(&["slots", "job/etl.nightly", "-o", "name"], line, Reply::page(&slots()[..1], None)).await;
    assert_eq!(names, "slot/etl.nightly/k3/2026-01-03T02:00:00Z\n[0]");
    let line = "GET /v1/jobs/nightly/slots?from=2026-01-01T00%3A00%3A00Z&to=2026-01-02T00%3A00%3A00Z&outcome=missed&order=newest&limit=3";
    let args = [
        "slots",
        "nightly",
        "-n",
        "3",
        "--from",
        "2026-01-01",
        "--to",
        "2026-01-02T01:00+01:00",
        "--outcome",
        "missed",
        "-o",
        "json",
    ];
    let fake = Fake::start([(line, Reply::page(&slots(), None))]).await;
    let run = fake.run(&args).await;
    fake.requests();
    assert_eq!(serde_json::from_str::<Vec<SlotResource>>(&run.out).unwrap(), slots());
    let run = fake.run(&["slots", "nightly", "--outcome", "skiped"]).await;
    assert!(run.err.contains("did you mean `skipped`?") && run.code == 64, "{run}");
}

#[tokio::test]
async fn apps_are_listed_and_one_is_shown_with_its_jobs() {
    let reply = Reply::page(&[app()], None);
    insta::assert_snapshot!(listed(&["apps", "-o", "wide"], "GET /v1/apps?limit=50", reply).await);
    let text = listed(&["app", "etl"], "GET /v1/apps/etl", Reply::ok(&app())).await;
    insta::assert_snapshot!(text);
    let fake = Fake::start([("GET /v1/apps/etl", Reply::ok(&app()))]).await;
    let run = fake.run(&["app", "etl", "-o", "yaml"]).await;
    let found: AppResource = serde_yaml_ng::from_str(&run.out).unwrap();
    assert_eq!(found.jobs.len(), 2);
}

#[tokio::test]
async fn a_name_cannot_write_to_the_terminal() {
    let hostile = TaskResource { display_name: "\u{1b}[2Jgone\nrow".into(), ..queued(1) };
    let text = listed(&["tasks"], "GET /v1/tasks?limit=50", Reply::page(&[hostile], None)).await;
    assert!(text.contains(" [2Jgone row "), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_error() {
    let many: Vec<_> = (1..=900).map(task).collect();
    let fake = Fake::start([("GET /v1/tasks?limit=900", Reply::page(&many, None))]).await;
    let mut command = fake.command(&["tasks", "--limit", "900", "-o", "json"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

fn status(breaches: Vec<BreachResource>, watched: usize) -> StatusResource {
    StatusResource { ok: breaches.is_empty(), at: "2026-01-01T01:00:00Z".parse().unwrap(), watched, breaches }
}

fn breach() -> BreachResource {
    BreachResource {
        job: "etl.nightly".to_owned(),
        kind: "late".to_owned(),
        // In the future, so that its age is none.
        since: "2090-01-01T02:15:00Z".parse().unwrap(),
        task: Some(tekcron::task::TaskId(7)),
        what: "the slot of 2090-01-01T02:00:00Z has not started: task 7 is pending".to_owned(),
        hint: "`tekcron task etl 7` shows what it waits for".to_owned(),
    }
}

#[tokio::test]
async fn the_status_is_a_success_exactly_while_nothing_is_wrong() {
    let told = async |status: StatusResource, args: &[&str]| {
        listed(&[&["status"], args].concat(), "GET /v1/status", Reply::ok(&status)).await
    };
    insta::assert_snapshot!(told(status(vec![], 3), &[]).await, @r"
    ! all that should have run, has run; watched jobs: 3
    [0]
    ");
    insta::assert_snapshot!(told(status(vec![], 0), &[]).await, @r"
    ! no job is watched
    ! hint: `late_after`, `max_since_success` or `max_runtime` in a job has it watched
    [0]
    ");
    insta::assert_snapshot!(told(status(vec![breach()], 3), &[]).await);
    let wide = told(status(vec![breach()], 3), &["-o", "wide"]).await;
    assert!(wide.contains("2090-01-01T02:15:00Z   7\n"), "{wide}");
    insta::assert_snapshot!(told(status(vec![breach()], 3), &["-o", "name"]).await, @r"
    job/etl.nightly
    [1]
    ");
    for format in ["json", "yaml"] {
        let fake = Fake::start([("GET /v1/status", Reply::ok(&status(vec![breach()], 3)))]).await;
        let run = fake.run(&["status", "-o", format]).await;
        let found: StatusResource = serde_yaml_ng::from_str(&run.out).unwrap();
        assert_eq!((found, run.code, run.err.as_str()), (status(vec![breach()], 3), 1, ""), "{format}");
    }
}
