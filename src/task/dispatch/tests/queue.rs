//! What waits: behind runs of its job, behind limits; in which order it starts, also after a restart.

use super::*;
use crate::schedule::Blocker;
use crate::task::{Overrides, QueueQuery};

/// Two Apps, `etl` and `mail`, with these settings and the same job.
fn apps(settings: &str, app: &str, jobs: &str) -> Arc<Config> {
    let text = |name: &str| format!("[app]\nname = \"{name}\"\ncommand = \"true\"\n{app}\n{jobs}");
    Arc::new(Config::from_toml(settings, &[&text("etl"), &text("mail")]).unwrap())
}

fn world(config: Arc<Config>) -> World {
    World { config, ..World::new("2026-01-01T00:00:30Z", &job("")) }
}

async fn run(life: &Life, app: &str, overlap: Option<&str>) -> Result<Task, RunError> {
    let request = RunRequest {
        app: app.parse().unwrap(),
        job: Some("job".parse().unwrap()),
        display_name: None,
        overrides: Overrides { overlap: overlap.map(|word| word.parse().unwrap()), ..Overrides::default() },
        builds: None,
        idempotency_key: None,
    };
    life.handle.run(request).await
}

async fn queue(life: &Life) -> Vec<(String, u64, Option<Blocker>)> {
    let query = QueueQuery { app: None, after: None, limit: 1000 };
    let entries = life.handle.queue(query).await.unwrap();
    entries.into_iter().map(|e| (e.task.app.to_string(), e.task.id.0, e.waits_for)).collect()
}

fn waiting(entries: &[(String, u64, Option<Blocker>)]) -> Vec<(&str, u64)> {
    entries.iter().map(|(app, id, _)| (app.as_str(), *id)).collect()
}

impl World {
    /// Ends a task well, and waits until that is on record.
    async fn finish(&self, life: &Life, task: &Task) {
        self.until("submitted", || self.executor.submitted().contains(&task.name)).await;
        self.executor.end(&task.name, Phase::Succeeded, self.clock.now());
        let ended = || life.store.task(&task.app, task.id).unwrap().unwrap().phase == Phase::Succeeded;
        self.until("ended", ended).await;
    }

    async fn submitted(&self, tasks: &[&Task]) {
        let names: Vec<_> = tasks.iter().map(|task| task.name.clone()).collect();
        self.until("exactly these are submitted", || self.executor.submitted() == names).await;
    }
}

#[tokio::test]
async fn queue_one_lets_one_wait_and_skips_what_is_due_meanwhile() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"queue-one\""));
    let life = world.begin();
    world
        .pass_until(&life, "four slots", || {
            life.rows().last().is_some_and(|row| row.last >= at("2026-01-01T00:04:00Z"))
        })
        .await;
    let tasks = life.tasks();
    assert_eq!(tasks.iter().map(|task| task.phase).collect::<Vec<_>>(), [Phase::Submitted, Phase::Queued]);
    let skipped = SlotOutcome::Skipped { reason: SkipReason::Overlap { task: tasks[1].id } };
    assert_eq!(life.rows()[2].outcome, skipped, "it names the run that waits");
    assert_eq!((life.rows().len(), life.rows()[2].first), (3, at("2026-01-01T00:03:00Z")));
    world.finish(&life, &tasks[0]).await;
    world.submitted(&[&tasks[0], &tasks[1]]).await;
    life.end().await;
}

#[tokio::test]
async fn queue_all_starts_each_in_its_order_also_after_a_restart_and_once() {
    let world = World::new("2026-01-01T00:00:30Z", &job("overlap = \"queue-all\""));
    let life = world.begin();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(run(&life, "etl", None).await.unwrap());
    }
    world.submitted(&[&tasks[0]]).await;
    let runs = |id| Some(Blocker::Run(TaskId(id)));
    let expected = [(2, runs(1)), (3, runs(1)), (4, runs(1))].map(|(id, why)| ("etl".to_owned(), id, why));
    assert_eq!(queue(&life).await, expected);
    life.end().await;
    let life = world.begin();
    assert_eq!(queue(&life).await, expected);
    world.finish(&life, &tasks[0]).await;
    world.submitted(&[&tasks[0], &tasks[1]]).await;
    life.end().await;
    let life = world.begin();
    for task in &tasks[1..] {
        world.finish(&life, task).await;
    }
    world.submitted(&tasks.iter().collect::<Vec<_>>()).await;
    life.end().await;
}

