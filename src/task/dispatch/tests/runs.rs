//! One task's life: claimed, submitted, retried, terminated, taken up again.

use super::*;

#[tokio::test]
async fn a_claimed_task_is_submitted_again_after_a_restart_and_runs_once() {
    let world = World::new("2026-01-01T00:00:59Z", &job("schedule = \"* * * * *\""));
    world.executor.state.lock().unwrap().unavailable = true;
    let life = world.begin();
    world.pass_until(&life, "a claim", || !life.tasks().is_empty()).await;
    life.end().await;
    world.executor.state.lock().unwrap().unavailable = false;
    let life = world.begin();
    world.until("it is confirmed", || life.tasks()[0].phase == Phase::Submitted).await;
    life.end().await;
    let life = world.begin();
    assert_eq!(world.executor.submitted().len(), 1);
    assert_eq!(life.tasks().len(), 1);
    life.end().await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_is_the_same_task_also_after_a_restart() {
    let world = World::new("2026-01-01T00:00:30Z", &job(""));
    let life = world.begin();
    let (first, same) = tokio::join!(life.run(Some("k")), life.run(Some("k")));
    let first = first.unwrap();
    assert_eq!(same.unwrap().id, first.id);
    assert_ne!(life.run(Some("other")).await.unwrap().id, first.id);
    life.end().await;
    let life = world.begin();
    assert_eq!(life.run(Some("k")).await.unwrap().id, first.id);
    let request = RunRequest {
        app: "etl".parse().unwrap(),
        job: None,
        display_name: None,
        overrides: crate::task::Overrides::default(),
        builds: None,
        idempotency_key: Some("k".to_owned()),
    };
    assert!(matches!(life.handle.run(request).await, Err(RunError::IdempotencyMismatch)));
    life.end().await;
}

#[tokio::test]
async fn a_failed_task_is_retried_after_its_backoff_as_a_task_of_its_own() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 1, backoff = \"20s\" }"));
    let life = world.begin();
    let first = life.run(None).await.unwrap();
    world.until("submitted", || world.executor.submitted().len() == 1).await;
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    world.until("a retry", || life.tasks().len() == 2).await;
    let retry = life.tasks()[1].clone();
    assert_eq!((retry.trigger, retry.attempt, retry.first_attempt), (Trigger::Retry, 2, Some(first.id)));
    assert_eq!(retry.not_before, Some(at("2026-01-01T00:00:50Z")));
    assert_eq!(world.executor.submitted().len(), 1, "not before its due time");
    world.pass_until(&life, "submitted", || world.executor.submitted().len() == 2).await;
    world.executor.end(&retry.name, Phase::Failed, world.clock.now());
    world.until("the end", || life.tasks()[1].phase == Phase::Failed).await;
    assert_eq!(life.tasks().len(), 2, "one retry and no more");
    life.end().await;
}

#[tokio::test]
async fn a_waiting_retry_survives_a_restart() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 1, backoff = \"20s\" }"));
    let life = world.begin();
    let first = life.run(None).await.unwrap();
    world.until("submitted", || world.executor.submitted().len() == 1).await;
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    world.until("a retry", || life.tasks().len() == 2).await;
    life.end().await;
    let life = world.begin();
    world.pass_until(&life, "submitted", || world.executor.submitted().len() == 2).await;
    life.end().await;
}

#[tokio::test]
async fn terminating_a_waiting_task_ends_it_and_a_running_one_asks_the_executor() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 3, backoff = \"0s\" }"));
    world.executor.state.lock().unwrap().capacity = Some(1);
    let life = world.begin();
    let (running, waiting) = (life.run(None).await.unwrap(), life.run(None).await.unwrap());
    world.until("submitted", || life.tasks()[0].phase == Phase::Submitted).await;
    assert_eq!(life.tasks()[1].phase, Phase::Pending);
    let ended = life.handle.terminate(waiting.app.clone(), waiting.id).await.unwrap();
    assert!(matches!(ended, Terminated::Ended(task) if task.phase == Phase::Cancelled));
    let asked = life.handle.terminate(running.app.clone(), running.id).await.unwrap();
    assert!(matches!(asked, Terminated::Requested(task) if task.terminating.is_some()));
    world.until("a cancel", || world.executor.cancelled() == [running.name.clone()]).await;
    world.executor.end(&running.name, Phase::Cancelled, world.clock.now());
    world.until("the end", || life.tasks()[0].phase == Phase::Cancelled).await;
    let again = life.handle.terminate(running.app.clone(), running.id).await.unwrap();
    assert!(matches!(again, Terminated::AlreadyEnded(_)));
    assert_eq!(life.tasks().len(), 2, "what was terminated is not retried");
    let nobody = life.handle.terminate(running.app.clone(), TaskId(99)).await;
    assert!(matches!(nobody, Err(TerminateError::NoTask { .. })));
    life.end().await;
}

