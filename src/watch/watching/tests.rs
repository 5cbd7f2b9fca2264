//! On a real store, with a manual clock.

use jiff::SignedDuration;
use tempfile::TempDir;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::job::{Pause, Steering};
use crate::schedule::ScheduleKey;
use crate::store::{SlotOutcome, SlotRow, Watermark};
use crate::task::{Phase, TaskId, Trigger};
use crate::watch::Streak;
use crate::watch::breach::tests::task;

struct World {
    dir: TempDir,
    clock: Arc<ManualClock>,
    config: Arc<ArcSwap<Config>>,
    store: Store,
}

fn config(lines: &str) -> Config {
    let app = format!(
        "[app]\nname = \"etl\"\ncommand = \"true\"\n[[jobs]]\nname = \"j\"\nschedule = \"0 * * * *\"\n{lines}"
    );
    Config::from_toml("", &[&app]).unwrap()
}

fn name() -> JobRef {
    "etl.j".parse().unwrap()
}

impl World {
    fn new(lines: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::new("2026-01-01T00:30:00Z".parse().unwrap()));
        let store = Store::open(dir.path(), clock.clone()).unwrap();
        Self { dir, clock, config: Arc::new(ArcSwap::from_pointee(config(lines))), store }
    }

    fn watching(&self) -> Arc<Watching> {
        Watching::new(self.store.clone(), Arc::clone(&self.config), self.clock.clone(), Arc::default())
    }

    fn key(&self) -> ScheduleKey {
        self.config.load().job(&name()).unwrap().1.schedules[0].key.clone()
    }

    async fn commit(&self, write: impl FnOnce(&mut Commit)) {
        let mut commit = Commit::new();
        write(&mut commit);
        self.store.commit(commit).await.unwrap();
    }

    /// The schedule is decided up to `at`.
    async fn watermark(&self, at: Timestamp) {
        let key = self.key();
        self.commit(|commit| {
            commit.put_watermark(&name(), &key, &Watermark { at, fingerprint: "x".to_owned() });
        })
        .await;
    }

    /// The slot at `slot` was claimed for task `id`, which is there.
    async fn ran(&self, id: u64, slot: Timestamp, phase: Phase, started: Option<Timestamp>) {
        let config = self.config.load_full();
        let task = task(config.job(&name()).unwrap().1, id, slot, phase, started);
        let row = SlotRow {
            claim: None,
            schedule: self.key(),
            first: slot,
            last: slot,
            outcome: SlotOutcome::Ran { task: TaskId(id) },
            note: None,
        };
        self.commit(|commit| {
            commit.create_task(&task).put_slot(&name(), &row);
        })
        .await;
    }

    fn advance(&self, minutes: i64) -> Timestamp {
        self.clock.advance(Duration::try_from(SignedDuration::from_mins(minutes)).unwrap());
        self.clock.now()
    }
}

fn kinds(status: &Status) -> Vec<(BreachKind, Timestamp)> {
    status.breaches.iter().map(|(_, breach)| (breach.kind, breach.since)).collect()
}

#[tokio::test]
async fn a_slot_that_nobody_decides_about_is_late_until_its_task_starts_also_over_a_restart() {
    let world = World::new("late_after = \"5m\"");
    let watching = world.watching();
    world.watermark(world.clock.now()).await;
    let status = watching.look().unwrap();
    assert_eq!((status.watched, kinds(&status)), (1, vec![]));
    let slot = world.advance(30);
    assert_eq!(kinds(&watching.look().unwrap()), []);
    let since = world.advance(5);
    assert_eq!(kinds(&watching.look().unwrap()), [(BreachKind::Late, since)]);
    world.advance(7);
    world.commit(|_| ()).await;
    let again = world.watching();
    assert_eq!(kinds(&again.look().unwrap()), [(BreachKind::Late, since)], "{:?}", world.dir);
    let stored: Vec<_> = world.store.standings().map(|row| row.unwrap().1).collect();
    assert_eq!(stored[0].open, [OpenBreach { kind: BreachKind::Late, since, told: false }]);
    assert_eq!(stored[0].since, slot - SignedDuration::from_mins(30));
    world.ran(1, slot, Phase::Submitted, None).await;
    assert!(again.look().unwrap().breaches[0].1.what.contains("task 1 is submitted"));
    world
        .commit(|commit| {
            let mut task = world.store.task(&name().app, TaskId(1)).unwrap().unwrap();
            task.phase = Phase::Running;
            task.started = Some(world.clock.now());
            commit.update_task(&task);
        })
        .await;
    assert_eq!(kinds(&again.look().unwrap()), []);
    world.commit(|_| ()).await;
    assert_eq!(world.store.standings().next().unwrap().unwrap().1.open, []);
    assert_eq!(again.current().breaches, []);
}

