//! Tasks by hand and on schedule: run, look, wait, stop.

use rustix::process::Signal;

use crate::harness::{Place, text};

const WORK: &str = r#"
[app]
name = "work"
command = "echo hello; echo trouble >&2"
memory = "256Mi"
timeout = "1m"
[app.env]
WHO = "app"

[[jobs]]
name = "greet"
command = "echo hello $WHO from $TEKCRON_JOB"
[jobs.env]
WHO = "job"

[[jobs]]
name = "flaky"
command = "exit 3"
retries = { attempts = 2, backoff = "10ms", max_backoff = "10ms" }

[[jobs]]
name = "alone"
command = "sleep 600"
overlap = "skip"

[[jobs]]
name = "newest"
command = "sleep 600"
overlap = "replace"

[[jobs]]
name = "tick"
schedule = "* * * * * *"
command = "echo tick $TEKCRON_SCHEDULED_TIME"
"#;

fn place() -> Place {
    Place::with(&[("work", WORK)])
}

#[test]
fn a_task_that_was_waited_for_gives_its_exit_code_and_the_reason_in_words() {
    let place = place();
    let daemon = place.serve();
    let wait = |args: &[&str]| {
        let output = place.run(&[&["run-task", "work", "--wait"], args].concat());
        (output.status.code().unwrap(), text(&output.stderr))
    };
    assert_eq!(wait(&[]).0, 0);
    let (code, words) = wait(&["-c", "exit 7"]);
    assert_eq!(code, 7, "{words}");
    assert!(words.contains("exit code 7"), "{words}");
    let (code, words) = wait(&["-c", "kill -SEGV $$"]);
    assert_eq!(code, 139, "{words}");
    assert!(words.contains("SIGSEGV"), "{words}");
    let (code, words) = wait(&["-c", "sleep 600", "--timeout", "1s"]);
    assert_eq!(code, 124, "{words}");
    assert!(words.contains("1 s") || words.contains("1s"), "{words}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_task_shows_where_it_came_from_and_how_it_went() {
    let place = place();
    let _daemon = place.serve();
    place.ok(&["run-task", "work", "--name", "by hand", "--wait", "--env", "WHO=me", "-c", "echo $WHO"]);
    let tasks = place.json(&["tasks", "work"]);
    let task =
        tasks.as_array().unwrap().iter().find(|task| task["display_name"] == "by hand").unwrap().clone();
    assert_eq!(task["trigger"], "manual");
    assert_eq!(task["phase"], "succeeded");
    assert_eq!(task["exit_code"], 0);
    assert_eq!(task["attempt"], 1);
    assert_eq!(task["job"], serde_json::Value::Null);
    for time in ["created", "started", "finished"] {
        task[time].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let id = task["id"].to_string();
    assert_eq!(place.ok(&["logs", "work", "--task", &id, "--recent"]), "me\n");
    assert!(place.ok(&["task", "work", &id]).contains("succeeded"));
}

#[test]
fn a_job_inherits_from_its_app_and_the_run_wins() {
    let place = place();
    let _daemon = place.serve();
    place.ok(&["run-job", "greet", "--wait"]);
    place.ok(&["run-job", "work.greet", "--wait", "--env", "WHO=run"]);
    let tasks = place.json(&["job-history", "work.greet"]);
    let logs: Vec<_> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| place.ok(&["logs", "work", "--task", &task["id"].to_string()]))
        .collect();
    assert_eq!(logs, ["hello run from greet\n", "hello job from greet\n"]);
}

#[test]
fn a_failed_run_is_tried_again_each_attempt_a_task_of_its_own() {
    let place = place();
    let _daemon = place.serve();
    place.run(&["run-job", "flaky", "--wait"]);
    let history = place.until("three attempts", || {
        let tasks = place.json(&["job-history", "flaky"]).as_array().unwrap().clone();
        let ended = tasks.len() == 3 && tasks.iter().all(|task| task["phase"] == "failed");
        ended.then_some(tasks)
    });
    let attempts: Vec<_> = history.iter().map(|task| task["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [3, 2, 1]);
    assert_eq!(history[0]["trigger"], "retry");
    assert_eq!(history[0]["exit_code"], 3);
}

#[test]
fn a_terminated_task_ends_and_a_second_wish_says_that_it_has() {
    let place = place();
    let _daemon = place.serve();
    let waiting = place.command(&["run-task", "work", "--wait", "-c", "sleep 600"]).spawn().unwrap();
    let task = running(&place, "work");
    let id = task["id"].to_string();
    place.ok(&["terminate-task", "work", &id]);
    assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(143));
    let output = place.run(&["terminate-task", task["name"].as_str().unwrap()]);
    assert!(output.status.success());
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(said.contains("already"), "{said}");
    let task = place
        .json(&["tasks", "work"])
        .as_array()
        .unwrap()
        .iter()
        .find(|other| other["id"] == task["id"])
        .unwrap()
        .clone();
    assert_eq!(task["phase"], "cancelled");
}

#[test]
fn an_interrupted_wait_leaves_the_task_alone() {
    let place = place();
    let _daemon = place.serve();
    let waiting = place
        .command(&["run-task", "work", "--wait", "-c", "sleep 600"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let task = running(&place, "work");
    let pid = rustix::process::Pid::from_child(&waiting);
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output.stderr).contains(task["name"].as_str().unwrap()), "{}", text(&output.stderr));
    assert_eq!(running(&place, "work")["id"], task["id"]);
    place.ok(&["terminate-task", "work", &task["id"].to_string()]);
}

#[test]
fn overlap_skip_refuses_and_replace_ends_the_older_run() {
    let place = place();
    let _daemon = place.serve();
    place.ok(&["run-job", "alone"]);
    let refused = place.run(&["run-job", "alone"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("still active"), "{}", text(&refused.stderr));
    place.ok(&["run-job", "newest"]);
    place.until("the first runs", || {
        (place.json(&["job-history", "newest"])[0]["phase"] == "running").then_some(())
    });
    place.ok(&["run-job", "newest"]);
    let phases = place.until("the second runs", || {
        let tasks = place.json(&["job-history", "newest"]);
        (tasks[0]["phase"] == "running").then(|| tasks[1]["phase"].as_str().unwrap().to_owned())
    });
    assert_eq!(phases, "cancelled");
    for job in ["alone", "newest"] {
        let id = place.json(&["job-history", job])[0]["id"].to_string();
        place.ok(&["terminate-task", "work", &id]);
    }
}

#[test]
fn slots_run_on_schedule_and_the_log_is_followed_to_its_end() {
    let place = place();
    let _daemon = place.serve();
    let task = place.until("a scheduled task", || {
        let tasks = place.json(&["job-history", "tick"]);
        tasks.as_array().unwrap().iter().find(|task| task["phase"] == "succeeded").cloned()
    });
    assert_eq!(task["trigger"], "schedule");
    let log = place.ok(&["logs", "work", "--task", &task["id"].to_string(), "--follow"]);
    assert_eq!(log, format!("tick {}\n", task["scheduled"].as_str().unwrap()));
    let followed = place.ok(&["run-task", "work", "--follow", "-c", "echo one; sleep 1; echo two"]);
    assert!(followed.contains("one\ntwo\n"), "{followed}");
}

#[test]
fn what_does_not_exist_is_named_with_its_neighbour() {
    let place = place();
    let _daemon = place.serve();
    let refused = |args: &[&str], hint: &str| {
        let output = place.run(args);
        let words = text(&output.stderr);
        assert!(!output.status.success(), "{args:?}");
        assert!(words.contains(hint), "{args:?}: {words}");
    };
    refused(&["run-task", "wrok"], "`work`");
    refused(&["run-job", "gret"], "greet");
    refused(&["task", "work", "99999"], "99999");
    refused(&["terminate-task", "work", "99999"], "99999");
    refused(&["run-task", "work", "-m", "512"], "unit");
    refused(&["run-task", "work", "-m", "-5M"], "-5M");
    refused(&["run-task", "work", "--timeout", "-1s"], "-1s");
    assert!(
        place.json(&["tasks", "work"]).as_array().unwrap().iter().all(|task| task["trigger"] == "schedule")
    );
}

fn running(place: &Place, app: &str) -> serde_json::Value {
    place.until("a running task by hand", || {
        let tasks = place.json(&["tasks", app]);
        let mut by_hand = tasks.as_array().unwrap().iter().filter(|task| task["trigger"] == "manual");
        by_hand.find(|task| task["phase"] == "running").cloned()
    })
}
