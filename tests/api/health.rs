//! Alive, ready, measured.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use tekcron::api::{Access, Probes, probes, routes};
use tekcron::config::Config;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::sample;
use crate::world::{Answer, World};

/// Asks the listener of probes, as a kubelet does: by the address of a pod.
async fn probe(world: &World, method: &str, path: &str) -> Answer {
    let listen = "0.0.0.0:7071".parse().unwrap();
    let router = probes(world.service.clone(), listen, world.stop.clone());
    let request = Request::builder().method(method).uri(path).header("host", "10.244.0.7:7071");
    let request = request.header("user-agent", "kube-probe/1.33").body(Body::empty()).unwrap();
    Answer::of(router.oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn probes_are_answered_by_any_name_and_nothing_else_is() {
    let world = World::new();
    for path in ["/livez", "/readyz"] {
        let answer = probe(&world, "GET", path).await;
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{path}");
        assert_eq!(probe(&world, "HEAD", path).await.status, 200);
        let answer = probe(&world, "POST", path).await;
        answer.expect(405, "method-not-allowed", path, "");
    }
    for (method, path, access) in routes() {
        if access != Access::Open {
            probe(&world, method.as_str(), path).await.expect(404, "not-found", path, "");
        }
    }
    for path in ["/", "/livez/", "/readyz?verbose", "/readyz?", "/livez?x", "/readyz/verbose", "/healthz"] {
        probe(&world, "GET", path).await.expect(404, "not-found", "", "");
    }
    world.end().await;
}

#[tokio::test]
async fn a_token_opens_no_more_of_the_probes() {
    let world = World::new();
    let router = probes(world.service.clone(), "0.0.0.0:7071".parse().unwrap(), world.stop.clone());
    for path in ["/metrics", "/v1/apps", "/readyz?verbose"] {
        let request = world.request(axum::http::Method::GET, path).body(Body::empty()).unwrap();
        let answer = Answer::of(router.clone().oneshot(request).await.unwrap()).await;
        answer.expect(404, "not-found", "", "");
    }
    world.end().await;
}

#[tokio::test]
async fn while_the_executor_is_away_the_service_is_ready_for_reads_and_names_the_cause_to_those_it_knows() {
    let world = World::new();
    *world.executor.trouble.lock().unwrap() = Some("watching PipelineRuns: connection refused".to_owned());
    assert_eq!(probe(&world, "GET", "/readyz").await.text(), "ok\n");
    let answer = world.get("/readyz?verbose").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({ "ready": true, "causes": ["watching PipelineRuns: connection refused"] })
    );
    assert_eq!(world.get("/v1/tasks").await.status, 200);
    world.stop.cancel();
    let answer = probe(&world, "GET", "/readyz").await;
    assert_eq!((answer.status, answer.text()), (503, "not ready\n"));
    assert_eq!(probe(&world, "GET", "/livez").await.text(), "ok\n");
    world.end().await;
}

#[tokio::test]
async fn a_crowd_that_says_nothing_keeps_no_probe_from_its_answer_and_no_stop_waiting() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(Probes::new(listener, world.service.clone()).unwrap().run(world.stop.clone()));
    let mut silent = Vec::new();
    for _ in 0..24 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: 10.244.0.7:7071\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    // One that has no place of its own is closed behind its answer.
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    world.stop.cancel();
    served.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    drop(silent);
    world.end().await;
}

#[tokio::test]
async fn a_stopping_service_is_alive_and_not_ready() {
    let world = World::new();
    let bare = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
    assert_eq!(world.send(bare("/readyz")).await.text(), "ok\n");
    assert_eq!(world.get("/readyz?verbose").await.json(), json!({ "ready": true, "causes": [] }));
    world.stop.cancel();
    let answer = world.send(bare("/readyz")).await;
    assert_eq!((answer.status, answer.text()), (503, "not ready\n"));
    let answer = world.get("/readyz?verbose").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "ready": false, "causes": ["the service is stopping"] }));
    assert_eq!(world.send(bare("/livez")).await.text(), "ok\n");
    world.end().await;
}

#[tokio::test]
async fn metrics_hold_what_an_operator_watches() {
    let world = World::new();
    *world.executor.without_room.lock().unwrap() = true;
    world.post("/v1/apps/etl/tasks", "{}").await;
    world.record(&[sample::task("backup", 1, world.now())]).await;
    world.get("/v1/apps/secret-name").await;
    let answer = world.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# TYPE tekcron_tasks_active gauge",
        "tekcron_tasks_active{phase=\"running\"} 0",
        "tekcron_slots_total{outcome=\"skipped\"} 0",
        "tekcron_tasks_total{phase=\"lost\"} 0",
        "# TYPE tekcron_lateness_seconds histogram",
        "tekcron_next_fire_timestamp_seconds 1767495600",
        "tekcron_commit_seconds_bucket",
        "tekcron_commits_total",
        "tekcron_oldest_waiting_seconds",
        "tekcron_http_requests_total{route=\"/v1/apps/{app}\",status=\"404\"}",
    ] {
        assert!(answer.text().contains(line), "{line}\n{}", answer.text());
    }
    assert!(!answer.text().contains("secret-name"), "labels are bounded");
    assert!(!answer.text().contains(&world.token));
    world.end().await;
}

#[tokio::test]
async fn strangers_learn_how_many_promises_are_broken_and_those_who_are_known_which() {
    let app = "[app]\nname = \"etl\"\ncommand = \"true\"\n[[jobs]]\nname = \"private-name\"\nmax_since_success = \"1h\"\n";
    let world = World::with_config(TempDir::new().unwrap(), Config::from_toml("", &[app]).unwrap());
    let bare = || Request::builder().uri("/healthz/schedules").body(Body::empty()).unwrap();
    let status = world.get("/v1/status").await;
    assert_eq!(
        status.json(),
        json!({ "ok": true, "at": "2026-01-01T00:00:00Z", "watched": 1, "breaches": [] })
    );
    assert_eq!(world.send(bare()).await.status, 200);
    world.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(world.send(bare()).await.status, 200, "it is as the last look found it");
    let status = world.get("/v1/status").await;
    assert_eq!(status.status, 200);
    let breach = &status.json()["breaches"][0];
    assert_eq!((&breach["job"], &breach["kind"]), (&json!("etl.private-name"), &json!("no-success")));
    assert_eq!(breach["since"], "2026-01-01T01:00:00Z");
    let numbers =
        json!({ "ok": false, "at": "2026-01-01T01:00:00Z", "watched": 1, "broken": 1, "breaches": null });
    for answer in [world.send(bare()).await, probe(&world, "GET", "/healthz/schedules").await] {
        assert_eq!((answer.status, answer.json()), (503, numbers.clone()));
    }
    probe(&world, "GET", "/healthz/schedules?verbose").await.expect(404, "not-found", "", "");
    let known = world.get("/healthz/schedules?verbose").await;
    assert_eq!((known.status, &known.json()["breaches"][0]), (503, breach));
    world.end().await;
}