#[tokio::test]
async fn a_slot_that_a_calendar_excludes_does_not_stand_for_one_that_was_missed() {
    let world = World::new("late_after = \"5m\"");
    let app = "[app]\nname = \"etl\"\ncommand = \"true\"\n[[jobs]]\nname = \"j\"\nschedule = \"0 * * * *\"\nlate_after = \"5m\"\nexclude = [\"off\"]\n";
    let next = (world.clock.now() + SignedDuration::from_mins(90)).strftime("%H");
    let off = format!("[calendars.off]\ncron = [\"* {next} * * *\"]\n");
    world.config.store(Arc::new(Config::from_toml(&off, &[app]).unwrap()));
    let watching = world.watching();
    world.watermark(world.clock.now()).await;
    assert_eq!(kinds(&watching.look().unwrap()), []);
    world.advance(36);
    let late = kinds(&watching.look().unwrap());
    assert_eq!(late.len(), 1);
    // The hour of the calendar, whose slot has no row yet.
    world.advance(60);
    assert_eq!(kinds(&watching.look().unwrap()), late);
}

#[tokio::test]
async fn a_run_of_an_old_slot_that_waits_is_not_late() {
    let world = World::new("late_after = \"5m\"");
    let watching = world.watching();
    world.watermark(world.clock.now()).await;
    watching.look().unwrap();
    let slot = world.advance(30);
    world.ran(1, slot, Phase::Running, Some(slot)).await;
    let mut again = task(world.config.load().job(&name()).unwrap().1, 2, slot, Phase::Queued, None);
    again.trigger = Trigger::Backfill;
    let row = SlotRow {
        claim: None,
        schedule: world.key(),
        first: slot,
        last: slot,
        outcome: SlotOutcome::CaughtUp { task: TaskId(2) },
        note: None,
    };
    world.commit(|commit| _ = commit.create_task(&again).put_slot(&name(), &row)).await;
    world.advance(20);
    assert_eq!(kinds(&watching.look().unwrap()), []);
}

#[tokio::test]
async fn a_slot_of_a_pause_is_not_late_and_the_next_one_after_it_is() {
    let world = World::new("late_after = \"5m\"");
    let watching = world.watching();
    world.watermark(world.clock.now()).await;
    let pause = Pause { since: world.clock.now(), until: None, by: None, note: None };
    let steering = Steering { pause: Some(pause), skip_next: None };
    world.commit(|commit| _ = commit.put_steering(&name(), &steering)).await;
    assert_eq!(kinds(&watching.look().unwrap()), []);
    world.advance(40);
    assert_eq!(kinds(&watching.look().unwrap()), []);
    let end = world.clock.now();
    world.watermark(end).await;
    world.commit(|commit| _ = commit.put_steering(&name(), &Steering::default())).await;
    world.advance(60);
    assert_eq!(kinds(&watching.look().unwrap()).len(), 1);
}

