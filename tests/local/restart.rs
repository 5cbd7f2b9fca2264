//! The daemon goes while tasks run.

use std::fs;
use std::process::{Command as Process, Stdio};
use std::task::Poll;

use rustix::process::{Flock, FlockType, Signal, fcntl_getlk, kill_process};
use tekcron::executor::{Observed, Submitted};
use tekcron::task::Phase;

use crate::world::{World, name_of, shell, stat, within};

#[tokio::test]
async fn a_task_outlives_the_daemon_and_its_end_is_observed() {
    let world = World::new();
    let fifo = world.scratch().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let submission = shell(&format!("echo before; read -r line < {}; echo $line; exit 7", fifo.display()));
    let name = world.submit(submission.clone()).await;
    world.logged(&name, "before").await;
    // Signals to the daemon's group and terminal reach neither.
    let (shim, command) = (world.shim(&name), world.pid(&name));
    let session_of = |pid| -> i32 { stat(pid).unwrap()[3].parse().unwrap() };
    assert_eq!([session_of(shim), session_of(command)], [shim, shim]);
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
    let world = world.restart_when_ended(&name).await;
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
    fs::write(dir.join("record"), serde_json::to_string(&submission.run).unwrap() + "\n").unwrap();
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
async fn a_daemon_that_goes_while_it_submits_starts_nothing_twice() {
    for polls in 0..12 {
        let mut world = World::new();
        let runs = world.scratch().join("runs");
        let submission = shell(&format!("echo x >> {}", runs.display()));
        let name = name_of(&submission);
        {
            let executor = std::sync::Arc::clone(&world.executor);
            let mut submitting = executor.submit(submission.clone());
            let mut left = polls;
            // Dropped after so many polls, wherever it is by then.
            within(std::future::poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(());
                }
                left -= 1;
                submitting.as_mut().poll(context).map(drop)
            }))
            .await;
        }
        world = world.restart();
        let answer = world.executor.submit(submission).await;
        assert!(matches!(answer, Ok(Submitted::Created | Submitted::Adopted { .. })), "{polls}: {answer:?}");
        if !matches!(world.executor.observe(&name).await.unwrap(), Observed::Finished(_)) {
            world.outcome(&name).await;
        }
        assert_eq!(fs::read_to_string(runs).unwrap(), "x\n", "{polls}");
    }
}

#[tokio::test]
async fn a_supervisor_killed_at_any_moment_leaves_nothing_that_runs_unseen() {
    let mut world = World::new();
    let runs = world.scratch().join("runs");
    fs::create_dir(&runs).unwrap();
    let (mut nothing_ran, mut lost) = (0, 0);
    for round in 0..60 {
        let mark = runs.join(round.to_string());
        let submission = shell(&format!("echo x >> {}; exec sleep 1000", mark.display()));
        let name = world.submit(submission).await;
        // Later from round to round; every other time not before the command may run.
        while round % 2 == 1 && world.started(&name).is_none() {
            tokio::task::yield_now().await;
        }
        (0..round * 2000).for_each(|_| std::hint::spin_loop());
        let lock = fs::File::open(world.task_dir(&name).join("record")).unwrap();
        let holder = fcntl_getlk(&lock, &Flock::from(FlockType::WriteLock)).unwrap().unwrap();
        kill_process(holder.pid.unwrap(), Signal::KILL).unwrap();
        let end = world.until(&name, |state| matches!(state, Observed::Finished(_) | Observed::Absent)).await;
        match end {
            Observed::Absent => {
                nothing_ran += 1;
                assert!(!mark.exists(), "round {round}");
            }
            Observed::Finished(outcome) => {
                lost += 1;
                assert_eq!(outcome.phase, Phase::Lost, "round {round}");
            }
            other => panic!("round {round}: {other:?}"),
        }
        assert_eq!(
            world.executor.observe(&name).await.is_ok_and(|seen| seen == Observed::Absent),
            !world.task_dir(&name).exists()
        );
    }
    assert!(nothing_ran > 0 && lost > 0, "{nothing_ran} times nothing ran, {lost} times it was lost");
    let sleeping = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let environment = fs::read(entry.unwrap().path().join("environ")).ok()?;
        let home = format!("HOME={}", world.data().display());
        environment.split(|byte| *byte == 0).any(|line| line.starts_with(home.as_bytes())).then_some(())
    });
    assert_eq!(sleeping.count(), 0);
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
        let started = serde_json::json!({ "started": {
            "at": "2026-01-01T00:00:00Z", "process": { "pid": pid, "ticks": ticks, "boot": boot },
            "mark": "CF_INSTANCE_GUID=nobody", "cgroup": null, "keep_workdir": false,
        }});
        let run = serde_json::to_string(&submission.run).unwrap();
        fs::write(dir.join("record"), format!("{run}\n{started}\n")).unwrap();
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
