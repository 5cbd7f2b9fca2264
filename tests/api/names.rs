//! What does not exist is answered with what is near; what is ambiguous with the candidates.

use serde_json::json;

use crate::sample;
use crate::world::World;

#[tokio::test]
async fn the_nearest_name_is_in_the_hint() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    let task = sample::task("etl", 1, world.now()).name.to_string();
    let mistyped = format!("{}x", &task[..task.len() - 1]);
    for (path, message, hint) in [
        ("/v1/apps/etk", "App `etk` does not exist", "did you mean `etl`?"),
        ("/v1/apps/ETL", "App `ETL` does not exist", "did you mean `etl`?"),
        ("/v1/apps/bakcup/tasks", "App `bakcup`", "did you mean `backup`?"),
        ("/v1/apps/bakcup/tasks/1", "App `bakcup`", "did you mean `backup`?"),
        ("/v1/jobs?app=etk", "App `etk`", "did you mean `etl`?"),
        ("/v1/jobs/etl.nightlyy", "job `etl.nightlyy` does not exist", "did you mean `etl.nightly`?"),
        ("/v1/jobs/weakly/tasks", "job `weakly`", "did you mean `weekly`?"),
        ("/v1/jobs/etl.weekly/slots", "job `etl.weekly`", "did you mean `"),
        (&format!("/v1/tasks/{mistyped}"), "does not exist", &format!("did you mean `{task}`?")),
    ] {
        world.get(path).await.expect(404, "not-found", message, hint);
    }
    world.post("/v1/apps/etk/tasks", "{}").await.expect(404, "not-found", "`etk`", "`etl`");
    world.post("/v1/jobs/weakly/tasks", "{}").await.expect(404, "not-found", "`weakly`", "`weekly`");
    assert_eq!(world.get("/v1/apps/zzzz").await.error().3, "", "nothing is near");
    world.end().await;
}

#[tokio::test]
async fn a_job_is_named_alone_where_that_is_unique_and_else_the_candidates_are_told() {
    let world = World::new();
    assert_eq!(world.get("/v1/jobs/weekly").await.json()["name"], "backup.weekly");
    assert_eq!(world.get("/v1/jobs/etl.nightly").await.json()["name"], "etl.nightly");
    let answer = world.get("/v1/jobs/nightly").await;
    answer.expect(409, "ambiguous", "`backup.nightly`, `etl.nightly`", "`APP.JOB`");
    world.end().await;
}

#[tokio::test]
async fn an_id_of_another_app_says_whose_it_is() {
    let world = World::new();
    world.record(&[sample::task("etl", 7, world.now()), sample::task("backup", 2, world.now())]).await;
    let message = "task 7 of App `backup` does not exist";
    let hint = "task 7 belongs to App `etl`";
    world.get("/v1/apps/backup/tasks/7").await.expect(404, "not-found", message, hint);
    world.post("/v1/apps/backup/tasks/7/terminate", "").await.expect(404, "not-found", message, hint);
    world.get("/v1/apps/backup/tasks/7/logs").await.expect(404, "not-found", message, hint);
    world.get("/v1/apps/etl/tasks/5").await.expect(404, "not-found", "", "removed by retention");
    world.get("/v1/apps/etl/tasks/9").await.expect(404, "not-found", "", "newest task of App `etl` is 7");
    world.get("/v1/apps/idle/tasks/9").await.expect(404, "not-found", "", "has no task yet");
    for id in ["x", "-1", "1.5", "99999999999999999999", "etl-abc"] {
        let answer = world.get(&format!("/v1/apps/etl/tasks/{id}")).await;
        answer.expect(400, "bad-request", &format!("found `{id}`"), "/v1/tasks/NAME");
    }
    world.end().await;
}

#[tokio::test]
async fn tasks_of_an_app_that_is_no_longer_configured_are_still_found() {
    let world = World::new();
    let task = sample::task("gone", 3, world.now());
    world.record(std::slice::from_ref(&task)).await;
    for path in ["/v1/tasks", "/v1/apps/gone/tasks"] {
        assert_eq!(world.get(path).await.json()["items"][0]["id"], 3, "{path}");
    }
    assert_eq!(world.get("/v1/apps/gone/tasks/3").await.status, 200);
    assert_eq!(world.get(&format!("/v1/tasks/{}", task.name)).await.json()["app"], "gone");
    world.get("/v1/apps/gone").await.expect(404, "not-found", "`gone`", "");
    world.end().await;
}

