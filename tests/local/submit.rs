//! Taking tasks, once each.

use std::collections::BTreeSet;
use std::fs;

use futures::future::join_all;
use tekcron::executor::{SubmitError, Submitted};
use tekcron::task::Phase;

use crate::world::{World, name_of, shell};

#[tokio::test]
async fn a_name_is_taken_once_however_many_try() {
    let mut world = World::new();
    let runs = world.scratch().join("runs");
    let submission = shell(&format!("echo x >> {}", runs.display()));
    let name = name_of(&submission);
    let all = join_all((0..10).map(|_| world.executor.submit(submission.clone()))).await;
    let created = all.iter().filter(|answer| matches!(answer, Ok(Submitted::Created))).count();
    let adopted = all.iter().filter(|answer| matches!(answer, Ok(Submitted::Adopted { .. }))).count();
    assert_eq!((created, adopted), (1, 9), "{all:?}");
    assert_eq!(world.outcome(&name).await.phase, Phase::Succeeded);
    let again = world.executor.submit(submission).await.unwrap();
    assert_eq!(again, Submitted::Adopted { id: "7".parse().unwrap() });
    assert_eq!(fs::read_to_string(runs).unwrap(), "x\n");
    let left = fs::read_dir(world.data().join("tasks")).unwrap().count();
    assert_eq!(left, 1, "those who came late left nothing");
}

#[tokio::test]
async fn another_run_under_the_name_is_refused() {
    let mut world = World::new();
    let first = shell("true");
    let mut other = first.clone();
    let attempt = tekcron::executor::label::ATTEMPT.to_owned();
    other.run.metadata.annotations.as_mut().unwrap().insert(attempt, "2".into());
    let name = world.submit(first).await;
    let refused = world.executor.submit(other).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Refused { reason, .. } if reason == "NameTaken"), "{refused:?}");
    assert!(refused.to_string().contains("attempt"), "{refused}");
    world.outcome(&name).await;
}

#[tokio::test]
async fn the_adopted_id_is_the_one_on_the_object() {
    let mut world = World::new();
    let first = shell("true");
    let mut again = first.clone();
    let id = tekcron::executor::label::TASK_ID.to_owned();
    again.run.metadata.labels.as_mut().unwrap().insert(id, "8".into());
    let name = world.submit(first).await;
    let adopted = world.executor.submit(again).await.unwrap();
    assert_eq!(adopted, Submitted::Adopted { id: "7".parse().unwrap() });
    world.outcome(&name).await;
}

#[tokio::test]
async fn a_shim_that_cannot_be_started_makes_the_executor_unavailable() {
    let dir = tempfile::TempDir::new().unwrap();
    let settings = tekcron::executor::local::LocalSettings {
        data_dir: dir.path().to_owned(),
        max_children: 1,
        shim: "/no/such/tekcron".into(),
    };
    let clock = std::sync::Arc::new(tekcron::clock::SystemClock::new());
    let executor = tekcron::executor::local::LocalExecutor::open(settings, clock).unwrap();
    for _ in 0..2 {
        let unavailable = executor.submit(shell("true")).await.unwrap_err();
        assert!(matches!(unavailable, SubmitError::Unavailable { .. }), "{unavailable:?}");
    }
}

#[tokio::test]
async fn three_hundred_tasks_go_through_room_for_eight() {
    const TASKS: usize = 300;
    const ROOM: usize = 8;
    let mut world = World::with_room(ROOM);
    assert_eq!(world.executor.capacity(), ROOM);
    let counter = world.scratch().join("running");
    fs::create_dir(&counter).unwrap();
    let line = format!("mkdir {0}/$$; ls {0} | wc -l; rmdir {0}/$$", counter.display());
    let submissions: Vec<_> = (0..TASKS).map(|_| shell(&line)).collect();
    let mut names: BTreeSet<_> = submissions.iter().map(name_of).collect();
    let executor = std::sync::Arc::clone(&world.executor);
    let submitted = tokio::spawn(async move {
        join_all(submissions.into_iter().map(|submission| executor.submit(submission))).await
    });
    while !names.is_empty() {
        let (name, outcome) = world.next_end().await;
        assert_eq!(outcome.phase, Phase::Succeeded, "{outcome:?}");
        let running: usize = world.log(&name).await.trim().parse().unwrap();
        assert!((1..=ROOM).contains(&running), "{running} ran at once");
        assert!(names.remove(&name), "{name} ended twice");
    }
    assert!(submitted.await.unwrap().iter().all(|answer| matches!(answer, Ok(Submitted::Created))));
}
