//! Tasks that do what no task should, under the real daemon.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Daemon, Place};
use crate::scarce::{Stranger, children};

const APP: &str = "[app]\nname = \"work\"\npath = \"source\"\ncommand = \"true\"\n";

fn place() -> (Place, Daemon) {
    let place = Place::with(&[("work", APP)]);
    fs::create_dir(place.path().join("source")).unwrap();
    fs::write(place.path().join("config/tekcron.toml"), "grace = \"1s\"\n").unwrap();
    let daemon = place.serve();
    (place, daemon)
}

/// Runs `line` to its end; the task.
fn run(place: &Place, line: &str, more: &[&str]) -> Value {
    place.run(&[&["run-task", "work", "-c", line, "--wait"], more].concat());
    newest(place)
}

fn newest(place: &Place) -> Value {
    place.json(&["tasks", "work"])[0].clone()
}

fn log(place: &Place) -> Vec<u8> {
    place.run(&["logs", "work", "--task"]).stdout
}

/// Whether a process is there and no zombie.
fn lives(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[test]
fn one_that_ignores_sigterm_is_killed_after_its_grace() {
    let (place, daemon) = place();
    let task = run(&place, "trap '' TERM; while :; do sleep 1; done", &["--timeout", "1s"]);
    assert_eq!(task["phase"], "timed-out", "{task}");
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_closes_its_streams_runs_on() {
    let (place, daemon) = place();
    let task = run(&place, "echo before; exec >&- 2>&-; sleep 1; echo after; exit 3", &[]);
    // The shell says by 2 that it could not write, or goes on.
    assert_eq!((&task["phase"], &task["exit_code"]), (&"failed".into(), &3.into()), "{task}");
    assert_eq!(log(&place), b"before\n");
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_writes_binary_has_it_kept_byte_for_byte() {
    let (place, daemon) = place();
    let task = run(&place, r"printf 'a\000b\377\376\033[31m\r\n\n\200'", &[]);
    assert_eq!(task["phase"], "succeeded", "{task}");
    assert_eq!(log(&place), b"a\0b\xff\xfe\x1b[31m\r\n\n\x80");
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_writes_without_a_newline_has_it_kept() {
    let (place, daemon) = place();
    let task = run(&place, "head -c 3000000 /dev/zero | tr '\\0' x", &[]);
    assert_eq!(task["phase"], "succeeded", "{task}");
    let log = log(&place);
    assert!(log.len() == 3_000_000 && log.iter().all(|byte| *byte == b'x'), "{}", log.len());
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_leaves_a_grandchild_holding_its_pipe_ends_with_it() {
    let (place, daemon) = place();
    let task = run(&place, "(trap '' TERM; setsid sh -c 'echo $$; sleep 1000') & sleep 1; exit 5", &[]);
    assert_eq!((&task["phase"], &task["exit_code"]), (&"failed".into(), &5.into()), "{task}");
    let log = String::from_utf8(log(&place)).unwrap();
    assert!(!lives(log.trim()), "{log}");
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_deletes_its_working_directory_ends_as_it_did() {
    let (place, daemon) = place();
    let task = run(&place, "rm -rf \"$HOME\"; echo gone; exit 4", &[]);
    assert_eq!((&task["phase"], &task["exit_code"]), (&"failed".into(), &4.into()), "{task}");
    assert_eq!(log(&place), b"gone\n");
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_deletes_its_record_ends_as_it_did_where_somebody_hears_of_it_and_else_is_lost() {
    let (place, daemon) = place();
    let task = run(&place, "rm -rf \"${HOME%/work}\"; exit 4", &[]);
    assert_eq!((&task["phase"], &task["exit_code"]), (&"failed".into(), &4.into()), "{task}");
    place.ok(&["run-task", "work", "-c", "rm -rf \"${HOME%/work}\"; exec sleep 1"]);
    place.until("it runs without a record", || {
        let is_gone = fs::read_dir(place.path().join("data/tasks")).unwrap().count() == 0;
        (is_gone && place.json(&["tasks", "work"])[0]["phase"] == "running").then_some(())
    });
    daemon.kill();
    let daemon = place.serve();
    let task = place.until("its end", || {
        let task = place.json(&["tasks", "work"])[0].clone();
        (!task["finished"].is_null()).then_some(task)
    });
    assert_eq!(task["phase"], "lost", "{task}");
    assert_eq!(run(&place, "true", &[])["phase"], "succeeded");
    assert!(daemon.terminate().success());
}

/// Each copy starts two more and stays, deaf to SIGTERM; one that may not start any goes.
const BOMB: &str = "trap '' TERM\nsh \"$0\" &\nsh \"$0\" &\nexec sleep 1000\n";

#[test]
fn one_that_forks_without_end_is_ended_whole_and_holds_claims_up_only_until_then() {
    // Its user has no other processes, and may have few.
    let Some(stranger) = Stranger::with(APP) else { return };
    let place = &stranger.place;
    fs::write(place.path().join("config/tekcron.toml"), "grace = \"1s\"\n").unwrap();
    let bomb = place.path().join("bomb");
    fs::write(&bomb, BOMB).unwrap();
    let daemon = stranger.serve();
    place.ok(&["run-task", "work", "--wait"]);
    stranger.limit(&daemon, stranger.threads() + 100);
    let line = format!("exec sh {}", bomb.display());
    place.ok(&["run-task", "work", "-c", &line, "--timeout", "4s"]);
    place.until("no more processes", || {
        (stranger.programs().iter().filter(|name| *name == "sleep").count() > 20).then_some(())
    });
    for _ in 0..3 {
        place.ok(&["run-task", "work"]);
    }
    let ended = |task: &Value| ["succeeded", "timed-out"].contains(&task["phase"].as_str().unwrap());
    let tasks = place.until("every end", || {
        let tasks = place.json(&["tasks", "work"]).as_array().unwrap().clone();
        tasks.iter().all(ended).then_some(tasks)
    });
    assert_eq!(tasks.len(), 5);
    assert_eq!(tasks.iter().filter(|task| task["phase"] == "timed-out").count(), 1, "{tasks:?}");
    assert!(stranger.programs().iter().all(|name| name == "tekcron"), "{:?}", stranger.programs());
    assert!(daemon.terminate().success());
}

#[test]
fn a_nursery_that_is_killed_is_started_again_and_its_tasks_go_on() {
    let (place, daemon) = place();
    let go = place.path().join("go");
    let line = format!("until [ -e {} ]; do sleep 0.1; done; exit 6", go.display());
    place.ok(&["run-task", "work", "-c", &line]);
    place.until("a running task", || (newest(&place)["phase"] == "running").then_some(()));
    let nursery = children(daemon.pid().as_raw_pid());
    assert_eq!(nursery.len(), 1);
    kill_process(Pid::from_raw(nursery[0]).unwrap(), Signal::KILL).unwrap();
    assert_eq!(run(&place, "true", &[])["phase"], "succeeded");
    assert_ne!(children(daemon.pid().as_raw_pid()), nursery);
    fs::write(&go, "").unwrap();
    place.until("its end", || (place.json(&["tasks", "work"])[1]["exit_code"] == 6).then_some(()));
    // It goes with the daemon, however that ends.
    let nursery = children(daemon.pid().as_raw_pid())[0].to_string();
    daemon.kill();
    place.until("the end of the nursery", || (!lives(&nursery)).then_some(()));
}
