//! Ends that are asked for, and what is kept of them.

use jiff::SignedDuration;
use tekcron::task::{Phase, Terminated};

use crate::cluster::{Act, Call, LOGS, RUNS};
use crate::world::{Life, World};

const STARTED: &str = "2026-12-01T02:00:05Z";

async fn running(world: &World) -> (Life, String) {
    let life = world.begin().await;
    life.run().await;
    let name = world.created(&[]).await;
    world.cluster.runs_since(&name, STARTED);
    life.comes_to(world, 1, Phase::Running).await;
    (life, name)
}

fn cancels(call: &Call) -> bool {
    call.is("patch", RUNS) && call.body["spec"]["status"] == "Cancelled"
}

async fn log_is(world: &World, life: &Life, text: &str) {
    let name = life.task(1).name;
    let deadline = world.now() + SignedDuration::from_mins(10);
    loop {
        if life.log(&name).await == text {
            return;
        }
        assert!(world.now() < deadline, "its log is {:?}", life.log(&name).await);
        world.pass(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terminating_captures_the_log_and_then_cancels() {
    let world = World::new();
    let (life, name) = running(&world).await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "one\n");
    log_is(&world, &life, "one\n").await;
    // A follow that is behind: what is written now is read before the pod goes.
    world.cluster.writes(&name, "2026-12-01T02:00:07Z", "two\n");
    assert!(matches!(life.terminate(1).await, Terminated::Requested(_)));
    let ended = life.ends(&world, 1).await;
    assert_eq!((ended.phase, ended.exit_code), (Phase::Cancelled, None));
    assert_eq!(ended.started, Some(STARTED.parse().unwrap()));
    assert!(!world.cluster.has_pod(&name), "pod and log go on the cluster");
    assert_eq!(life.log(&ended.name).await, "one\ntwo\n", "and are kept here");
    let calls = world.cluster.look(|state| state.calls.clone());
    let cancelled = calls.iter().position(cancels).unwrap();
    let read = calls[..cancelled].iter().rposition(|call| call.is("get", LOGS)).unwrap();
    assert_eq!(calls[read].query("follow"), "", "all that there is, and then it is cancelled");
    assert!(matches!(life.terminate(1).await, Terminated::AlreadyEnded(_)));
    assert_eq!(calls.iter().filter(|call| cancels(call)).count(), 1);
    life.end(&world).await;
}

/// Tekton says `Cancelled`, and that its time was up, as soon as it has told the pod to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_has_ended_after_its_last_words() {
    for (sample, phase) in [("cancelled", Phase::Cancelled), ("timed-out", Phase::TimedOut)] {
        let world = World::new();
        let (life, name) = running(&world).await;
        world.cluster.writes(&name, "2026-12-01T02:00:06Z", "one\n");
        log_is(&world, &life, "one\n").await;
        world.cluster.becomes_before_its_pod(&name, sample);
        world.pass(5).await;
        world.cluster.writes(&name, "2026-12-01T02:00:08Z", "cleaning up\n");
        log_is(&world, &life, "one\ncleaning up\n").await;
        assert_eq!(life.task(1).phase, Phase::Running, "its process runs on");
        world.cluster.writes(&name, "2026-12-01T02:00:09Z", "last words\n");
        world.cluster.container_ends(&name, "step-user-container");
        let ended = life.ends(&world, 1).await;
        assert_eq!(ended.phase, phase);
        assert_eq!(life.log(&ended.name).await, "one\ncleaning up\nlast words\n");
        life.end(&world).await;
    }
}

/// A pod that nobody ends, since its node is away, does not keep a task alive.
#[tokio::test(flavor = "multi_thread")]
async fn last_words_are_not_waited_for_for_ever() {
    let world = World::new();
    let (life, name) = running(&world).await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "one\n");
    world.cluster.becomes_before_its_pod(&name, "cancelled");
    let since = world.now();
    let ended = life.ends(&world, 1).await;
    assert_eq!(ended.phase, Phase::Cancelled);
    let waited = world.now().duration_since(since);
    assert!((30..60).contains(&waited.as_secs()), "{waited:#}");
    assert_eq!(life.log(&ended.name).await, "one\n");
    life.end(&world).await;
}

/// A log that nobody can read does not keep a task alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_does_not_hold_a_terminate_up() {
    let world = World::new();
    let (life, _) = running(&world).await;
    world.cluster.always("get", LOGS, Act::Hang);
    life.terminate(1).await;
    assert_eq!(life.ends(&world, 1).await.phase, Phase::Cancelled);
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminate_that_comes_too_late_changes_nothing() {
    let world = World::new();
    let (life, name) = running(&world).await;
    world.cluster.with(|state| state.objects.hiding = true);
    world.cluster.becomes(&name, "failed-exit-3");
    world.cluster.with(|state| state.objects.hiding = false);
    life.terminate(1).await;
    let ended = life.ends(&world, 1).await;
    assert_eq!((ended.phase, ended.exit_code), (Phase::Failed, Some(3)));
    life.end(&world).await;
}

