//! Killed in the middle of a push, at each place where it hurts: the next start brings the revision on, and it is built
//! once.

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::Place;
use crate::wire::{ask, get, send, settled, source};

const FILES: &[(&str, &str)] = &[("word", "one")];

/// What was acknowledged of a push before the daemon was gone.
fn push(place: &Place) -> Option<Value> {
    let (hash, tar) = source(FILES);
    let path = format!("/v1/sources/{hash}");
    if ask(place, "GET", &path, b"")?.1["complete"] != true {
        ask(place, "PUT", &path, &tar)?;
    }
    let body = json!({
        "source": hash,
        "app": { "command": "cat word built" },
        "build": { "command": "echo built >> built" },
    });
    let (status, revision) = ask(place, "POST", "/v1/apps/web/push", body.to_string().as_bytes())?;
    assert_eq!(status, 202, "{revision}");
    Some(revision)
}

fn killed_at(point: &str, pass: u32) {
    let place = Place::with(&[("filed", "[app]\nname = \"filed\"\ncommand = \"true\"\n")]);
    let daemon = place.serve_with(&[("TEKCRON_FAULT", &format!("{point}:{pass}"))]);
    let acknowledged = push(&place);
    let ended = daemon.ended();
    assert_eq!(ended.signal(), Some(Signal::KILL.as_raw()), "{point}: {ended}\n{}", place.log());
    let _daemon = place.serve();
    let (status, _) = get(&place, "/v1/apps/web/revisions/1");
    assert!(status == 200 || acknowledged.is_none(), "{point}: an acknowledged revision is gone");
    if status != 200 {
        send(&place, FILES);
        push(&place).unwrap();
    }
    let revision = settled(&place, "web", 1);
    assert_eq!(
        (&revision["state"], &revision["current"]),
        (&json!("ready"), &json!(true)),
        "{point}: {revision}"
    );
    let tasks = place.json(&["tasks", "web"]);
    let builds = tasks.as_array().unwrap().iter().filter(|task| task["trigger"] == "build").count();
    assert_eq!(builds, 1, "{point}: {tasks}");
    assert_eq!(revision["build_task"], tasks[0]["id"], "{point}");
    assert_eq!(place.ok(&["run-task", "web", "--follow"]).lines().next(), Some("onebuilt"), "{point}");
    println!("{point}:{pass}: acknowledged {}, on disk {}", acknowledged.is_some(), status == 200);
}

macro_rules! points {
    ($($test:ident: $point:literal at $pass:literal;)+) => {$(
        #[test]
        fn $test() {
            killed_at($point, $pass);
        }
    )+};
}

points! {
    before_a_source_is_checked: "source-received" at 1;
    after_a_source_got_its_name: "source-kept" at 1;
    after_a_revision_is_on_disk: "edited" at 1;
    before_it_is_begun: "revision-made" at 1;
    after_it_is_unpacked: "revision-unpacked" at 1;
    after_its_build_is_claimed: "claimed" at 1;
    after_its_build_has_a_supervisor: "shim-created" at 1;
    before_its_build_is_noted: "build-claimed" at 1;
    after_its_build_is_noted: "edited" at 2;
    after_its_build_has_ended: "build-ended" at 1;
    before_it_is_settled: "revision-decided" at 1;
    after_it_is_settled: "revision-settled" at 1;
}
