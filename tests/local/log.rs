//! What a task wrote.

use std::fs;

use futures::TryStreamExt;
use jiff::Timestamp;
use tekcron::app::ByteSize;
use tekcron::executor::{LogQuery, Submission};
use tekcron::task::Phase;

use crate::world::{World, shell, within};

#[tokio::test]
async fn both_streams_are_kept_with_their_times() {
    let mut world = World::new();
    let (name, outcome) =
        world.run("echo out; sleep 0.1; echo err >&2; sleep 0.1; printf 'no newline'").await;
    assert_eq!(world.log(&name).await, "out\nerr\nno newline");
    assert!(outcome.log.kept > 0 && outcome.log.cut == 0, "{outcome:?}");
    let query = LogQuery { timestamps: true, ..LogQuery::default() };
    let log = world.log_with(&name, query).await;
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.splitn(3, ' ').collect()).collect();
    let texts: Vec<_> = lines.iter().map(|line| (line[1], line[2])).collect();
    assert_eq!(texts, [("stdout", "out"), ("stderr", "err"), ("stdout", "no newline")]);
    let times: Vec<Timestamp> = lines.iter().map(|line| line[0].parse().unwrap()).collect();
    assert!(times.is_sorted() && times[0] >= outcome.started.unwrap());
}

#[tokio::test]
async fn the_tail_is_the_last_lines() {
    let mut world = World::new();
    let (name, _) = world.run("seq 1 20000").await;
    let tail = |lines| LogQuery { tail: Some(lines), ..LogQuery::default() };
    assert_eq!(world.log_with(&name, tail(2)).await, "19999\n20000\n");
    assert_eq!(world.log_with(&name, tail(0)).await, "");
    let all: String = (1..=20000).map(|number| format!("{number}\n")).collect();
    assert_eq!(world.log_with(&name, tail(1_000_000)).await, all);
    assert_eq!(world.log(&name).await, all);
    let (quiet, _) = world.run("true").await;
    assert_eq!(world.log(&quiet).await, "");
}

#[tokio::test]
async fn a_followed_log_goes_on_until_the_task_ends() {
    let mut world = World::new();
    let fifo = world.scratch().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let name = world.submit(shell(&format!("seq 1 9; read -r line < {}; echo $line", fifo.display()))).await;
    let query = LogQuery { tail: Some(2), follow: true, timestamps: false };
    world.logged(&name, "9\n").await;
    let mut stream = world.executor.logs(&name, query).await.unwrap();
    assert_eq!(within(stream.try_next()).await.unwrap().unwrap(), "8\n9\n");
    fs::write(&fifo, "go on\n").unwrap();
    let rest: Vec<_> = within(stream.try_collect()).await.unwrap();
    assert_eq!(rest.concat(), b"go on\n");
    assert_eq!(world.outcome(&name).await.phase, Phase::Succeeded);
}

#[tokio::test]
async fn endless_output_fills_neither_disk_nor_memory() {
    let mut world = World::new();
    let max_log = ByteSize::from_mebibytes(1);
    let name = world.submit(Submission { max_log, ..shell("echo first; yes") }).await;
    // The head is full, and so is the tail, many times over.
    let query = LogQuery { follow: true, ..LogQuery::default() };
    let mut stream = world.executor.logs(&name, query).await.unwrap();
    let mut read = 0;
    while read < 4 << 20 {
        read += within(stream.try_next()).await.unwrap().unwrap().len() * 20;
    }
    let status = fs::read_to_string(format!("/proc/{}/status", world.shim(&name))).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 8 << 10, "the shim holds {peak} kB");
    world.executor.cancel(&name).await.unwrap();
    let outcome = world.outcome(&name).await;
    assert!(outcome.log.kept <= max_log.bytes() && outcome.log.kept > max_log.bytes() / 2, "{outcome:?}");
    assert!(outcome.log.cut > 0);
    let files = fs::read_dir(world.task_dir(&name).join("log")).unwrap();
    let on_disk: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(on_disk, outcome.log.kept);
    let log = world.log(&name).await;
    assert!(log.starts_with("first\ny\ny\n"));
    assert!(log.contains(&format!("\n[tekcron: {} bytes cut here]\ny\n", outcome.log.cut)));
    assert_eq!(log.lines().filter(|line| *line != "y").count(), 2);
}

#[tokio::test]
async fn the_log_of_an_ended_task_can_be_removed_alone() {
    let mut world = World::new();
    let fifo = world.scratch().join("go");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let name = world.submit(shell(&format!("echo x; read -r _ < {}", fifo.display()))).await;
    world.logged(&name, "x").await;
    assert!(world.executor.delete_log(&name).await.unwrap_err().to_string().contains("still runs"));
    fs::write(&fifo, "\n").unwrap();
    world.outcome(&name).await;
    world.executor.delete_log(&name).await.unwrap();
    world.executor.delete_log(&name).await.unwrap();
    assert_eq!(world.log(&name).await, "");
    assert!(world.task_dir(&name).join("record").exists());
}
