//! The wall clock is stepped while the real binary runs, by libfaketime.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Daemon, Place};

/// A slot every ten minutes; what is missed is caught up.
const APP: &str = r#"
[app]
name = "work"
command = "true"

[[jobs]]
name = "each"
schedule = "*/10 * * * *"
catch_up = "all"
catch_up_window = "100h"
max_catch_up = 1000
"#;

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The library; none where it is not installed, which is said.
fn library() -> Option<PathBuf> {
    let dirs = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = dirs.map(|dir| dir.join(LIBRARY)).find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: libfaketime is not installed, so the wall clock of a real binary is not stepped");
    }
    found
}

/// A daemon whose wall clock is the machine's plus what its file says.
struct Stepped {
    place: Place,
    daemon: Daemon,
}

impl Stepped {
    fn start(library: &Path) -> Self {
        let place = Place::with(&[("work", APP)]);
        let offset = place.path().join("offset");
        fs::write(&offset, "+0").unwrap();
        let daemon = place.serve_with(&[
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]);
        Self { place, daemon }
    }

    /// In place, at once, as a clock is set.
    fn set(&self, offset: &str) {
        let new = self.place.path().join("offset.new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, self.place.path().join("offset")).unwrap();
    }

    /// The nominal instants that were run, newest first.
    fn slots(&self) -> Vec<String> {
        let tasks = self.place.json(&["job-history", "work.each", "--limit", "1000"]);
        let slot = |task: &serde_json::Value| task["scheduled"].as_str().unwrap().to_owned();
        tasks.as_array().unwrap().iter().map(slot).collect()
    }

    fn until_slots(&self, count: usize) -> Vec<String> {
        self.place.until("what was due", || Some(self.slots()).filter(|slots| slots.len() >= count))
    }
}

#[test]
fn hours_forward_are_caught_up_and_hours_back_fire_nothing_again() {
    let Some(library) = library() else { return };
    let stepped = Stepped::start(&library);
    stepped.place.ok(&["run-task", "work", "--wait"]);
    stepped.set("+3h");
    let forward = stepped.until_slots(18);
    stepped.set("+1h");
    stepped.place.until("the step back", || stepped.place.log().contains("was set back").then_some(()));
    stepped.place.ok(&["run-task", "work", "--wait"]);
    assert_eq!(stepped.slots(), forward, "{}", stepped.place.log());
    // Through the same hours once more, and one beyond them.
    stepped.set("+4h");
    let mut all = stepped.until_slots(24);
    all.sort();
    let mut expected: Vec<jiff::Timestamp> = vec![all[0].parse().unwrap()];
    for _ in 1..all.len() {
        expected.push(*expected.last().unwrap() + jiff::SignedDuration::from_mins(10));
    }
    let all: Vec<jiff::Timestamp> = all.iter().map(|slot| slot.parse().unwrap()).collect();
    assert_eq!(all, expected, "each slot once, and none left out");
    assert!(stepped.daemon.terminate().success(), "{}", stepped.place.log());
}
