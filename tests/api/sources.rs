//! Sources that arrive, or do not.

use std::io;

use axum::body::Body;
use axum::http::Method;
use futures::StreamExt;

use crate::world::World;

const SOURCE: &str = "/v1/sources/00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";

/// Time goes on where everybody waits.
#[tokio::test(start_paused = true)]
async fn one_that_stalls_is_given_up_and_what_came_of_it_stays() {
    let world = World::new();
    let begun = futures::stream::iter([Ok::<_, io::Error>("x".repeat(100_000))]);
    let body = Body::from_stream(begun.chain(futures::stream::pending()));
    let request = world.request(Method::PUT, SOURCE).body(body).unwrap();
    let words = "expected 65536 bytes more of the source, beyond byte 100000, within 30 seconds";
    world.send(request).await.expect(408, "request-timeout", words, "goes on behind it");
    let there = world.get(SOURCE).await.json();
    assert_eq!((&there["received"], &there["complete"]), (&100_000.into(), &false.into()));
    world.end().await;
}

#[tokio::test]
async fn one_that_begins_in_the_middle_leaves_nothing() {
    let world = World::new();
    let answer = world.put(&format!("{SOURCE}?offset=5"), "x").await;
    assert_eq!((answer.status, &answer.json()["received"]), (409, &0.into()), "{answer:?}");
    let kept = std::fs::read_dir(world.dir.path().join("sources")).unwrap();
    assert_eq!(kept.count(), 0);
    world.end().await;
}
