//! Writes and syncs of the store that fail, as on a disk that breaks.

use crate::harness::{Daemon, Place};
use crate::power::trace::{can_trace, traced};
use crate::wire::get;

const APP: &str = r#"
[app]
name = "work"
command = "true"

[[jobs]]
name = "yearly"
schedule = "0 0 1 1 *"
"#;

/// A daemon whose calls on the store's data file do as `inject` says.
fn hurt(place: &Place, inject: &str) -> Daemon {
    // Made before anything fails, by a daemon that is not looked at.
    assert!(place.serve().terminate().success());
    let store = place.path().join("data/store/db");
    let log = place.path().join("calls");
    traced(place, &log, &["-P", store.to_str().unwrap(), "-e", &format!("inject={inject}")])
}

/// Does one thing after another until the daemon ends, whose calls on the store's data file fail as `inject` says:
/// the call is never asked again as if nothing had been. Returns how many things it acknowledged.
fn works_until_it_fails(place: &Place, inject: &str, mut work: impl FnMut(usize) -> bool) -> usize {
    let daemon = hurt(place, inject);
    let mut acknowledged = 0;
    // A call of its start may be the one that fails.
    if daemon.line().is_some() {
        while work(acknowledged) {
            acknowledged += 1;
        }
    }
    assert!(!daemon.ended().success(), "{inject}: {}", place.log());
    let said = place.log();
    assert!(said.contains("Input/output error"), "{inject}: {said}");
    println!("{inject}: {acknowledged} acknowledged before");
    acknowledged
}

/// Tasks that were acknowledged are there after the `pass`th call of its kind has failed.
fn fails_once(call: &str, pass: u32) {
    let place = Place::with(&[("work", APP)]);
    let name = |number: usize| format!("hand-{number}");
    let taken = works_until_it_fails(&place, &format!("{call}:error=EIO:when={pass}"), |number| {
        place.run(&["run-task", "work", "--name", &name(number)]).status.success()
    });
    let daemon = place.serve();
    let tasks = place.json(&["tasks", "work"]);
    let there: Vec<_> = tasks.as_array().unwrap().iter().map(|task| &task["display_name"]).collect();
    for name in (0..taken).map(name) {
        assert_eq!(there.iter().filter(|there| ***there == *name).count(), 1, "{call}:{pass}: {name}");
    }
    assert!(daemon.terminate().success());
}

#[test]
fn a_sync_that_fails_once_ends_the_daemon_with_its_words_and_loses_nothing_acknowledged() {
    if can_trace() {
        [1, 2, 6, 15].into_iter().for_each(|pass| fails_once("fdatasync", pass));
    }
}

#[test]
fn a_write_that_fails_once_ends_the_daemon_with_its_words_and_loses_nothing_acknowledged() {
    if can_trace() {
        [2, 7, 16].into_iter().for_each(|pass| fails_once("pwrite64", pass));
    }
}

/// A batch is two writes. That the first has failed, sled tells nobody who waits already: one of some of these, since one
/// change comes after another, and the disk takes its time to fail.
#[test]
fn a_write_that_fails_slowly_ends_the_daemon_as_well() {
    if !can_trace() {
        return;
    }
    for pass in 3..15 {
        let place = Place::with(&[("work", APP)]);
        let note = |number: usize| number.is_multiple_of(2).then(|| format!("note {number}"));
        let inject = format!("pwrite64:error=EIO:delay_enter=100ms:when={pass}");
        let taken = works_until_it_fails(&place, &inject, |number| {
            let done = match note(number) {
                Some(note) => place.run(&["pause", "yearly", "--note", &note]),
                None => place.run(&["resume", "yearly"]),
            };
            done.status.success()
        });
        let daemon = place.serve();
        let is = place.json(&["job", "yearly"])["paused"]["note"].as_str().map(str::to_owned);
        // What nobody was told of may be there too.
        let before = taken.checked_sub(1).and_then(note);
        assert!(is == before || is == note(taken), "{pass}: {is:?} after {taken}");
        assert!(daemon.terminate().success());
    }
}

#[test]
fn a_disk_that_takes_its_time_is_told_of_and_all_is_acknowledged_when_it_goes_on() {
    if !can_trace() {
        return;
    }
    let place = Place::with(&[("work", APP)]);
    let daemon = hurt(&place, "fdatasync:delay_enter=15s:when=5");
    assert!(daemon.line().is_some(), "{}", place.log());
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| (0..8).all(|_| place.run(&["run-task", "work"]).status.success()));
        place.until("the disk is told of", || {
            // What is there can be read meanwhile.
            place.json(&["tasks", "work"]);
            place.log().contains("the disk has not taken a write").then_some(())
        });
        let (status, said) = get(&place, "/readyz?verbose");
        let cause = said["causes"][0].as_str().unwrap_or_default();
        assert!(status == 503 && cause.starts_with("the disk has not taken a write for "), "{status} {said}");
        assert!(asked.join().unwrap(), "{}", place.log());
    });
    assert_eq!(get(&place, "/readyz?verbose").0, 200);
    place.until("it goes on", || {
        let tasks = place.json(&["tasks", "work"]);
        assert_eq!(tasks.as_array().unwrap().len(), 8);
        place.log().contains("the disk has answered").then_some(())
    });
    assert!(daemon.terminate().success());
}
