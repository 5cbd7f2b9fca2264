//! Files in the config directory that nobody should wait for.

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::harness::Place;

const APP: &str = "[app]\nname = \"etl\"\ncommand = \"echo done\"\n";

#[test]
fn a_pipe_among_the_apps_is_complained_about_and_holds_up_nothing() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    let pipe = place.path().join("config/apps/pipe.toml");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let words = "pipe.toml` failed: expected a regular file, found a named pipe";
    place.until("a complaint", || place.log().contains(words).then_some(()));
    let check = place.run(&["check"]);
    assert_eq!(check.status.code(), Some(64));
    place.ok(&["run-task", "etl", "--wait"]);
    std::fs::remove_file(&pipe).unwrap();
    place.write_app("etl", &format!("{APP}memory = \"1Gi\"\n"));
    place.ok(&["reload"]);
    assert!(daemon.terminate().success());
    assert_eq!(place.log().matches(words).count(), 1, "once is enough\n{}", place.log());
}