#[tokio::test]
async fn what_a_job_did_before_it_was_watched_does_not_count_but_its_last_success() {
    let world = World::new("max_since_success = \"2h\"\nlate_after = \"1m\"");
    let success = world.clock.now() - SignedDuration::from_mins(90);
    world
        .commit(|commit| {
            commit.put_previous_success(&name(), success);
            // A slot that was missed.
            let slot = "2026-01-01T00:00:00Z".parse().unwrap();
            let row = SlotRow {
                schedule: world.key(),
                first: slot,
                last: slot,
                outcome: SlotOutcome::Missed,
                claim: None,
                note: None,
            };
            commit.put_slot(&name(), &row);
        })
        .await;
    world.watermark(world.clock.now() + SignedDuration::from_hours(9)).await;
    let watching = world.watching();
    assert_eq!(kinds(&watching.look().unwrap()), []);
    let since = world.advance(30);
    assert_eq!(kinds(&watching.look().unwrap()), [(BreachKind::NoSuccess, since)]);
    let streak = Streak { last_success: Some(since), ..Streak::default() };
    world
        .commit(|commit| {
            commit.put_streak(&name(), &streak);
        })
        .await;
    assert_eq!(kinds(&watching.look().unwrap()), []);
}

#[tokio::test]
async fn a_task_that_starts_is_seen_and_told_of_when_it_has_run_for_too_long() {
    let world = World::new("max_runtime = \"10m\"");
    let watching = world.watching();
    watching.look().unwrap();
    let started = world.advance(1);
    world.ran(1, started, Phase::Running, Some(started)).await;
    assert_eq!(kinds(&watching.look().unwrap()), []);
    assert_eq!(watching.lock().due.first().map(|(at, _)| *at), Some(started + SignedDuration::from_mins(10)));
    let since = world.advance(10);
    assert_eq!(kinds(&watching.look().unwrap()), [(BreachKind::TooLong, since)]);
    world
        .commit(|commit| {
            let mut task = world.store.task(&name().app, TaskId(1)).unwrap().unwrap();
            task.phase = Phase::Succeeded;
            commit.update_task(&task);
        })
        .await;
    assert_eq!(kinds(&watching.look().unwrap()), []);
    assert_eq!(watching.lock().due.len(), 0);
}

#[tokio::test]
async fn a_job_that_is_not_watched_has_no_row_and_no_moment() {
    let world = World::new("late_after = \"5m\"");
    let watching = world.watching();
    watching.look().unwrap();
    world
        .commit(|commit| {
            commit.put_streak(&name(), &Streak { failures: 1, ..Streak::default() });
        })
        .await;
    assert_eq!((world.store.standings().count(), watching.lock().due.len()), (1, 1));
    world.config.store(Arc::new(config("")));
    assert_eq!(watching.look().unwrap().watched, 0);
    world.commit(|_| ()).await;
    assert_eq!((world.store.standings().count(), watching.lock().due.len()), (0, 0));
    assert_eq!(world.store.streak(&name()).unwrap(), Streak::default());
    watching.ended(name());
    assert!(watching.ended.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_promise_that_is_taken_back_is_not_broken() {
    let world = World::new("late_after = \"5m\"\nmax_runtime = \"1h\"");
    let watching = world.watching();
    world.watermark(world.clock.now()).await;
    watching.look().unwrap();
    world.advance(40);
    assert_eq!(kinds(&watching.look().unwrap()).len(), 1);
    world.config.store(Arc::new(config("max_runtime = \"1h\"")));
    let status = watching.look().unwrap();
    assert_eq!((status.watched, status.breaches.len()), (1, 0));
}

#[tokio::test]
async fn a_clock_that_is_set_back_is_reckoned_with() {
    let world = World::new("late_after = \"5m\"");
    let watching = world.watching();
    watching.look().unwrap();
    let first = watching.lock().due.first().cloned();
    world.clock.step(SignedDuration::from_hours(5));
    watching.look().unwrap();
    assert!(watching.lock().due.first().cloned() > first);
    world.clock.step(SignedDuration::from_hours(-5));
    watching.look().unwrap();
    assert_eq!(watching.lock().due.first().cloned(), first);
}
