//! Old slots run again, and what their rows say then.

use super::*;
use crate::task::{Backfill, BackfillError, OldSlot, Select, old_slots, slot_of};

const MINUTELY: &str = "schedule = \"* * * * *\"\ncatch_up = \"none\"";

/// A job that was down for its slots from 00:01 to 00:09, and ran the one of 00:10.
async fn world(keys: &str) -> (World, Life) {
    let world = World::new("2026-01-01T00:00:30Z", &job(&format!("{MINUTELY}\n{keys}")));
    world.begin().end().await;
    world.set_clock("2026-01-01T00:09:30Z");
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    (world, life)
}

fn found(
    world: &World,
    life: &Life,
    select: Select,
    from: &str,
    to: &str,
    most: usize,
) -> Result<Vec<OldSlot>, BackfillError> {
    let job: JobRef = JOB.parse().unwrap();
    let backfill = Backfill { job: job.clone(), from: at(from), to: at(to), select, schedule: None };
    old_slots(&life.store, world.config.job(&job).unwrap().1, &backfill, most)
}

async fn backfill(life: &Life, slots: Vec<OldSlot>, max_running: u32) -> Backfilled {
    let hash = "request".to_owned();
    let request = BackfillRequest { job: JOB.parse().unwrap(), slots, max_running, hash, once: false };
    life.handle.backfill(request).await.unwrap()
}

fn minutes(slots: &[OldSlot]) -> Vec<String> {
    slots.iter().map(|old| old.slot.strftime("%H:%M").to_string()).collect()
}

