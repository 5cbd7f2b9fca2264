//! From a created object to a recorded end.

use tekcron::executor::label;
use tekcron::task::Phase;

use crate::cluster::{LOGS, RUNS, TASK_RUNS};
use crate::world::World;

const STARTED: &str = "2026-12-01T02:00:05Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_succeeds_and_its_log_is_here() {
    let world = World::new();
    let life = world.begin().await;
    let task = life.run().await;
    let name = world.created(&[]).await;
    assert_eq!(name, task.name.as_str());
    life.comes_to(&world, 1, Phase::Submitted).await;
    world.cluster.runs_since(&name, STARTED);
    world.cluster.writes(&name, "2026-12-01T02:00:05.1Z", "hello\n");
    let running = life.comes_to(&world, 1, Phase::Running).await;
    assert_eq!(running.started, Some(STARTED.parse().unwrap()));
    world.cluster.writes(&name, "2026-12-01T02:00:06.2Z", "bye");
    world.cluster.becomes(&name, "succeeded");
    let ended = life.ends(&world, 1).await;
    assert_eq!((ended.phase, ended.exit_code), (Phase::Succeeded, Some(0)));
    assert_eq!(ended.reason.as_deref(), Some("Completed"));
    assert_eq!(life.log(&task.name).await, "hello\nbye");
    assert!(ended.log.kept > 0);
    let run = world.cluster.run(&name).unwrap();
    assert_eq!(run["metadata"]["labels"][label::RECORDED], "true");
    // The TaskRun is watched in vain from now on.
    let labelled = |state: &crate::cluster::State| {
        state
            .objects
            .all(TASK_RUNS)
            .all(|task_run| task_run["metadata"]["labels"][label::RECORDED] == "true")
            .then_some(())
    };
    world.cluster.when("its TaskRun is labelled", labelled).await;
    assert_eq!(world.cluster.count("create", RUNS), 1);
    assert!(world.cluster.count("get", LOGS) > 0);
    assert_eq!(life.executor.trouble(), None);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_is_told() {
    let world = World::new();
    let life = world.begin().await;
    life.run().await;
    let name = world.created(&[]).await;
    world.cluster.runs_since(&name, STARTED);
    world.cluster.becomes(&name, "failed-exit-3");
    let ended = life.ends(&world, 1).await;
    assert_eq!((ended.phase, ended.exit_code), (Phase::Failed, Some(3)));
    assert_eq!(ended.message.as_deref(), Some("it ended with exit code 3"));
    life.end(&world).await;
}