#[tokio::test]
async fn tasks_of_a_job_that_is_no_longer_configured_are_still_found_by_its_whole_name() {
    let world = World::new();
    let mut task = sample::task("etl", 3, world.now());
    task.job = Some("removed".parse().unwrap());
    world.record(&[task, sample::task("etl", 4, world.now())]).await;
    let items = world.get("/v1/jobs/etl.removed/tasks").await.json()["items"].clone();
    assert_eq!((items[0]["id"].as_u64(), items.as_array().unwrap().len()), (Some(3), 1));
    for other in ["/v1/jobs/removed/tasks", "/v1/jobs/backup.removed/tasks", "/v1/jobs/etl.removed"] {
        world.get(other).await.expect(404, "not-found", "does not exist", "");
    }
    world.end().await;
}

#[tokio::test]
async fn an_app_in_the_place_of_a_task_or_job_is_answered_with_what_is_missing() {
    let world = World::new();
    world.record(&[sample::task("etl", 7, world.now()), sample::task("gone", 2, world.now())]).await;
    let of = |app, task| format!("`{app}` is an App: give the ID of its task too, as in `{task}`");
    for (app, task) in [("etl", "etl 7"), ("gone", "gone 2"), ("idle", "idle 1")] {
        let (path, message) = (format!("/v1/tasks/{app}"), format!("task `{app}` does not exist"));
        world.get(&path).await.expect(404, "not-found", &message, &of(app, task));
        let path = format!("{path}/terminate");
        world.post(&path, "").await.expect(404, "not-found", &message, &of(app, task));
    }
    for (app, hint) in [
        ("etl", "`etl` is an App: its job is `etl.nightly`"),
        ("backup", "`backup` is an App: its jobs are `backup.nightly`, `backup.weekly`"),
        ("idle", "`idle` is an App, and has no jobs"),
    ] {
        let (path, message) = (format!("/v1/jobs/{app}/tasks"), format!("job `{app}` does not exist"));
        world.post(&path, "{}").await.expect(404, "not-found", &message, hint);
        world.get(&path).await.expect(404, "not-found", &message, hint);
    }
    world.end().await;
}

#[tokio::test]
async fn an_app_and_a_job_are_shown_with_their_last_task_and_without_values_of_their_env() {
    let world = World::new();
    let mut of_job = sample::task("backup", 1, world.now());
    of_job.job = Some("weekly".parse().unwrap());
    world.record(&[of_job, sample::task("backup", 2, world.now())]).await;
    let app = world.get("/v1/apps/backup").await;
    assert!(!app.text().contains("not-to-be-shown"));
    let app = app.json();
    assert_eq!(app["env"], json!(["STAGE"]));
    assert_eq!(app["memory"], "256Mi");
    assert_eq!(app["timeout_seconds"], 3600);
    assert_eq!(app["caveats"], json!(["cpu is not limited here"]));
    assert_eq!(app["last_task"]["id"], 2);
    assert_eq!(app["jobs"][0]["last_task"], json!(null));
    assert_eq!(app["jobs"][1]["last_task"]["id"], 1);
    let job = world.get("/v1/jobs/weekly").await.json();
    assert_eq!(job["last_task"]["job"], "backup.weekly");
    assert_eq!(
        (&job["command"], &job["next"]),
        (&json!("tar cf /tmp/b.tar ."), &json!("2026-01-04T03:00:00Z"))
    );
    let schedule = &job["schedules"][0];
    assert_eq!((&schedule["cron"], &schedule["timezone"]), (&json!("0 3 * * SUN"), &json!("Europe/London")));
    assert_eq!((&schedule["dst"], &schedule["catch_up"]), (&json!("vixie"), &json!("latest")));
    assert_eq!(world.get("/v1/jobs/etl.nightly").await.json()["next"], json!(null));
    world.end().await;
}