#[tokio::test]
async fn replace_now_starts_beside_the_run_that_it_ends() {
    let world = World::new("2026-01-01T00:00:30Z", &job("overlap = \"replace-now\""));
    let life = world.begin();
    let first = run(&life, "etl", None).await.unwrap();
    world.submitted(&[&first]).await;
    let second = run(&life, "etl", None).await.unwrap();
    world.submitted(&[&first, &second]).await;
    world.until("a cancel", || world.executor.cancelled() == [first.name.clone()]).await;
    life.end().await;
}

#[tokio::test]
async fn a_limit_of_an_app_and_one_of_a_group_hold_together_and_whoever_waited_longest_starts() {
    let config = apps("[groups.db]\nmax_running = 2\n", "group = \"db\"\nmax_running = 1", &job(""));
    let world = world(config);
    let life = world.begin();
    let etl = run(&life, "etl", None).await.unwrap();
    let etl2 = run(&life, "etl", None).await.unwrap();
    let mail = run(&life, "mail", None).await.unwrap();
    let mail2 = run(&life, "mail", None).await.unwrap();
    world.submitted(&[&etl, &mail]).await;
    let waits = queue(&life).await;
    assert_eq!(waiting(&waits), [("etl", 2), ("mail", 2)]);
    assert!(waits.iter().all(|(_, _, why)| matches!(why, Some(Blocker::App(limit)) if limit.most == 1)));
    // The group has room, and the oldest that waits may not use it.
    world.finish(&life, &mail).await;
    world.submitted(&[&etl, &mail, &mail2]).await;
    world.finish(&life, &etl).await;
    world.submitted(&[&etl, &mail, &mail2, &etl2]).await;
    life.end().await;
}

#[tokio::test]
async fn a_group_without_room_holds_up_only_its_own() {
    let jobs = format!("{}\n[[jobs]]\nname = \"free\"\n", job("group = \"db\""));
    let world = world(apps("[groups.db]\nmax_running = 1\n", "max_running = 2", &jobs));
    let life = world.begin();
    let first = run(&life, "etl", None).await.unwrap();
    let waits = run(&life, "etl", None).await.unwrap();
    let free = RunRequest {
        app: "etl".parse().unwrap(),
        job: Some("free".parse().unwrap()),
        display_name: None,
        overrides: Overrides::default(),
        builds: None,
        idempotency_key: None,
    };
    let beside = life.handle.run(free).await.unwrap();
    world.submitted(&[&first, &beside]).await;
    assert!(matches!(queue(&life).await.as_slice(), [(_, 2, Some(Blocker::App(_)))]));
    world.finish(&life, &beside).await;
    assert!(matches!(queue(&life).await.as_slice(), [(_, 2, Some(Blocker::Group(_)))]));
    world.finish(&life, &first).await;
    world.submitted(&[&first, &beside, &waits]).await;
    life.end().await;
}

#[tokio::test]
async fn an_edit_that_raises_a_limit_starts_what_waits_and_one_that_lowers_it_ends_nothing() {
    let with = |most| apps("", &format!("max_running = {most}"), &job(""));
    let world = world(with(1));
    let life = world.begin();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(run(&life, "etl", None).await.unwrap());
    }
    world.submitted(&[&tasks[0]]).await;
    life.handle.reload(with(3)).await.unwrap();
    world.submitted(&[&tasks[0], &tasks[1], &tasks[2]]).await;
    life.handle.reload(with(2)).await.unwrap();
    world.finish(&life, &tasks[0]).await;
    assert_eq!(waiting(&queue(&life).await), [("etl", 4)], "two still run");
    world.finish(&life, &tasks[1]).await;
    world.submitted(&tasks.iter().collect::<Vec<_>>()).await;
    life.end().await;
}