/// A durable intent reaches an object of which nobody knew whether it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_came_through_unheard_is_still_ended() {
    let world = World::new();
    world.cluster.always("get", RUNS, Act::Hang);
    world.cluster.always("list", RUNS, Act::Hang);
    world.cluster.next("create", RUNS, 1, Act::CloseAfter);
    let life = world.begin().await;
    life.run().await;
    world.pass_until("it is held", || (life.task(1).reason.as_deref() == Some("Held")).then_some(())).await;
    assert!(matches!(life.terminate(1).await, Terminated::Requested(_)), "nobody knows whether it is there");
    world.pass(60).await;
    assert!(!life.task(1).phase.is_terminal());
    world.cluster.clear_rules();
    let ended = life.ends(&world, 1).await;
    assert_eq!(ended.phase, Phase::Cancelled);
    let name = ended.name.as_str();
    assert_eq!(world.cluster.run(name).unwrap()["spec"]["status"], "Cancelled");
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_surely_got_lost_is_ended_when_it_can_come_through_no_more() {
    let world = World::new();
    world.cluster.always("create", RUNS, Act::CloseBefore);
    let life = world.begin().await;
    let task = life.run().await;
    world.pass_until("it is held", || (life.task(1).reason.as_deref() == Some("Held")).then_some(())).await;
    life.terminate(1).await;
    let ended = life.comes_to(&world, 1, Phase::Cancelled).await;
    let after = ended.finished.unwrap().duration_since(task.created);
    assert!(after >= life.executor.create_may_linger(), "{after:#}");
    life.end(&world).await;
}

/// Whatever byte the connection breaks at.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_breaks_off_goes_on_without_losing_or_doubling() {
    for cut in [0, 10, 31, 33, 40, 64, 90, 100, 140] {
        let world = World::new();
        world.cluster.next("get", LOGS, 3, Act::Cut(cut));
        let (life, name) = running(&world).await;
        let lines = ["first\n", "second, which is longer\n", "second, which is longer\n", "\n", "last\n"];
        for (second, line) in lines.iter().enumerate() {
            world.cluster.writes(&name, &format!("2026-12-01T02:00:0{}.5Z", 5 + second / 2), line);
        }
        log_is(&world, &life, &lines.concat()).await;
        world.cluster.becomes(&name, "succeeded");
        let ended = life.ends(&world, 1).await;
        assert_eq!(life.log(&ended.name).await, lines.concat(), "cut at {cut}");
        life.end(&world).await;
    }
}

/// The node of a pod has begun again, and does not know it for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_begins_again_ends_no_log() {
    let world = World::new();
    world.cluster.next("get", LOGS, 3, Act::no_such_log_on_the_node("web-pod"));
    let (life, name) = running(&world).await;
    world.cluster.writes(&name, "2026-12-01T02:00:05.5Z", "one\n");
    log_is(&world, &life, "one\n").await;
    world.cluster.becomes(&name, "succeeded");
    let ended = life.ends(&world, 1).await;
    assert_eq!(life.log(&ended.name).await, "one\n");
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_log_that_cannot_be_had_is_said() {
    let world = World::new();
    let (life, name) = running(&world).await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "one\n");
    log_is(&world, &life, "one\n").await;
    world.cluster.always("get", LOGS, Act::status(500, "InternalError", "the node is gone"));
    world.cluster.becomes(&name, "succeeded");
    let ended = life.ends(&world, 1).await;
    assert_eq!(ended.phase, Phase::Succeeded);
    let log = life.log(&ended.name).await;
    assert!(log.starts_with("one\n") && log.contains("the rest could not be read from the cluster"), "{log}");
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_shown_in_the_clusters_words_and_given_up_after_a_while() {
    for ahead in [0, 10, -10] {
        let mut world = World::new();
        world.options.unschedulable_after = Some(SignedDuration::from_mins(2));
        // Its clock may be any other.
        let (clock, ahead) = (world.clock.clone(), SignedDuration::from_mins(ahead));
        world.cluster.with(|state| state.clock_is_ahead_of(clock, ahead));
        let life = world.begin().await;
        life.run().await;
        let name = world.created(&[]).await;
        world.cluster.becomes(&name, "quota");
        let quota = || {
            life.task(1).message.filter(|message| message.contains("exceeded quota: q, requested: pods=1"))
        };
        world.pass_until("its quota is shown", quota).await;
        let since = world.now();
        assert_eq!(life.task(1).phase, Phase::Submitted);
        let ended = life.ends(&world, 1).await;
        let waited = ended.finished.unwrap();
        assert!(world.now().duration_since(since) >= SignedDuration::from_secs(110), "{since} to {waited}");
        assert_eq!((ended.phase, ended.exit_code), (Phase::Failed, None));
        assert_eq!(ended.reason.as_deref(), Some("Unschedulable"));
        let message = ended.message.unwrap();
        assert!(
            message.contains("did not start it in time") && message.contains("exceeded quota: q"),
            "{message}"
        );
        life.end(&world).await;
    }
}