fn short(rows: &[SlotRow]) -> Vec<String> {
    let row = |row: &SlotRow| {
        format!("{}-{} {}", row.first.strftime("%M"), row.last.strftime("%M"), row.outcome.as_str())
    };
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn slots_out_of_the_middle_of_a_range_run_oldest_first_and_each_slot_keeps_one_row() {
    let (world, life) = world("").await;
    assert_eq!(short(&life.rows()), ["01-09 missed", "10-10 ran"]);
    let slots =
        found(&world, &life, Select::Missing, "2026-01-01T00:03:00Z", "2026-01-01T00:05:59Z", 10).unwrap();
    assert_eq!(minutes(&slots), ["00:03", "00:04", "00:05"]);
    let done = backfill(&life, slots, 2).await;
    let ids: Vec<_> = done.claimed.iter().map(|task| (task.id.0, task.ordinal)).collect();
    assert_eq!(ids, [(2, 1), (3, 1), (4, 1)]);
    assert!(done.claimed.iter().all(|task| task.trigger == Trigger::Backfill));
    let expected = ["01-02 missed", "03-03 caught-up", "04-04 caught-up", "05-05 caught-up", "06-09 missed"];
    assert_eq!(short(&life.rows())[..5], expected);
    world.until("two of them run beside the slot", || world.executor.submitted().len() == 3).await;
    assert_eq!(life.tasks()[3].phase, Phase::Queued);
    world.executor.end(&done.claimed[0].name, Phase::Succeeded, world.clock.now());
    world.until("the third", || world.executor.submitted().len() == 4).await;
    // The same range again: nothing of it is missing any more.
    let again = found(&world, &life, Select::Missing, "2026-01-01T00:03:00Z", "2026-01-01T00:05:59Z", 10);
    assert_eq!(again.unwrap(), []);
    let rest = found(&world, &life, Select::Missing, "2026-01-01T00:01:00Z", "2026-01-01T00:09:30Z", 10);
    assert_eq!(minutes(&rest.unwrap()), ["00:01", "00:02", "00:06", "00:07", "00:08", "00:09"]);
    life.end().await;
}

#[tokio::test]
async fn a_backfill_goes_on_after_a_restart_and_behind_runs_that_are_due() {
    let (world, life) = world("overlap = \"queue-all\"").await;
    let due = life.tasks()[0].clone();
    let slots =
        found(&world, &life, Select::Missing, "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z", 10).unwrap();
    let done = backfill(&life, slots, 5).await;
    life.end().await;
    let life = world.begin();
    let by_hand = life.run(None).await.unwrap();
    for task in [&due, &by_hand, &done.claimed[0], &done.claimed[1]] {
        world.until("it runs alone", || world.executor.unfinished() == [task.name.clone()]).await;
        world.executor.end(&task.name, Phase::Succeeded, world.clock.now());
    }
    life.end().await;
}

#[tokio::test]
async fn what_failed_runs_again_under_another_ordinal_and_what_runs_is_left_alone() {
    let (world, life) = world("").await;
    let first = life.tasks()[0].clone();
    let range = ("2026-01-01T00:09:30Z", "2026-01-01T00:10:00Z");
    for select in [Select::Failed, Select::All] {
        assert_eq!(found(&world, &life, select, range.0, range.1, 10).unwrap(), [], "it runs");
    }
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    world.until("failed", || life.tasks()[0].phase == Phase::Failed).await;
    let slots = found(&world, &life, Select::Failed, range.0, range.1, 10).unwrap();
    assert_eq!(minutes(&slots), ["00:10"]);
    let done = backfill(&life, slots.clone(), 1).await;
    assert_eq!((done.claimed[0].ordinal, done.claimed[0].scheduled), (1, first.scheduled));
    assert_ne!(done.claimed[0].name, first.name);
    assert_eq!(life.rows()[1].outcome, SlotOutcome::Ran { task: done.claimed[0].id }, "the newest run");
    assert_eq!(backfill(&life, slots, 1).await.claimed, [], "another request took it");
    world.until("it runs", || world.executor.submitted().len() == 2).await;
    world.executor.end(&done.claimed[0].name, Phase::Succeeded, world.clock.now());
    world.until("succeeded", || life.tasks()[1].phase == Phase::Succeeded).await;
    assert_eq!(found(&world, &life, Select::Failed, range.0, range.1, 10).unwrap(), []);
    let old = slot_of(&life.store, &first).unwrap().unwrap();
    assert_eq!(old.newest, Some((1, Phase::Succeeded)));
    assert_eq!(backfill(&life, vec![old], 1).await.claimed[0].ordinal, 2);
    life.end().await;
}

#[tokio::test]
async fn a_slot_whose_runs_are_forgotten_gets_a_name_that_it_never_had() {
    let (world, life) = world("").await;
    let first = life.tasks()[0].clone();
    world.executor.end(&first.name, Phase::Failed, world.clock.now());
    world.until("failed", || life.tasks()[0].phase == Phase::Failed).await;
    let mut commit = Commit::new();
    commit.remove_task(&first);
    life.store.commit(commit).await.unwrap();
    let range = ("2026-01-01T00:09:30Z", "2026-01-01T00:10:00Z");
    let slots = found(&world, &life, Select::All, range.0, range.1, 10).unwrap();
    let task = backfill(&life, slots, 1).await.claimed[0].clone();
    assert_eq!(task.ordinal, 2, "no ordinal is higher than the id of its task");
    life.end().await;
}

#[tokio::test]
async fn what_is_not_known_or_too_much_is_refused_with_how_far_and_how_many() {
    let (world, life) = world("").await;
    let refused = |select, from, most| {
        found(&world, &life, select, from, "2026-01-01T00:09:30Z", most).unwrap_err().to_string()
    };
    let early = refused(Select::Missing, "2025-12-31T23:00:00Z", 10);
    assert!(early.contains("before 2026-01-01T00:01:00Z is not known"), "{early}");
    assert!(early.contains("--from 2026-01-01T00:01:00Z"), "{early}");
    let many = refused(Select::Missing, "2026-01-01T00:00:30Z", 8);
    assert!(many.contains("these are 9 slots, and `max_backfill` is 8"), "{many}");
    let before = found(&world, &life, Select::All, "2025-12-31T23:59:00Z", "2026-01-01T00:00:00Z", 10);
    let before = before.unwrap();
    assert_eq!(minutes(&before), ["23:59", "00:00"]);
    backfill(&life, before, 1).await;
    assert_eq!(short(&life.rows())[..2], ["59-59 caught-up", "00-00 caught-up"]);
    assert_eq!(life.tasks().len(), 3);
    life.end().await;
}

#[tokio::test]
async fn old_slots_run_though_their_job_has_a_deadline() {
    let (world, life) = world("start_deadline = \"10s\"").await;
    let slots =
        found(&world, &life, Select::Missing, "2026-01-01T00:03:00Z", "2026-01-01T00:03:00Z", 10).unwrap();
    let done = backfill(&life, slots, 1).await;
    let id = done.claimed[0].id;
    world
        .until("it is at the executor", || {
            life.tasks().iter().any(|task| task.id == id && task.phase == Phase::Submitted)
        })
        .await;
    life.end().await;
}

#[tokio::test]
async fn what_a_calendar_excludes_is_not_missing_though_a_pause_holds_it() {
    let keys = format!("{MINUTELY}\nexclude = [\"off\"]");
    let world = slots::world_with("2026-01-01T00:00:30Z", "cron = [\"2-3 * * * *\"]", &keys);
    let life = world.begin();
    let name: JobRef = JOB.parse().unwrap();
    life.handle.steer(name.clone(), Steer::Pause { until: None, by: None, note: None }).await.unwrap();
    world.pass_until(&life, "five minutes", || world.clock.now() >= at("2026-01-01T00:05:30Z")).await;
    life.handle.steer(name, Steer::Resume { catch_up: None }).await.unwrap();
    assert_eq!(short(&life.rows()), ["01-05 skipped"]);
    let missing =
        found(&world, &life, Select::Missing, "2026-01-01T00:01:00Z", "2026-01-01T00:05:00Z", 10).unwrap();
    assert_eq!(minutes(&missing), ["00:01", "00:04", "00:05"]);
    life.end().await;
}

#[tokio::test]
async fn a_range_that_ended_in_a_backfilled_slot_does_not_grow_over_it() {
    let (world, life) = world("overlap = \"skip\"").await;
    let skipped = || life.rows().last().is_some_and(|row| row.last >= at("2026-01-01T00:12:00Z"));
    world.pass_until(&life, "two skipped", skipped).await;
    let slots =
        found(&world, &life, Select::Missing, "2026-01-01T00:12:00Z", "2026-01-01T00:12:00Z", 10).unwrap();
    backfill(&life, slots, 1).await;
    let next = || life.rows().last().is_some_and(|row| row.last >= at("2026-01-01T00:14:00Z"));
    world.pass_until(&life, "two more", next).await;
    let expected = ["11-11 skipped", "12-12 caught-up", "13-14 skipped"];
    assert_eq!(short(&life.rows())[2..], expected);
    life.end().await;
}
