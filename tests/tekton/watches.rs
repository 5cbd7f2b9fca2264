//! Watches that end, break, forget and lose; runs that others delete.

use std::time::Duration;

use tekcron::task::Phase;

use crate::cluster::{Act, LOGS, RUNS, TASK_RUNS};
use crate::world::{Life, World, has_finalizer};

const STARTED: &str = "2026-12-01T02:00:05Z";

/// A run that the cluster has taken.
async fn submitted(world: &World) -> (Life, String) {
    let life = world.begin().await;
    life.run().await;
    let name = world.created(&[]).await;
    life.comes_to(world, 1, Phase::Submitted).await;
    (life, name)
}

async fn watched(world: &World, times: usize) {
    let both =
        || world.cluster.count("watch", RUNS) >= times && world.cluster.count("watch", TASK_RUNS) >= times;
    world.pass_until("all is watched", || both().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_are_forgotten_are_listed_anew() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    watched(&world, 1).await;
    let lists = world.cluster.count("list", RUNS);
    world.cluster.with(|state| state.objects.hiding = true);
    world.cluster.runs_since(&name, STARTED);
    world.cluster.becomes(&name, "failed-exit-3");
    world.cluster.with(|state| state.objects.hiding = false);
    world.cluster.compact();
    let ended = life.ends(&world, 1).await;
    assert_eq!(ended.exit_code, Some(3));
    assert!(world.cluster.count("list", RUNS) > lists);
    assert_eq!(life.executor.trouble(), None, "that versions are forgotten is as usual");
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_ends_all_the_time_loses_nothing() {
    let world = World::new();
    world.cluster.always("watch", RUNS, Act::EndAfter(Duration::from_millis(100)));
    world.cluster.always("watch", TASK_RUNS, Act::EndAfter(Duration::from_millis(100)));
    let (life, name) = submitted(&world).await;
    watched(&world, 4).await;
    world.cluster.runs_since(&name, STARTED);
    life.comes_to(&world, 1, Phase::Running).await;
    world.cluster.becomes(&name, "succeeded");
    assert_eq!(life.ends(&world, 1).await.phase, Phase::Succeeded);
    assert_eq!(life.executor.trouble(), None);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_breaks_in_the_middle_of_an_event_goes_on_before_it() {
    let world = World::new();
    world.cluster.next("watch", RUNS, 2, Act::Cut(700));
    let (life, name) = submitted(&world).await;
    world.cluster.runs_since(&name, STARTED);
    world.cluster.becomes(&name, "succeeded");
    assert_eq!(life.ends(&world, 1).await.phase, Phase::Succeeded);
    world.pass_until("all is well", || life.executor.trouble().is_none().then_some(())).await;
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_from_the_latest_bookmark() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    watched(&world, 1).await;
    let version = world.cluster.with(|state| {
        // What others do moves the version on.
        for _ in 0..50 {
            state.objects.bookmark("others");
        }
        state.objects.bookmark(RUNS);
        state.objects.version
    });
    world.cluster.end_watches();
    let from_there = || {
        let watches = world.cluster.calls("watch", RUNS);
        watches.iter().any(|watch| watch.query("resourceVersion") == version.to_string()).then_some(())
    };
    // The bookmark may reach it only with the next watch.
    let again = || {
        world.cluster.end_watches();
        from_there()
    };
    world.until("it goes on from there", again).await;
    assert_eq!(world.cluster.count("list", RUNS), 1);
    world.cluster.becomes(&name, "succeeded");
    life.ends(&world, 1).await;
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_got_lost_is_found_by_the_list_at_intervals() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    watched(&world, 1).await;
    world.cluster.with(|state| state.objects.hiding = true);
    world.cluster.runs_since(&name, STARTED);
    world.cluster.becomes(&name, "succeeded");
    world.cluster.with(|state| state.objects.hiding = false);
    world.pass(30).await;
    assert_eq!(life.task(1).phase, Phase::Submitted);
    assert_eq!(life.ends(&world, 1).await.phase, Phase::Succeeded);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages() {
    let world = World::new();
    let life = world.begin().await;
    for _ in 0..300 {
        life.run().await;
    }
    let created = || world.cluster.look(|state| state.objects.all(RUNS).count()) == 300;
    world.until("all are created", || created().then_some(())).await;
    life.killed().await;
    for name in world.cluster.names() {
        world.cluster.becomes(&name, "failed-exit-3");
    }
    let life = world.begin().await;
    let ended = || life.tasks().iter().all(|task| task.exit_code == Some(3));
    world.until("all have ended", || ended().then_some(())).await;
    let more = |call: &crate::cluster::Call| !call.query("continue").is_empty();
    assert!(world.cluster.calls("list", RUNS).iter().any(more));
    assert_eq!(world.cluster.count("create", RUNS), 300);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_others_delete_while_it_runs_is_captured_recorded_and_let_go() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    world.cluster.runs_since(&name, STARTED);
    life.comes_to(&world, 1, Phase::Running).await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "the last words\n");
    world.cluster.is_deleted(&name);
    assert!(world.cluster.has_pod(&name), "the finalizer holds it");
    let ended = life.ends(&world, 1).await;
    assert_eq!(ended.phase, Phase::Cancelled);
    assert!(ended.message.as_deref().unwrap().contains("deleted on the cluster"), "{ended:?}");
    assert_eq!(ended.exit_code, None);
    assert_eq!(life.log(&ended.name).await, "the last words\n");
    assert_eq!(world.cluster.run(&name), None);
    world.cluster.collects_garbage();
    assert!(!world.cluster.has_pod(&name));
    assert_eq!(life.task(1).phase, Phase::Cancelled);
    assert_eq!(world.cluster.count("create", RUNS), 1);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_others_delete_when_it_has_ended_keeps_its_outcome() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    world.cluster.runs_since(&name, STARTED);
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "the last words\n");
    // It is deleted before anybody could record it.
    world.cluster.always("get", LOGS, Act::Hang);
    world.cluster.becomes(&name, "failed-exit-3");
    world.cluster.is_deleted(&name);
    world.pass(3).await;
    assert!(has_finalizer(&world.cluster.run(&name).unwrap()));
    world.cluster.clear_rules();
    let ended = life.ends(&world, 1).await;
    assert_eq!((ended.phase, ended.exit_code), (Phase::Failed, Some(3)));
    assert_eq!(life.log(&ended.name).await, "the last words\n");
    assert_eq!(world.cluster.run(&name), None);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_finalizer_a_run_that_others_delete_is_lost_or_its_known_end() {
    let world = World::with("finalizer = false", "");
    let (life, name) = submitted(&world).await;
    assert!(!has_finalizer(&world.cluster.run(&name).unwrap()));
    world.cluster.runs_since(&name, STARTED);
    life.comes_to(&world, 1, Phase::Running).await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "some words\n");
    let name_of_task = life.task(1).name;
    while life.log(&name_of_task).await.is_empty() {
        world.pass(1).await;
    }
    world.cluster.is_deleted(&name);
    let lost = life.comes_to(&world, 1, Phase::Lost).await;
    assert!(lost.message.as_deref().unwrap().contains("last seen"), "{lost:?}");
    assert!(lost.log.kept > 0, "what was copied is on record: {lost:?}");
    assert_eq!(life.log(&lost.name).await, "some words\n");

    life.run().await;
    let second = world.created(&[]).await;
    world.cluster.runs_since(&second, STARTED);
    life.comes_to(&world, 2, Phase::Running).await;
    world.cluster.always("get", LOGS, Act::Hang);
    world.cluster.becomes(&second, "failed-exit-3");
    world.pass(2).await;
    world.cluster.is_deleted(&second);
    world.cluster.clear_rules();
    let ended = life.comes_to(&world, 2, Phase::Failed).await;
    assert_eq!(ended.exit_code, Some(3));
    life.end(&world).await;
}

/// Its finalizers change between the look and the patch: others' stay.
#[tokio::test(flavor = "multi_thread")]
async fn the_finalizers_of_others_stay() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    world.cluster.with(|state| {
        state.objects.hiding = true;
        let done = state.objects.change(RUNS, &name, |run| {
            run["metadata"]["finalizers"] = serde_json::json!(["chains.tekton.dev/x", "tekcron.dev/outcome"]);
            Ok(())
        });
        done.unwrap();
        state.objects.hiding = false;
    });
    world.cluster.becomes(&name, "succeeded");
    life.ends(&world, 1).await;
    let run = world.cluster.run(&name).unwrap();
    assert_eq!(run["metadata"]["finalizers"], serde_json::json!(["chains.tekton.dev/x"]));
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_is_made_good() {
    let world = World::new();
    let (life, name) = submitted(&world).await;
    world.cluster.next("patch", RUNS, 1, Act::status(503, "ServiceUnavailable", "not now"));
    world.cluster.becomes(&name, "succeeded");
    life.comes_to(&world, 1, Phase::Succeeded).await;
    world.until("a release failed", || (world.cluster.count("patch", RUNS) == 1).then_some(())).await;
    assert!(has_finalizer(&world.cluster.run(&name).unwrap()));
    life.ends(&world, 1).await;
    life.end(&world).await;
}
