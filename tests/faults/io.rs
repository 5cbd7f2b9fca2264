//! Writes and syncs of the store that fail, as on a disk that breaks.

use crate::harness::Place;
use crate::power::trace::{can_trace, traced};

const APP: &str = "[app]\nname = \"work\"\ncommand = \"true\"\n";

/// Makes one call on the store's data file fail, the `pass`th of its kind, and every other work: it is
/// never asked again as if nothing had been, and what was acknowledged is there afterwards.
fn fails_once(call: &str, pass: u32) {
    if !can_trace() {
        return;
    }
    let place = Place::with(&[("work", APP)]);
    // Made before anything fails, by a daemon that is not looked at.
    assert!(place.serve().terminate().success());
    let store = place.path().join("data/store/db");
    let inject = format!("inject={call}:error=EIO:when={pass}");
    let log = place.path().join("calls");
    let daemon = traced(&place, &log, &["-P", store.to_str().unwrap(), "-e", &inject]);
    // A call of its start may be the one that fails.
    let mut started = daemon.line().is_some();
    let mut taken = Vec::new();
    while started {
        let name = format!("hand-{}", taken.len());
        match place.run(&["run-task", "work", "--name", &name]).status.success() {
            true => taken.push(name),
            false => started = false,
        }
    }
    assert!(!daemon.ended().success(), "{call}:{pass}: {}", place.log());
    let said = place.log();
    assert!(said.contains("Input/output error"), "{call}:{pass}: {said}");
    let daemon = place.serve();
    let tasks = place.json(&["tasks", "work"]);
    let there: Vec<_> = tasks.as_array().unwrap().iter().map(|task| &task["display_name"]).collect();
    for name in &taken {
        assert_eq!(there.iter().filter(|there| **there == name).count(), 1, "{call}:{pass}: {name}");
    }
    assert!(daemon.terminate().success());
    println!("{call}:{pass}: {} acknowledged before, all there", taken.len());
}

#[test]
fn a_sync_that_fails_once_ends_the_daemon_with_its_words_and_loses_nothing_acknowledged() {
    for pass in [1, 2, 6, 15] {
        fails_once("fdatasync", pass);
    }
}

#[test]
fn a_write_that_fails_once_ends_the_daemon_with_its_words_and_loses_nothing_acknowledged() {
    for pass in [2, 7, 16] {
        fails_once("pwrite64", pass);
    }
}