/// What it waited before the daemon came counts, by the cluster's own clock.
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_before_a_restart_is_not_waited_for_again() {
    for ahead in [0, 10, -10] {
        let mut world = World::new();
        world.options.unschedulable_after = Some(SignedDuration::from_mins(10));
        let (clock, ahead) = (world.clock.clone(), SignedDuration::from_mins(ahead));
        world.cluster.with(|state| state.clock_is_ahead_of(clock, ahead));
        let life = world.begin().await;
        life.run().await;
        let name = world.created(&[]).await;
        world.cluster.becomes(&name, "unschedulable");
        world.pass(8 * 60).await;
        assert_eq!(life.task(1).phase, Phase::Submitted);
        life.killed().await;
        let life = world.begin().await;
        let since = world.now();
        world.pass(60).await;
        assert_eq!(life.task(1).phase, Phase::Submitted, "not before its time");
        let ended = life.ends(&world, 1).await;
        assert_eq!(ended.reason.as_deref(), Some("Unschedulable"));
        assert!(world.now().duration_since(since) < SignedDuration::from_mins(4), "from {since}");
        life.end(&world).await;
    }
}

/// As those beyond the first few hundred are.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_looked_at_now_and_then_is_here_while_it_runs() {
    let mut world = World::new();
    world.options.max_followed = 0;
    let (life, name) = running(&world).await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "one\n");
    log_is(&world, &life, "one\n").await;
    world.cluster.writes(&name, "2026-12-01T02:00:06Z", "one\n");
    world.cluster.writes(&name, "2026-12-01T02:00:07Z", "begun, ");
    world.pass(20).await;
    world.cluster.writes(&name, "2026-12-01T02:00:08Z", "three\n");
    world.cluster.becomes(&name, "timed-out");
    let ended = life.ends(&world, 1).await;
    assert_eq!(ended.phase, Phase::TimedOut);
    assert_eq!(life.log(&ended.name).await, "one\none\nbegun, ");
    assert!(world.cluster.calls("get", LOGS).iter().all(|call| call.query("follow") != "true"));
    life.end(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_a_little_starts_all_the_same() {
    let mut world = World::new();
    world.options.unschedulable_after = Some(SignedDuration::from_mins(2));
    let life = world.begin().await;
    life.run().await;
    let name = world.created(&[]).await;
    world.cluster.becomes(&name, "unschedulable");
    world.pass(60).await;
    world.cluster.runs_since(&name, STARTED);
    let running = life.comes_to(&world, 1, Phase::Running).await;
    assert_eq!(running.message, None);
    world.pass(300).await;
    assert_eq!(life.task(1).phase, Phase::Running);
    assert_eq!(world.cluster.look(|state| state.calls.iter().filter(|call| cancels(call)).count()), 0);
    life.end(&world).await;
}

/// A clock that differs from the server's changes no decision.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_ten_minutes_off_changes_nothing() {
    for minutes in [10, -10] {
        let world = World::new();
        let (clock, ahead) = (world.clock.clone(), SignedDuration::from_mins(minutes));
        world.cluster.with(|state| state.clock_is_ahead_of(clock, ahead));
        let life = world.begin().await;
        life.run().await;
        let name = world.created(&[]).await;
        let theirs = world.now() + SignedDuration::from_mins(minutes);
        world.cluster.runs_since(&name, &theirs.to_string());
        let running = life.comes_to(&world, 1, Phase::Running).await;
        assert_eq!(running.started, Some(theirs));
        world.cluster.writes(&name, &theirs.to_string(), "hello\n");
        log_is(&world, &life, "hello\n").await;
        world.cluster.is_deleted(&name);
        let ended = life.ends(&world, 1).await;
        assert_eq!(ended.phase, Phase::Cancelled);
        assert!(ended.finished >= ended.started, "{ended:?}");
        assert_eq!(life.log(&ended.name).await, "hello\n");
        life.end(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_deletes_our_own_in_the_background_and_that_object_only() {
    let world = World::new();
    let (life, name) = running(&world).await;
    world.cluster.becomes(&name, "succeeded");
    let ended = life.ends(&world, 1).await;
    let uid = world.cluster.run(&name).unwrap()["metadata"]["uid"].clone();
    life.executor.delete(&ended.name).await.unwrap();
    let delete = world.cluster.calls("delete", RUNS).pop().unwrap();
    assert_eq!(delete.body["propagationPolicy"], "Background");
    assert_eq!(delete.body["preconditions"]["uid"], uid);
    assert_eq!(world.cluster.run(&name), None);
    assert_eq!(life.log(&ended.name).await, "");
    life.executor.delete(&ended.name).await.unwrap();
    assert_eq!(world.cluster.count("delete", RUNS), 1, "what is not there is done");
    life.end(&world).await;
}
