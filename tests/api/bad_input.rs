//! What is wrong gets a clear error and changes nothing.

use axum::body::Body;
use axum::http::Method;

use crate::executor::Logs;
use crate::sample;
use crate::world::World;

const RUN: &str = "/v1/apps/etl/tasks";

#[tokio::test]
async fn a_wrong_body_is_refused_with_its_place_or_its_field_and_claims_nothing() {
    let world = World::new();
    for (body, expected) in [
        ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
        ("{\n  \"command\": nope\n}", "at line 2 column 1"),
        ("[]", "expected an object, found an array"),
        ("7", "the body is wrong: expected an object, found the integer `7` at line 1 column 1"),
        ("null", "the body is wrong: expected an object, found null"),
        ("{\"memory\": 512}", "`memory`: expected a string, found the integer `512` at line 1 column 14"),
        ("{\"env\": {\"A\": 3}}", "`env.A`: expected a string, found the integer `3`"),
        ("{\"env\": []}", "`env`: expected an object, found an array"),
        ("{\"comand\": \"true\"}", "unknown field `comand`, expected one of `command`"),
        ("{\"command\": 7}", "expected a shell line or an array of words"),
        ("{\"command\": \"true\", \"command\": \"false\"}", "duplicate field `command`"),
        ("{} {}", "trailing characters at line 1 column 4"),
        ("{\"memory\": \"512\"}", "`memory`: expected a unit"),
        ("{\"memory\": \"-256M\"}", "`memory`: expected"),
        ("{\"cpu\": \"1e9\"}", "`cpu`: expected cores"),
        ("{\"cpu\": \"2000\"}", "`cpu`: expected between"),
        ("{\"disk\": \"99999Ti\"}", "`disk`: expected between"),
        ("{\"timeout\": \"-1s\"}", "`timeout`: expected between"),
        ("{\"overlap\": \"maybe\"}", "`overlap`: expected one of"),
        ("{\"env\": {\"\": \"x\"}}", "`env`: expected a name"),
        ("{\"display_name\": \"a\\nb\"}", "`display_name`: expected"),
        ("{\"command\": []}", "`command`: expected"),
    ] {
        let answer = world.post(RUN, body).await;
        answer.expect(400, "bad-request", expected, "");
    }
    for key in ["", " ", "a b", &"k".repeat(201)] {
        world.post_keyed(RUN, key, "{}").await.expect(
            400,
            "bad-request",
            "`Idempotency-Key` of 1 to 200",
            "",
        );
    }
    assert_eq!(world.get(RUN).await.json()["items"].as_array().unwrap().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_terminate_takes_no_body_or_an_empty_one() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    for path in ["/v1/apps/etl/tasks/1/terminate", "/v1/tasks/etl/terminate"] {
        world.post(path, r#"{"x": 1}"#).await.expect(400, "bad-request", "unknown field `x`", "");
        world.post(path, "{").await.expect(400, "bad-request", "the body is not JSON", "");
    }
    for body in ["", "{}", " {}\n"] {
        assert_eq!(world.post("/v1/apps/etl/tasks/1/terminate", body).await.status, 200, "{body:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_body_larger_than_the_limit_is_413_with_or_without_a_length() {
    let world = World::new();
    let large = format!("{{\"command\": \"{}\"}}", "x".repeat(1 << 20));
    world.post(RUN, &large).await.expect(413, "too-large", "at most 1 MiB", "");
    let chunks = large
        .into_bytes()
        .chunks(1 << 16)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
        .collect::<Vec<_>>();
    let body = Body::from_stream(futures::stream::iter(chunks));
    let request = world.request(Method::POST, RUN).body(body).unwrap();
    world.send(request).await.expect(413, "too-large", "at most 1 MiB", "");
    let fits = format!("{{\"env\": {{\"A\": \"{}\"}}}}", "x".repeat((1 << 20) - 100));
    assert_eq!(world.post(RUN, &fits).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_query_is_refused() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    for (path, expected) in [
        ("/v1/apps?limit=0", "the query is wrong: `limit`: expected a number from 1 to 1000, found `0`"),
        ("/v1/tasks?limit=-5", "found `-5`"),
        ("/v1/tasks?limit=99999999999999999999", "expected a number from 1 to 1000"),
        ("/v1/tasks?phase=done", "the query is wrong: `phase`: expected one of `queued`, `pending`"),
        ("/v1/tasks?colour=red", "the query is wrong: unknown field `colour`"),
        ("/v1/apps/etl?x=1", "expected none, found `x=1`"),
        ("/v1/tasks?limit=1&limit=2", "duplicate field `limit`"),
        ("/v1/tasks?cursor=AAAA", "cursor"),
        ("/v1/apps/etl/tasks/1?wait=61", "expected seconds from 0 to 60, found `61`"),
        ("/v1/apps/etl/tasks/1?wait=-1", "expected seconds from 0 to 60"),
        ("/v1/apps/etl/tasks/1/logs?tail=-1", "expected a number of lines, found `-1`"),
        ("/v1/apps/etl/tasks/1/logs?follow=perhaps", "`follow`: expected `true` or `false`, found `perhaps`"),
        (
            "/v1/jobs/weekly/slots?from=yesterday",
            "`from`: expected a time as in `2026-01-01T00:00:00Z`, found `yesterday`",
        ),
        (
            "/v1/jobs/weekly/slots?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            "expected `from` before `to`",
        ),
        ("/readyz?quiet", "unknown field `quiet`"),
    ] {
        world.get(path).await.expect(400, "bad-request", expected, "");
    }
    world.end().await;
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_told_in_the_envelope() {
    let world = World::new();
    world.get("/v1/aps").await.expect(404, "not-found", "there is no `/v1/aps`", "docs/api.md");
    let request = world.request(Method::DELETE, "/v1/apps/etl/tasks/1").body(Body::empty()).unwrap();
    let answer = world.send(request).await;
    answer.expect(405, "method-not-allowed", "does not take `DELETE`", "");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    world.get("/v1/apps/%FF/tasks").await.expect(400, "bad-request", "the path is wrong: expected UTF-8", "");
    world.end().await;
}

#[tokio::test]
async fn an_app_without_any_command_is_told_before_anything_is_claimed() {
    let world = World::new();
    let answer = world.post("/v1/apps/idle/tasks", "").await;
    answer.expect(422, "no-command", "App `idle` has no start command", "`command`");
    assert_eq!(world.post("/v1/apps/idle/tasks", r#"{"command": ["true"]}"#).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_request_that_panics_or_whose_executor_fails_is_an_internal_error_and_the_next_one_is_served() {
    let world = World::new();
    world.record(&[sample::task("etl", 1, world.now())]).await;
    *world.executor.logs.lock().unwrap() = Logs::Panic;
    let answer = world.get("/v1/apps/etl/tasks/1/logs").await;
    answer.expect(500, "internal", "the request failed", "a defect of tekcron");
    assert!(!answer.text().contains("as told"), "the panic's own words stay in the log");
    *world.executor.logs.lock().unwrap() = Logs::Broken;
    world.get("/v1/apps/etl/tasks/1/logs").await.expect(500, "internal", "failed: gone", "");
    assert_eq!(world.get("/v1/apps").await.status, 200);
    world.end().await;
}
