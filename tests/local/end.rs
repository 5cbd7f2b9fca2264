//! How tasks end.

use std::fs;

use jiff::SignedDuration;
use tekcron::app::{Command, Timeout};
use tekcron::executor::{Observed, Submission};
use tekcron::task::{Phase, TaskName};

use crate::world::{World, shell, stat, with};

fn with_timeout(line: &str, timeout: SignedDuration, grace: SignedDuration) -> Submission {
    let submission = with(Command::shell(line).unwrap(), |app| app.timeout = Timeout::After(timeout));
    Submission { grace, ..submission }
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart_and_explained() {
    let mut world = World::new();
    for (line, phase, code, reason, message) in [
        ("true", Phase::Succeeded, 0, "Completed", "it ended with exit code 0"),
        ("exit 3", Phase::Failed, 3, "Error", "it ended with exit code 3"),
        (
            "nosuch",
            Phase::Failed,
            127,
            "Error",
            "it ended with exit code 127, by which a shell says that a command was not found",
        ),
        ("kill -SEGV $$", Phase::Failed, 139, "Error", "it was killed by SIGSEGV"),
    ] {
        let (_, outcome) = world.run(line).await;
        assert_eq!((outcome.phase, outcome.exit_code), (phase, Some(code)), "{line}");
        assert_eq!((outcome.reason.as_str(), outcome.message.as_str()), (reason, message), "{line}");
        assert!(outcome.started.unwrap() <= outcome.finished, "{line}");
    }
}

/// A shell that ignores SIGTERM, and its child that ignores it too.
const STUBBORN: &str = r#"trap "" TERM; sh -c 'echo child $$; while :; do sleep 1; done' & echo parent $$; wait; while :; do sleep 1; done"#;

fn pids(log: &str) -> Vec<i32> {
    log.lines().filter_map(|line| line.split_once(' ')?.1.parse().ok()).collect()
}

#[tokio::test]
async fn a_timeout_ends_grandchildren_that_will_not_listen() {
    let mut world = World::new();
    let submission = with_timeout(STUBBORN, SignedDuration::from_secs(2), SignedDuration::from_millis(300));
    let (name, outcome) = world.run_to_end(submission).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::TimedOut, None));
    assert_eq!(outcome.reason, "PipelineRunTimeout");
    assert_eq!(outcome.message, "it ran longer than its time-out of 2s");
    let pids = pids(&world.log(&name).await);
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| stat(*pid).is_none()), "{pids:?}");
}

#[tokio::test]
async fn a_terminated_task_may_clean_up_and_is_cancelled() {
    let mut world = World::new();
    let name =
        world.submit(shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")).await;
    world.logged(&name, "ready").await;
    world.executor.cancel(&name).await.unwrap();
    // Repeated at once, and at the end.
    world.executor.cancel(&name).await.unwrap();
    let outcome = world.outcome(&name).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Cancelled, None));
    assert_eq!((outcome.reason.as_str(), outcome.message.as_str()), ("Cancelled", "it was terminated"));
    // A shell may tell on stderr how its child ended.
    assert!(world.log(&name).await.lines().any(|line| line == "bye"));
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.executor.observe(&name).await.unwrap(), Observed::Finished(Box::new(outcome)));
}

#[tokio::test]
async fn a_task_that_will_not_listen_is_killed_after_its_grace() {
    let mut world = World::new();
    let name = world.submit(Submission { grace: SignedDuration::from_millis(200), ..shell(STUBBORN) }).await;
    world.logged(&name, "parent").await;
    world.logged(&name, "child").await;
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.outcome(&name).await.phase, Phase::Cancelled);
    for pid in pids(&world.log(&name).await) {
        assert!(stat(pid).is_none());
    }
}

#[tokio::test]
async fn terminating_an_ended_or_unknown_task_changes_nothing() {
    let mut world = World::new();
    let (name, outcome) = world.run("exit 4").await;
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.executor.observe(&name).await.unwrap(), Observed::Finished(Box::new(outcome)));
    assert!(!world.task_dir(&name).join("terminate").exists());
    let unknown = "demo-aaaaaaaaaaaa".parse().unwrap();
    world.executor.cancel(&unknown).await.unwrap();
    assert_eq!(world.executor.observe(&unknown).await.unwrap(), Observed::Absent);
}

#[tokio::test]
async fn what_a_command_leaves_running_ends_with_it() {
    let mut world = World::new();
    let (name, outcome) =
        world.run("sleep 1000 & echo in $!; setsid sleep 1000 & sleep 0.2; echo out $!; exit 5").await;
    assert_eq!(outcome.exit_code, Some(5));
    let pids = pids(&world.log(&name).await);
    assert_eq!(pids.len(), 2);
    for pid in pids {
        assert!(stat(pid).is_none(), "{pid}");
    }
    assert!(marked(&world, &name).is_empty());
}

#[tokio::test]
async fn memory_above_the_limit_ends_the_task_and_says_so() {
    let mut world = World::new();
    let submission = with(Command::shell("tail /dev/zero").unwrap(), |app| {
        app.resources.memory = Some("64Mi".parse().unwrap());
    });
    let (_, outcome) = world.run_to_end(submission).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Failed, Some(137)), "{outcome:?}");
    assert_eq!(outcome.reason, "OOMKilled");
    assert!(outcome.message.contains("than its limit of 64Mi"), "{outcome:?}");
}

#[tokio::test]
async fn a_task_within_its_memory_is_left_alone() {
    let mut world = World::new();
    let submission =
        with(Command::shell("sleep 0.5; head -c 8000000 /dev/zero | tail -c 1 >/dev/null").unwrap(), |app| {
            app.resources.memory = Some("256Mi".parse().unwrap());
            app.resources.cpu = Some("500m".parse().unwrap());
        });
    assert_eq!(world.run_to_end(submission).await.1.exit_code, Some(0));
}

#[tokio::test]
async fn a_killed_supervisor_loses_the_task_and_takes_its_processes_along() {
    let mut world = World::new();
    let line = "setsid sh -c 'echo away; sleep 1000' & sleep 1000 & echo here; wait";
    let name = world.submit(shell(line)).await;
    world.logged(&name, "away").await;
    world.logged(&name, "here").await;
    let shim = rustix::process::Pid::from_raw(world.shim(&name)).unwrap();
    assert!(marked(&world, &name).len() >= 3);
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    let outcome = world.outcome(&name).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Lost, None));
    assert!(outcome.message.contains("last seen at"), "{outcome:?}");
    assert!(outcome.started.is_some());
    assert_eq!(marked(&world, &name), [0; 0]);
    assert_eq!(world.executor.observe(&name).await.unwrap(), Observed::Finished(Box::new(outcome)));
    assert!(!world.task_dir(&name).join("work").exists());
}

/// The processes whose environment holds the mark that `started` tells.
fn marked(world: &World, name: &TaskName) -> Vec<i32> {
    let started = world.started(name).unwrap();
    let mark = started["mark"].as_str().unwrap();
    assert!(mark.starts_with("CF_INSTANCE_GUID="));
    let is_marked = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|line| line == mark.as_bytes())
    };
    let all = fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).filter(is_marked).collect()
}
