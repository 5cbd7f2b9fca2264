//! What takes too much: too many, too large, too slow; and what is no HTTP.

use std::io;

use axum::body::Body;
use axum::http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sample;
use crate::server::{Running, start};
use crate::world::World;

const RUN: &str = "/v1/apps/etl/tasks";

async fn running(world: &World) -> Running {
    start(world, &sample::settings(world.dir.path())).await.unwrap()
}

/// Sends `bytes` and reads until the server closes.
async fn exchange(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    // A server that has closed already has said why.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// The JSON of the only answer in `text`.
fn envelope(text: &str) -> serde_json::Value {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/json"), "{text}");
    serde_json::from_str(body).unwrap_or_else(|_| panic!("not one answer: {text}"))
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_envelope() {
    let world = World::new();
    let running = running(&world).await;
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let (long, longer) = ("x".repeat(70 << 10), "x".repeat(160 << 10));
    for (request, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "bad-request"),
        ("GET /livez HTTP/9.9\r\n\r\n".to_owned(), 400, "bad-request"),
        ("GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n".to_owned(), 400, "bad-request"),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n".to_owned(), 400, "bad-request"),
        (format!("GET /livez HTTP/1.1\r\n{many}\r\n"), 431, "head-too-large"),
        (format!("GET /livez HTTP/1.1\r\nx: {longer}\r\n\r\n"), 431, "head-too-large"),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), 414, "uri-too-long"),
        (
            "POST /v1/reload HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\n".to_owned(),
            400,
            "bad-request",
        ),
        ("POST /v1/reload HTTP/1.1\r\nContent-Length: +4\r\n\r\n".to_owned(), 400, "bad-request"),
        (
            "POST /v1/reload HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n".to_owned(),
            400,
            "bad-request",
        ),
    ] {
        let answer = exchange(&running, request.as_bytes()).await;
        let shown = &request[..request.len().min(60)];
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
        assert_eq!(envelope(&answer)["error"]["code"], code, "{shown}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_request_hidden_in_the_body_of_another_is_not_answered() {
    let world = World::new();
    let running = running(&world).await;
    let token = &world.token;
    let head = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
    let hidden = format!("POST {RUN} HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n");
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let request = format!("POST /v1/reload HTTP/1.1\r\n{head}{lengths}\r\n0\r\n\r\n{hidden}");
        let answer = exchange(&running, request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(world.get(RUN).await.json()["items"].as_array().unwrap().len(), 0);
    // In order on one connection is no such thing.
    let closing = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(&running, format!("{hidden}{closing}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 20").count(), 2, "{answer}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_silent_or_trickles_is_closed() {
    let world = World::new();
    let running = running(&world).await;
    for begun in ["", "GET /livez HTTP/1.1\r\nHost: loc", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let answer = exchange(&running, begun.as_bytes()).await;
        assert_eq!(answer.ends_with("\r\n\r\nok\n"), begun.ends_with("\r\n\r\n"), "{begun:?}: {answer}");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up_and_nothing_is_claimed() {
    let world = World::new();
    let begun = futures::stream::iter([Ok::<_, io::Error>("{")]);
    let body = Body::from_stream(futures::StreamExt::chain(begun, futures::stream::pending()));
    let request = world.request(Method::POST, RUN).body(body).unwrap();
    world.send(request).await.expect(408, "request-timeout", "within 30 seconds", "");
    assert_eq!(world.get(RUN).await.json()["items"].as_array().unwrap().len(), 0);
    world.end().await;
}

#[tokio::test]
async fn ten_megabytes_are_read_and_dropped_so_that_the_refusal_is_heard() {
    let world = World::new();
    let running = running(&world).await;
    let head = format!("POST {RUN} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n", world.token);
    let large = "x".repeat(10 << 20);
    let closing = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{large}{closing}", large.len());
    let answer = exchange(&running, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    // Who asks before sending is told at once.
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let request = format!("{head}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", large.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(envelope(&answer)["error"]["code"], "too-large");
    world.end().await;
}

#[tokio::test]
async fn more_followers_and_long_polls_than_may_wait_are_told_to_come_back_and_others_are_served() {
    let world = World::new();
    *world.executor.without_room.lock().unwrap() = true;
    assert_eq!(world.post(RUN, "").await.status, 201);
    let mut refused = Vec::new();
    let waiting: Vec<_> = (0..2000).map(|_| world.begin("/v1/apps/etl/tasks/1?wait=60")).collect();
    let followed = world.begin("/v1/apps/etl/tasks/1/logs?follow=true");
    world.until("a follower is refused", || followed.is_finished()).await;
    refused.push(followed.await.unwrap());
    assert_eq!(world.get("/v1/apps/etl/tasks/1").await.status, 200);
    world.stop.cancel();
    for answer in waiting {
        let answer = answer.await.unwrap();
        if answer.status != 200 {
            refused.push(answer);
        }
    }
    assert!(refused.len() > 1000, "{}", refused.len());
    for answer in refused {
        answer.expect(503, "busy", "wait for tasks or follow logs", "ask again");
        assert_eq!(answer.header("retry-after"), "1");
    }
    world.end().await;
}
