//! The API server is away.

use jiff::SignedDuration;
use tekcron::store::{SkipReason, SlotOutcome, SlotRow};
use tekcron::task::{Phase, Trigger};

use crate::cluster::RUNS;
use crate::world::{World, runs};

const EVERY_MINUTE: &str = "[[jobs]]\nname = \"job\"\nschedule = \"* * * * *\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_is_short_delays_and_skips_nothing() {
    let world = World::with("hold = \"5m\"", EVERY_MINUTE);
    let life = world.begin().await;
    world.pass_until("a first run", || (runs(&world) == 1).then_some(())).await;
    world.cluster.goes_away();
    world.pass(150).await;
    assert_eq!(runs(&world), 1);
    let trouble = life.executor.trouble().unwrap();
    assert!(trouble.contains("Connection refused"), "{trouble}");
    let claimed = life.tasks().len();
    assert!(claimed >= 3, "slots are claimed, and wait");
    world.cluster.comes_back();
    world.pass_until("all that waited is created", || (runs(&world) >= claimed).then_some(())).await;
    assert!(life.rows("etl.job").iter().all(|row| matches!(row.outcome, SlotOutcome::Ran { .. })));
    world.pass_until("all is well", || life.executor.trouble().is_none().then_some(())).await;
    assert_eq!(world.cluster.count("create", RUNS), runs(&world), "none was created twice");
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_hold_is_one_range_and_the_latest_is_caught_up() {
    let world = World::with("hold = \"2m\"", EVERY_MINUTE);
    let life = world.begin().await;
    world.pass_until("a first run", || (runs(&world) == 1).then_some(())).await;
    world.cluster.runs_since(&world.cluster.names()[0], "2026-12-01T02:01:01Z");
    life.comes_to(&world, 1, Phase::Running).await;
    world.cluster.goes_away();
    world.pass(20 * 60).await;
    assert!(life.tasks().len() <= 5, "nothing piles up: {}", life.tasks().len());
    assert_eq!(life.task(1).phase, Phase::Running, "what nobody can look at is not lost");
    let back = world.now();
    world.cluster.comes_back();
    let caught_up = || life.tasks().into_iter().find(|task| task.phase == Phase::Submitted);
    world.pass_until("the latest is created", caught_up).await;
    world.pass(90).await;
    let rows = life.rows("etl.job");
    let skipped: Vec<_> = rows
        .iter()
        .filter(|row| row.outcome == SlotOutcome::Skipped { reason: SkipReason::Unreachable })
        .collect();
    // Those that were claimed before `hold` was over are among them; since when it was away stands beside it.
    let [range] = skipped.as_slice() else { panic!("one range: {rows:?}") };
    assert!(range.last.duration_since(range.first) >= SignedDuration::from_mins(14), "{rows:?}");
    let note = range.note.as_deref().unwrap();
    let since: jiff::Timestamp = note.strip_prefix("since ").unwrap().parse().unwrap();
    assert!(range.first.duration_since(since).abs() <= SignedDuration::from_mins(1), "{range:?}");
    let claimed =
        life.tasks().into_iter().filter(|task| task.reason.as_deref() == Some("ClusterUnreachable"));
    let claimed: Vec<_> = claimed.map(|task| task.scheduled.unwrap()).collect();
    assert!(
        claimed.len() >= 2 && claimed.iter().all(|slot| range.first <= *slot && *slot <= range.last),
        "{rows:?}"
    );
    let follow =
        |pair: &[SlotRow]| pair[1].first.duration_since(pair[0].last) == SignedDuration::from_mins(1);
    assert!(rows.windows(2).all(follow), "every minute has its row: {rows:?}");
    // No more runs than the latest and what is within `hold`.
    let after: Vec<_> = rows.iter().filter(|row| row.first > range.last).collect();
    assert!(
        after.iter().all(|row| matches!(row.outcome, SlotOutcome::Ran { .. } | SlotOutcome::CaughtUp { .. })),
        "{rows:?}"
    );
    assert!(after.iter().any(|row| row.first <= back), "{rows:?}");
    let catch_ups = life.tasks().iter().filter(|task| task.trigger == Trigger::CatchUp).count();
    assert!(catch_ups <= 1, "{:?}", life.tasks());
    assert!(runs(&world) <= 7, "no flood: {}", runs(&world));
    // The run of before is found as it is.
    let first = world.cluster.names().into_iter().find(|name| life.task(1).name.as_str() == name).unwrap();
    world.cluster.becomes(&first, "succeeded");
    assert_eq!(life.ends(&world, 1).await.phase, Phase::Succeeded);
    life.end(&world).await;
}

/// The daemon starts, and serves, while nobody answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_cluster_loses_nothing_either() {
    let world = World::new();
    let life = world.begin().await;
    life.run().await;
    let name = world.created(&[]).await;
    world.cluster.runs_since(&name, "2026-12-01T02:00:05Z");
    life.comes_to(&world, 1, Phase::Running).await;
    life.killed().await;
    world.cluster.goes_away();
    let life = world.begin().await;
    world.pass(60).await;
    assert_eq!(life.task(1).phase, Phase::Running);
    world.cluster.comes_back();
    world.cluster.becomes(&name, "failed-exit-3");
    assert_eq!(life.ends(&world, 1).await.exit_code, Some(3));
    assert_eq!(world.cluster.count("create", RUNS), 1);
    life.end(&world).await;
}
