//! Limits that the kernel keeps, where a part of the cgroup v2 hierarchy is delegated to whoever runs these:
//! `systemd-run --pipe -p Delegate='cpu memory' -p DelegateSubgroup=daemon cargo test --test local`.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use tekcron::app::Command;
use tekcron::executor::Submission;
use tekcron::task::{Phase, TaskName};

use crate::world::{World, stat, with};

/// An executor with control groups; `None`, said aloud, where none are to be had.
#[expect(clippy::print_stderr, reason = "what was skipped")]
fn delegated() -> Option<World> {
    let world = World::new();
    let note = world.executor.caveats().into_iter().find(|note| note.contains("control group"));
    if let Some(note) = &note {
        eprintln!("SKIPPED: {note}");
    }
    note.is_none().then_some(world)
}

/// `line` with 64Mi of memory and a fifth of a core, and `$G` as the control group that it runs in.
fn limited(line: &str) -> Submission {
    let line = format!("G=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); {line}");
    let submission = with(Command::shell(line).unwrap(), |app| {
        app.resources.memory = Some("64Mi".parse().unwrap());
        app.resources.cpu = Some("200m".parse().unwrap());
    });
    Submission { grace: SignedDuration::from_millis(300), ..submission }
}

fn group(world: &World, name: &TaskName) -> PathBuf {
    world.started(name).unwrap()["cgroup"].as_str().unwrap().into()
}

fn read(group: &Path, file: &str) -> String {
    fs::read_to_string(group.join(file)).unwrap().trim_end().to_owned()
}

/// Numbers after `word` at the beginning of lines.
fn pids(log: &str, word: &str) -> Vec<i32> {
    log.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
}

#[tokio::test]
async fn the_kernel_ends_all_of_a_task_above_its_memory() {
    let Some(mut world) = delegated() else { return };
    let line = "setsid sh -c 'echo away $$; : >away; while :; do sleep 1; done' & until [ -e away ]; do :; done; tail /dev/zero; echo on; sleep 1000";
    let name = world.submit(limited(line)).await;
    world.logged(&name, "away").await;
    let group = group(&world, &name);
    let outcome = world.outcome(&name).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Failed, Some(137)), "{outcome:?}");
    assert_eq!(outcome.reason, "OOMKilled");
    assert_eq!(outcome.message, "it needed more memory than its limit of 64Mi, and was killed");
    let log = world.log(&name).await;
    assert!(!log.contains("on\n"), "{log}");
    assert_eq!(pids(&log, "away").into_iter().filter_map(stat).count(), 0);
    assert!(!group.exists());
}

#[tokio::test]
async fn the_kernel_slows_a_task_down_to_its_share() {
    let Some(mut world) = delegated() else { return };
    let line = "cat $G/cpu.max $G/memory.max; until grep -q 'nr_throttled [1-9]' $G/cpu.stat; do :; done";
    let (name, outcome) = world.run_to_end(limited(line)).await;
    assert_eq!(outcome.exit_code, Some(0), "{outcome:?}");
    assert_eq!(world.log(&name).await, format!("20000 100000\n{}\n", 64 << 20));
}

#[tokio::test]
async fn what_a_command_left_behind_does_not_make_it_fail() {
    let Some(mut world) = delegated() else { return };
    // The child listens to nobody, and takes more than there is once the command has ended.
    let left = "trap '' TERM; : >ready; while kill -0 $COMMAND; do :; done 2>/dev/null; exec tail /dev/zero";
    let line = format!(
        "export COMMAND=$$ LEFT=\"{}\"; sh -c \"$LEFT\" & until [ -e ready ]; do :; done",
        left.replace('$', "\\$")
    );
    let submission = Submission { grace: SignedDuration::from_mins(10), ..limited(&line) };
    let (_, outcome) = world.run_to_end(submission).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Succeeded, Some(0)), "{outcome:?}");
}

#[tokio::test]
async fn a_task_may_make_groups_and_none_of_them_stays() {
    let Some(mut world) = delegated() else { return };
    let line = "mkdir -p $G/made/by/it; (echo 0 > $G/made/cgroup.procs; exec sleep 1000) & echo ready; while :; do sleep 1; done";
    let name = world.submit(limited(line)).await;
    world.logged(&name, "ready").await;
    let group = group(&world, &name);
    assert!(group.join("made/by/it").exists());
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.outcome(&name).await.phase, Phase::Cancelled);
    assert!(!group.exists());
}

#[tokio::test]
async fn limits_stay_when_the_daemon_goes_and_so_does_the_end_of_all() {
    let Some(world) = delegated() else { return };
    let child = "trap '' TERM; echo child $$; while :; do setsid sleep 0.1 & wait; done";
    let line = format!(
        "trap '' TERM; for i in 1 2 3 4 5 6; do setsid sh -c \"{}\" & done; echo ready; while :; do sleep 1; done",
        child.replace('$', "\\$")
    );
    let name = world.submit(limited(&line)).await;
    world.logged(&name, "ready").await;
    world.logged(&name, "child").await;
    let group = group(&world, &name);
    let mut world = world.restart();
    assert_eq!(read(&group, "memory.max"), (64 << 20).to_string());
    assert_eq!(read(&group, "cpu.max"), "20000 100000");
    world.executor.observe(&name).await.unwrap();
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.outcome(&name).await.phase, Phase::Cancelled);
    let children = pids(&world.log(&name).await, "child");
    assert!(!children.is_empty());
    assert_eq!(children.into_iter().filter_map(stat).count(), 0);
    assert!(!group.exists());
}

#[tokio::test]
async fn who_leaves_the_group_is_ended_too() {
    let Some(mut world) = delegated() else { return };
    let away = "trap '' TERM; echo $$ > $G/../daemon/cgroup.procs; echo away $$; while :; do sleep 1; done";
    let line = format!("export G; setsid sh -c \"{}\" & wait", away.replace('$', "\\$"));
    let name = world.submit(limited(&line)).await;
    world.logged(&name, "away").await;
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.outcome(&name).await.phase, Phase::Cancelled);
    let away = pids(&world.log(&name).await, "away");
    assert_eq!((away.len(), away.into_iter().filter_map(stat).count()), (1, 0));
}

#[tokio::test]
async fn a_killed_supervisor_takes_along_what_carries_no_mark() {
    let Some(mut world) = delegated() else { return };
    let line = "setsid env -i PATH=\"$PATH\" sh -c 'echo away $$; while :; do sleep 1; done' & while :; do sleep 1; done";
    let name = world.submit(limited(line)).await;
    world.logged(&name, "away").await;
    let (group, shim) = (group(&world, &name), rustix::process::Pid::from_raw(world.shim(&name)).unwrap());
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    assert_eq!(world.outcome(&name).await.phase, Phase::Lost);
    let away = pids(&world.log(&name).await, "away");
    assert_eq!((away.len(), away.into_iter().filter_map(stat).count()), (1, 0));
    assert!(!group.exists());
}