#[tokio::test]
async fn a_task_that_the_executor_no_longer_knows_is_lost() {
    let world = World::new("2026-01-01T00:00:30Z", &job(""));
    let life = world.begin();
    let task = life.run(None).await.unwrap();
    world.until("submitted", || life.tasks()[0].phase == Phase::Submitted).await;
    world.executor.state.lock().unwrap().states.remove(&task.name);
    life.handle.relist().await;
    world.until("lost", || life.tasks()[0].phase == Phase::Lost).await;
    life.end().await;
}

#[tokio::test]
async fn a_refused_task_fails_with_the_words_and_is_not_retried() {
    let world = World::new("2026-01-01T00:00:30Z", &job("retries = { attempts = 3, backoff = \"0s\" }"));
    world.executor.state.lock().unwrap().refusing = true;
    let life = world.begin();
    life.run(None).await.unwrap();
    world.until("failed", || life.tasks()[0].phase == Phase::Failed).await;
    assert_eq!(life.tasks()[0].reason.as_deref(), Some("Bad"));
    assert_eq!(life.tasks().len(), 1);
    life.end().await;
}

#[tokio::test]
async fn a_held_task_is_given_up_when_hold_has_passed() {
    let world = World::new("2026-01-01T00:00:30Z", &job(""));
    world.executor.state.lock().unwrap().unavailable = true;
    let life = world.begin();
    life.run(None).await.unwrap();
    world.pass_until(&life, "given up", || life.tasks()[0].phase == Phase::Failed).await;
    assert_eq!(life.tasks()[0].reason.as_deref(), Some("ExecutorUnavailable"));
    assert!(world.clock.now() > at("2026-01-01T00:05:30Z"), "not before");
    life.end().await;
}

#[tokio::test]
async fn an_idempotency_key_used_again_after_its_time_is_another_run() {
    let world = World::new("2026-01-01T00:00:00Z", &job(""));
    let life = world.begin();
    let first = life.run(Some("nightly")).await.unwrap();
    world.until("submitted", || world.executor.submitted().len() == 1).await;
    world.executor.end(&first.name, Phase::Succeeded, world.clock.now());
    world.until("ended", || life.tasks()[0].phase == Phase::Succeeded).await;
    assert_eq!(life.run(Some("nightly")).await.unwrap().id, first.id, "within its time it is the same task");
    world.set_clock("2026-01-02T01:00:00Z");
    life.store.expire_idempotency(world.clock.now(), SignedDuration::from_hours(24)).unwrap();
    life.store.commit(crate::store::Commit::new()).await.unwrap();
    let second = life.run(Some("nightly")).await.unwrap();
    assert_eq!(second.id, TaskId(2));
    world.until("submitted", || world.executor.submitted().len() == 2).await;
    assert_eq!(life.tasks()[0].phase, Phase::Succeeded, "the first one's record is left alone");
    life.end().await;
}

#[tokio::test]
async fn a_claim_that_got_through_unheard_is_looked_for_before_its_deadline_is_held_against_it() {
    let world = World::new(
        "2026-01-01T00:00:59Z",
        &job("schedule = \"* * * * *\"\nstart_deadline = \"10s\"\ncatch_up = \"none\""),
    );
    world.executor.state.lock().unwrap().unavailable = true;
    let life = world.begin();
    world.pass_until(&life, "a claim", || !life.tasks().is_empty()).await;
    let task = life.tasks()[0].clone();
    life.end().await;
    let running = Observed::Running { started: world.clock.now() };
    world.executor.state.lock().unwrap().states.insert(task.name.clone(), running);
    world.set_clock("2026-01-01T00:01:50Z");
    let life = world.begin();
    world.until("it is found", || life.tasks()[0].phase == Phase::Running).await;
    assert!(world.executor.submitted().is_empty());
    life.end().await;
}

#[tokio::test]
async fn a_wish_to_end_a_task_is_told_again_after_a_restart() {
    let world = World::new("2026-01-01T00:00:00Z", &job(""));
    let life = world.begin();
    let task = life.run(None).await.unwrap();
    world.until("submitted", || life.tasks()[0].phase == Phase::Submitted).await;
    life.handle.terminate(task.app.clone(), task.id).await.unwrap();
    world.until("told", || world.executor.cancelled().len() == 1).await;
    life.end().await;
    let life = world.begin();
    world.until("told again", || world.executor.cancelled().len() == 2).await;
    life.end().await;
}
