//! The daemon's own life: start, reload, restart, refusal, end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::harness::{Place, text};

const APP: &str = "[app]\nname = \"etl\"\ncommand = \"echo done\"\n";

#[test]
fn the_start_says_what_was_loaded_where_it_is_and_what_comes_next() {
    let place =
        Place::with(&[("etl", &format!("{APP}[[jobs]]\nname = \"nightly\"\nschedule = \"0 2 * * *\"\n"))]);
    let daemon = place.serve();
    let mut screen = String::new();
    while !screen.contains("next") {
        screen += &daemon.line().unwrap();
        screen.push('\n');
    }
    for part in
        ["config", "1 App, 1 job, 1 schedule", "data", "api      http://127.0.0.1:", "zones", "etl.nightly"]
    {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    let token = fs::metadata(place.path().join("data/token")).unwrap();
    assert_eq!(token.permissions().mode() & 0o777, 0o600);
    assert!(daemon.terminate().success());
    assert!(!place.path().join("data/address").exists(), "the address is withdrawn");
}

#[test]
fn a_second_daemon_on_the_same_data_is_refused() {
    let place = Place::with(&[("etl", APP)]);
    let _first = place.serve();
    let second = place.spawn(&[]);
    assert!(!second.ended().success());
    assert!(place.log().contains("another process"), "{}", place.log());
}

#[test]
fn a_port_in_use_is_named() {
    let place = Place::with(&[("etl", APP)]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = place.run(&["serve", "--listen", &address]);
    assert!(!output.status.success());
    let words = text(&output.stderr);
    assert!(words.contains(&address) && words.contains("hint:"), "{words}");
    assert!(!place.path().join("data").exists(), "nothing is made");
}

#[test]
fn a_token_file_that_is_wrong_is_refused_before_anything_is_made() {
    let place = Place::with(&[("etl", APP)]);
    let token = place.path().join("data/token");
    fs::create_dir(place.path().join("data")).unwrap();
    for (text_of_it, mode, code) in [("short", 0o600, 74), (&"a".repeat(43), 0o644, 77)] {
        fs::write(&token, text_of_it).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let output = place.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("hint:"), "{}", text(&output.stderr));
        assert_eq!(place.data_files(), std::slice::from_ref(&token), "nothing is made");
    }
}

#[test]
fn a_starter_that_ignores_signals_does_not_hand_that_on_to_tasks() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve_ignoring(&["CHLD", "QUIT", "USR1"]);
    let output = place.run(&["run-task", "etl", "--wait", "-c", "exit 4"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let ignored = place.ok(&["run-task", "etl", "--follow", "-c", "grep SigIgn /proc/self/status"]);
    let mask = ignored.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    // Bits of QUIT, USR1 and CHLD.
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    assert_eq!(mask & (1 << 2 | 1 << 9 | 1 << 16), 0, "{mask:x}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_damaged_store_is_refused_and_left_as_it_is() {
    let place = Place::with(&[("etl", APP)]);
    assert!(place.serve().terminate().success());
    let conf = place.path().join("data/store/conf");
    fs::write(&conf, "short").unwrap();
    let output = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("store"), "{}", text(&output.stderr));
    assert_eq!(fs::read(&conf).unwrap(), b"short");
}

#[test]
fn an_empty_config_is_refused() {
    let place = Place::with(&[]);
    let output = place.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("hint:"), "{}", text(&output.stderr));
    assert!(!place.path().join("data").exists(), "nothing is made");
}

#[test]
fn a_changed_file_is_taken_up_and_a_bad_one_is_not() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    place.write_app("more", "[app]\nname = \"more\"\ncommand = \"true\"\n");
    daemon.signal(Signal::HUP);
    let names = || place.ok(&["apps", "-o", "name"]);
    place.until("the new App", || (names() == "app/etl\napp/more\n").then_some(()));
    place.write_app("more", "[app]\nname = \"more\"\nmemroy = \"1G\"\n");
    place.until("a complaint", || place.log().contains("memroy").then_some(()));
    assert_eq!(names(), "app/etl\napp/more\n");
    place.ok(&["run-task", "more", "--wait"]);
    assert!(daemon.terminate().success());
}

