//! Killed at the places where it hurts most, then started again.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::account::settle;
use crate::harness::Place;
use crate::world;

/// Few are kept, so that retention has something to do.
const KEEP: usize = 12;

/// Runs until it is killed the `pass`th time that it comes by `point`, starts again, and accounts.
fn killed_at(point: &str, pass: u32, stir: impl Fn(&Place)) {
    let app = world::app(0, KEEP);
    let place = Place::with(&[("tick", &app)]);
    stir_until_killed(&place, point, pass, stir);
    let daemon = place.serve();
    let log = place.path().join("data/state/tick/runs");
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let before = lines();
    place.until("runs after the restart", || (lines() > before + 8).then_some(()));
    println!("{point}:{pass}: {:?}", settle(&place, daemon, &app, &[]));
}

fn stir_until_killed(place: &Place, point: &str, pass: u32, stir: impl Fn(&Place)) {
    let daemon = place.spawn(&[("TEKCRON_FAULT", &format!("{point}:{pass}"))]);
    stir(place);
    let ended = daemon.ended();
    assert_eq!(ended.signal(), Some(Signal::KILL.as_raw()), "{point}: {ended}\n{}", place.log());
}

fn nothing(_: &Place) {}

/// The configuration changes as soon as there is a store.
fn edit(place: &Place) {
    let store = place.path().join("data/address");
    place.until("a daemon", || store.exists().then_some(()));
    place.write_app("tick", &world::app(1, KEEP));
    place.until("its end", || (!place.run(&["reload"]).status.success()).then_some(()));
    place.write_app("tick", &world::app(0, KEEP));
}

macro_rules! points {
    ($($test:ident: $point:literal at $($pass:literal),+ with $stir:expr;)+) => {$(
        #[test]
        fn $test() {
            $(killed_at($point, $pass, $stir);)+
        }
    )+};
}

points! {
    in_the_first_creation_of_the_directory: "store-directory" at 1 with nothing;
    in_the_first_creation_of_the_tree: "store-opened" at 1 with nothing;
    after_the_format_was_written: "store-format" at 1 with nothing;
    before_the_format_was_noted: "store-rename" at 1 with nothing;
    after_the_store_was_made: "store-ready" at 1 with nothing;
    in_a_claim: "claim" at 2, 5 with nothing;
    before_a_commit: "commit" at 1, 4, 30 with nothing;
    between_commit_and_sync: "commit-applied" at 1, 4, 30 with nothing;
    before_a_commit_was_acknowledged: "commit-durable" at 2, 5, 30 with nothing;
    between_claim_and_submit: "claimed" at 1, 6 with nothing;
    before_a_supervisor_has_its_request: "shim-spawned" at 1, 9 with nothing;
    after_a_supervisor_took_its_task: "shim-created" at 1, 9 with nothing;
    between_submit_and_confirm: "submitted" at 1, 9 with nothing;
    after_a_confirm: "confirmed" at 1, 9 with nothing;
    before_an_end_is_recorded: "finish" at 1, 9 with nothing;
    in_a_reload: "reload" at 1 with edit;
    after_a_reload_was_sent: "reload-sent" at 1 with edit;
    after_a_reload: "reloaded" at 1 with edit;
    after_a_sweep_removed_a_directory: "sweep-deleted" at 1, 5 with nothing;
    before_a_sweep_removes_records: "sweep-records" at 1, 2 with nothing;
}

#[test]
fn in_a_recovery_from_an_earlier_kill() {
    for point in ["recover", "recovered", "store-opened", "store-ready"] {
        let app = world::app(0, KEEP);
        let place = Place::with(&[("tick", &app)]);
        stir_until_killed(&place, "claimed", 3, nothing);
        stir_until_killed(&place, point, 1, nothing);
        println!("{point}: {:?}", settle(&place, place.serve(), &app, &[]));
    }
}
