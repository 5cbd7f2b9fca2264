//! What somebody sends by hand to see what happens.

use crate::sample;
use crate::world::World;

const RUN: &str = "/v1/apps/etl/tasks";
const ELSEWHERE: &str = "../../etc/passwd";
const ELSEWHERE_ENCODED: &str = "..%2F..%2Fetc%2Fpasswd";

#[tokio::test]
async fn a_command_or_variable_that_no_process_can_have_is_refused() {
    let world = World::new();
    for (body, expected) in [
        (r#"{"command": "a\u0000b"}"#, "`command`: expected text, found a NUL byte"),
        (r#"{"command": ["sh", "\u0000"]}"#, "`command`: expected text, found a NUL byte"),
        (r#"{"env": {"A=B": "c"}}"#, "`env`: expected a name of letters"),
        (r#"{"env": {"=": ""}}"#, "`env`: expected a name of letters"),
        (r#"{"env": {"A\u0000": ""}}"#, "`env`: expected a name of letters"),
        (r#"{"env": {"ПЕРЕМЕННАЯ": ""}}"#, "`env`: expected a name of letters"),
        (r#"{"env": {"A": "\u0000"}}"#, "`env`: the value of `A` holds a NUL byte"),
        (r#"{"display_name": "a\u0000b"}"#, "`display_name`: expected"),
        (r#"{"display_name": "\ud800"}"#, "the body is not JSON"),
    ] {
        world.post(RUN, body).await.expect(400, "bad-request", expected, "");
    }
    assert_eq!(world.get(RUN).await.json()["items"].as_array().unwrap().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_command_of_a_megabyte_is_kept_as_it_is_and_not_shown_in_listings() {
    let world = World::new();
    let line = "x".repeat(1_000_000);
    let answer = world.post(RUN, &format!(r#"{{"command": "{line}"}}"#)).await;
    assert_eq!(answer.status, 201);
    let task = world.store.task(&"etl".parse().unwrap(), tekcron::task::TaskId(1)).unwrap().unwrap();
    assert_eq!(task.overrides.command.unwrap().to_string(), line);
    assert!(world.get("/v1/tasks").await.body.len() < 10_000);
    world.end().await;
}

#[tokio::test]
async fn names_in_other_scripts_are_shown_where_people_read_them_and_not_found_elsewhere() {
    let world = World::new();
    for name in ["夜間バッチ", "ночной отчёт", "تقرير", "é́́", "👩‍👩‍👧"] {
        let answer = world.post(RUN, &serde_json::json!({ "display_name": name }).to_string()).await;
        assert_eq!((answer.status, answer.json()["display_name"].as_str()), (201, Some(name)));
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in ["apps", "jobs", "tasks"] {
            let answer = world.get(&format!("/v1/{path}/{encoded}")).await;
            answer.expect(404, "not-found", &format!("`{name}`"), "");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_path_to_elsewhere_leads_nowhere_in_any_field() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    for path in [
        "/v1/apps/X",
        "/v1/apps/X/tasks",
        "/v1/apps/X/tasks/1",
        "/v1/apps/X/tasks/1/logs",
        "/v1/apps/etl/tasks/X",
        "/v1/apps/etl/tasks/X/logs",
        "/v1/jobs/X",
        "/v1/jobs/X/tasks",
        "/v1/jobs/X/slots",
        "/v1/tasks/X",
        "/v1/tasks?cursor=X",
        "/v1/tasks?phase=X",
        "/v1/tasks?limit=X",
        "/v1/jobs?app=X",
        "/v1/jobs/etl.nightly/slots?from=X",
        "/v1/apps/etl/tasks/1?wait=X",
        "/v1/apps/etl/tasks/1/logs?tail=X",
        "/v1/apps/etl/tasks/1/logs?follow=X",
    ] {
        for elsewhere in [ELSEWHERE_ENCODED, "%00", "..%00", "%2e%2e"] {
            let answer = world.get(&path.replace('X', elsewhere)).await;
            let (status, code, ..) = answer.error();
            assert!(
                [(400, "bad-request"), (404, "not-found")].contains(&(status, code.as_str())),
                "{path}: {answer:?}"
            );
        }
    }
    for field in ["cpu", "memory", "disk", "timeout", "overlap"] {
        let body = serde_json::json!({ field: ELSEWHERE }).to_string();
        world.post(RUN, &body).await.expect(400, "bad-request", &format!("`{field}`: expected"), "");
    }
    let body = serde_json::json!({ "env": { ELSEWHERE: "x" } }).to_string();
    world.post(RUN, &body).await.expect(400, "bad-request", "`env`: expected a name", "");
    // These are texts, and no names of files are made of them.
    let body =
        serde_json::json!({ "display_name": ELSEWHERE, "command": ELSEWHERE, "env": { "A": ELSEWHERE } });
    let answer = world.post_keyed(RUN, ELSEWHERE, &body.to_string()).await;
    assert_eq!(answer.status, 201);
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    assert!(
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
        "{name}"
    );
    world.end().await;
}

#[tokio::test]
async fn the_first_and_the_last_years_are_times_and_what_is_beyond_them_is_not() {
    let world = World::new();
    let slots = "/v1/jobs/etl.nightly/slots";
    for range in [
        "from=0001-01-01T00:00:00Z&to=9999-12-30T22:00:00Z",
        "from=-009999-01-03T00:00:00Z",
        "to=0001-01-01T00:00:00Z",
        "from=9999-12-30T22:00:00.999999999Z",
    ] {
        let answer = world.get(&format!("{slots}?{range}")).await;
        assert_eq!(answer.status, 200, "{range}: {answer:?}");
    }
    for time in
        ["10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T25:00:00Z", "-1", ""]
    {
        let answer = world.get(&format!("{slots}?from={time}")).await;
        answer.expect(
            400,
            "bad-request",
            &format!("`from`: expected a time as in `2026-01-01T00:00:00Z`, found `{time}`"),
            "",
        );
    }
    world.end().await;
}