#[test]
fn the_log_has_each_complaint_about_the_config_whoever_asked_and_its_end() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    let complaints = || place.log().matches("memroy").count();
    place.write_app("more", "[app]\nname = \"more\"\nmemroy = \"1G\"\n");
    assert_eq!(place.run(&["reload"]).status.code(), Some(1));
    assert!(complaints() > 0, "{}", place.log());
    std::fs::remove_file(place.path().join("config/apps/more.toml")).unwrap();
    place.until("the end of the complaint", || place.log().contains("the config is unchanged").then_some(()));
    let before = complaints();
    place.write_app("more", "[app]\nname = \"more\"\nmemroy = \"1G\"\n");
    place.until("the same complaint again", || (complaints() > before).then_some(()));
    assert!(daemon.terminate().success());
}

#[test]
fn a_running_task_survives_both_ends_of_its_daemon() {
    let place = Place::with(&[("etl", APP)]);
    let line = "echo begun; while [ ! -e ../go ] && [ ! -e \"$GO\" ]; do sleep 0.1; done; echo ended; exit 5";
    let go = place.path().join("go");
    let env = format!("GO={}", go.display());
    let daemon = place.serve();
    place.ok(&["run-task", "etl", "-c", line, "--env", &env]);
    let phase = |place: &Place| place.json(&["tasks", "etl"])[0]["phase"].as_str().unwrap().to_owned();
    place.until("it runs", || (phase(&place) == "running").then_some(()));
    assert!(daemon.terminate().success());
    let daemon = place.serve();
    place.until("it still runs", || (phase(&place) == "running").then_some(()));
    daemon.kill();
    fs::write(&go, "").unwrap();
    let _daemon = place.serve();
    let task = place.until("it has ended", || {
        let task = place.json(&["tasks", "etl"])[0].clone();
        (task["phase"] == "failed").then_some(task)
    });
    assert_eq!(task["exit_code"], 5);
    assert_eq!(place.json(&["tasks", "etl"]).as_array().unwrap().len(), 1);
    assert_eq!(place.ok(&["logs", "etl", "--task"]), "begun\nended\n");
}

#[test]
fn a_timeout_is_kept_while_the_daemon_is_down() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    place.ok(&["run-task", "etl", "-c", "sleep 600", "--timeout", "2s"]);
    place.until("it runs", || (place.json(&["tasks", "etl"])[0]["phase"] == "running").then_some(()));
    daemon.kill();
    let dirs: Vec<_> = fs::read_dir(place.path().join("data/tasks")).unwrap().map(Result::unwrap).collect();
    let record = dirs[0].path().join("record");
    let ended = || fs::read_to_string(&record).unwrap().contains("PipelineRunTimeout");
    place.until("its time-out", || ended().then_some(()));
    let _daemon = place.serve();
    place.until("the phase", || (place.json(&["tasks", "etl"])[0]["phase"] == "timed-out").then_some(()));
}

#[test]
fn a_followed_log_goes_on_after_a_restart_without_losing_or_doubling_a_line() {
    let place = Place::with(&[("etl", APP)]);
    let go = place.path().join("go");
    let env = format!("GO={}", go.display());
    let line = "echo one; echo two; while [ ! -e \"$GO\" ]; do sleep 0.1; done; echo three; exit 5";
    let daemon = place.serve();
    let mut following = place
        .command(&["run-task", "etl", "--follow", "-c", line, "--env", &env])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(following.stdout.take().unwrap()));
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    assert!(daemon.terminate().success());
    let _daemon = place.serve();
    fs::write(&go, "").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(rest, ["three"]);
    assert_eq!(following.wait().unwrap().code(), Some(5));
}

#[test]
fn the_last_app_does_not_vanish_quietly() {
    let place = Place::with(&[("etl", APP)]);
    fs::write(place.path().join("config/tekcron.toml"), "grace = \"5s\"\n").unwrap();
    let daemon = place.serve();
    fs::remove_file(place.path().join("config/apps/etl.toml")).unwrap();
    let output = place.run(&["reload"]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("found none, where there were some"), "{said}");
    assert_eq!(place.ok(&["apps", "-o", "name"]), "app/etl\n");
    assert!(daemon.terminate().success());
}