#[tokio::test]
async fn a_retry_keeps_its_jobs_turn_and_waits_for_room_like_others() {
    let keys = "overlap = \"queue-all\"\nretries = { attempts = 1, backoff = \"20s\" }";
    let world = world(apps("", "max_running = 1", &format!("{}\n[[jobs]]\nname = \"other\"\n", job(keys))));
    let life = world.begin();
    let first = run(&life, "etl", None).await.unwrap();
    let next = run(&life, "etl", None).await.unwrap();
    world.submitted(&[&first]).await;
    let other = RunRequest {
        app: "etl".parse().unwrap(),
        job: Some("other".parse().unwrap()),
        display_name: None,
        overrides: Overrides::default(),
        builds: None,
        idempotency_key: None,
    };
    let other = life.handle.run(other).await.unwrap();
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    // The other job takes the room; the next run of this one does not take its turn.
    world.submitted(&[&first, &other]).await;
    world.pass_until(&life, "the retry waits", || life.tasks().len() == 4).await;
    let retry = life.tasks()[3].clone();
    assert_eq!(retry.trigger, Trigger::Retry);
    world.set_clock("2026-01-01T00:00:55Z");
    world.pass_until(&life, "it is due", || world.clock.now() > at("2026-01-01T00:01:05Z")).await;
    let waits = queue(&life).await;
    assert_eq!(waiting(&waits), [("etl", 2), ("etl", 4)]);
    assert_eq!(waits[0].2, Some(Blocker::Run(retry.id)));
    world.finish(&life, &other).await;
    world.submitted(&[&first, &other, &retry]).await;
    world.finish(&life, &retry).await;
    world.submitted(&[&first, &other, &retry, &next]).await;
    life.end().await;
}

#[tokio::test]
async fn what_is_moved_to_the_front_starts_next_also_after_a_restart() {
    let world = world(apps("", "max_running = 1", &job("")));
    let life = world.begin();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(run(&life, "etl", None).await.unwrap());
    }
    for moved in [&tasks[2], &tasks[3]] {
        life.handle.move_to_front(moved.app.clone(), moved.id).await.unwrap();
    }
    assert_eq!(waiting(&queue(&life).await), [("etl", 4), ("etl", 3), ("etl", 2)]);
    life.end().await;
    let life = world.begin();
    assert_eq!(waiting(&queue(&life).await), [("etl", 4), ("etl", 3), ("etl", 2)]);
    for task in [&tasks[0], &tasks[3], &tasks[2], &tasks[1]] {
        world.finish(&life, task).await;
    }
    world.submitted(&[&tasks[0], &tasks[3], &tasks[2], &tasks[1]]).await;
    life.store.commit(Commit::new()).await.unwrap();
    assert_eq!(life.store.fronts().unwrap(), [], "nothing of it is left behind");
    life.end().await;
}

#[tokio::test]
async fn what_is_dropped_never_starts_and_its_slot_says_so() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"queue-all\""));
    let life = world.begin();
    world.pass_until(&life, "three slots", || life.rows().len() >= 3).await;
    let tasks = life.tasks();
    let dropped = life.handle.drop_waiting(tasks[1].app.clone(), tasks[1].id).await.unwrap();
    assert_eq!((dropped.phase, dropped.reason.as_deref()), (Phase::Cancelled, Some("Dropped")));
    let reason = SkipReason::Dropped { task: tasks[1].id };
    assert_eq!(life.rows()[1].outcome, SlotOutcome::Skipped { reason });
    let again = life.handle.drop_waiting(tasks[1].app.clone(), tasks[1].id).await;
    assert!(matches!(again, Err(QueueError::Ended { phase: Some(Phase::Cancelled), .. })));
    let running = life.handle.drop_waiting(tasks[0].app.clone(), tasks[0].id).await;
    assert!(matches!(running, Err(QueueError::Started { phase: Phase::Submitted, .. })));
    let front = life.handle.move_to_front(tasks[0].app.clone(), tasks[0].id).await;
    assert!(matches!(front, Err(QueueError::Started { .. })));
    let nobody = life.handle.move_to_front(tasks[0].app.clone(), TaskId(99)).await;
    assert!(matches!(nobody, Err(QueueError::NoTask { .. })));
    world.finish(&life, &tasks[0]).await;
    world.submitted(&[&tasks[0], &tasks[2]]).await;
    life.end().await;
}

#[tokio::test]
async fn no_more_runs_of_a_job_wait_than_may() {
    let keys = "schedule = \"* * * * *\"\noverlap = \"queue-all\"\nmax_queued = 2";
    let world = World::new("2026-01-01T00:00:30Z", &job(keys));
    let life = world.begin();
    world
        .pass_until(&life, "five slots", || {
            life.rows().last().is_some_and(|row| row.last >= at("2026-01-01T00:05:00Z"))
        })
        .await;
    assert_eq!(life.tasks().len(), 3);
    let full = SlotOutcome::Skipped { reason: SkipReason::QueueFull };
    assert_eq!(life.rows()[3].outcome, full);
    assert_eq!(life.rows().len(), 4, "neighbours are one range");
    assert!(matches!(run(&life, "etl", None).await, Err(RunError::QueueFull { .. })));
    life.end().await;
}
