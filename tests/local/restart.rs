//! The daemon goes while tasks run.

use std::fs;
use std::process::{Command as Process, Stdio};

use tekcron::executor::{Observed, Submitted};
use tekcron::task::Phase;

use crate::world::{World, eventually, name_of, shell, stat};

#[tokio::test]
async fn a_task_outlives_the_daemon_and_its_end_is_observed() {
    let mut world = World::new();
    let fifo = world.scratch().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let submission = shell(&format!("echo before; read -r line < {}; echo $line; exit 7", fifo.display()));
    let name = world.submit(submission.clone()).await;
    world.logged(&name, "before").await;
    let mut world = world.restart();
    assert!(matches!(world.executor.observe(&name).await.unwrap(), Observed::Running { .. }));
    // Submitted again, as a claim that was not confirmed is.
    let adopted = world.executor.submit(submission).await.unwrap();
    assert_eq!(adopted, Submitted::Adopted { id: "7".parse().unwrap() });
    fs::write(&fifo, "after\n").unwrap();
    let outcome = world.outcome(&name).await;
    assert_eq!((outcome.phase, outcome.exit_code), (Phase::Failed, Some(7)));
    assert_eq!(world.log(&name).await, "before\nafter\n");
}

#[tokio::test]
async fn an_end_while_nobody_watched_is_found() {
    let world = World::new();
    let submission = shell("echo done; exit 9");
    let name = world.submit(submission.clone()).await;
    let exit = world.task_dir(&name).join("exit");
    let world = world.restart();
    eventually("the task has ended", || exit.exists()).await;
    let Observed::Finished(outcome) = world.executor.observe(&name).await.unwrap() else {
        panic!("it has ended");
    };
    assert_eq!(outcome.exit_code, Some(9));
    let adopted = world.executor.submit(submission).await.unwrap();
    assert_eq!(adopted, Submitted::Adopted { id: "7".parse().unwrap() });
    assert_eq!(world.log(&name).await, "done\n");
}

#[tokio::test]
async fn a_task_is_terminated_by_a_later_daemon() {
    let world = World::new();
    let name = world.submit(shell("echo ready; sleep 1000")).await;
    world.logged(&name, "ready").await;
    let mut world = world.restart();
    world.executor.observe(&name).await.unwrap();
    world.executor.cancel(&name).await.unwrap();
    assert_eq!(world.outcome(&name).await.phase, Phase::Cancelled);
}

#[tokio::test]
async fn a_directory_without_a_supervisor_in_which_nothing_ran_is_cleared_away() {
    let mut world = World::new();
    let submission = shell("echo once");
    let name = name_of(&submission);
    let dir = world.task_dir(&name);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("lock"), "").unwrap();
    fs::write(dir.join("run.json"), serde_json::to_vec(&submission.run).unwrap()).unwrap();
    fs::create_dir(world.data().join("tasks/.new-demo-1")).unwrap();
    assert_eq!(world.executor.observe(&name).await.unwrap(), Observed::Absent);
    assert!(!dir.exists());
    let mut world = {
        world = world.restart();
        assert_eq!(fs::read_dir(world.data().join("tasks")).unwrap().count(), 0);
        world
    };
    let (_, outcome) = world.run_to_end(submission).await;
    assert_eq!(outcome.exit_code, Some(0));
}

#[tokio::test]
async fn a_task_that_ran_before_a_reboot_is_lost_and_no_stranger_is_killed() {
    let world = World::new();
    let submission = shell("true");
    let name = name_of(&submission);
    let mut stranger = Process::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    let pid = stranger.id().cast_signed();
    let ticks: u64 = stat(pid).unwrap()[19].parse().unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (ticks, boot, why) in [
        (ticks, "an-earlier-boot", "the machine was restarted while it ran"),
        (ticks - 1, boot.trim(), "its supervisor ended"),
    ] {
        let dir = world.task_dir(&name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("lock"), "").unwrap();
        fs::write(dir.join("run.json"), serde_json::to_vec(&submission.run).unwrap()).unwrap();
        let started = serde_json::json!({
            "at": "2026-01-01T00:00:00Z", "process": { "pid": pid, "ticks": ticks, "boot": boot },
            "mark": "CF_INSTANCE_GUID=nobody", "cgroup": null, "keep_workdir": false,
        });
        fs::write(dir.join("started"), started.to_string()).unwrap();
        let Observed::Finished(outcome) = world.executor.observe(&name).await.unwrap() else {
            panic!("it is lost");
        };
        assert_eq!(outcome.phase, Phase::Lost);
        assert!(outcome.message.starts_with(why), "{outcome:?}");
        assert!(stat(pid).is_some());
        world.executor.delete(&name).await.unwrap();
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
