//! Which slots run: after downtime, an edit, a stepped clock, an overlap.

use super::*;

#[tokio::test]
async fn a_new_schedule_fires_its_first_slot_in_the_future_and_each_slot_once() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    assert!(life.tasks().is_empty());
    world.pass_until(&life, "two tasks", || life.tasks().len() == 2).await;
    let slots: Vec<_> = life.tasks().iter().map(|task| task.scheduled.unwrap().to_string()).collect();
    assert_eq!(slots, ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]);
    world.until("both submitted", || world.executor.submitted().len() == 2).await;
    assert!(life.rows().iter().all(|row| matches!(row.outcome, SlotOutcome::Ran { .. })));
    life.end().await;
}

#[tokio::test]
async fn down_over_three_slots_latest_runs_one_and_writes_the_others_down_as_one_range() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    world.begin().end().await;
    world.set_clock("2026-01-01T00:03:30Z");
    let life = world.begin();
    world.until("a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].trigger, Trigger::CatchUp);
    let expected = [
        ("2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z", "missed"),
        ("2026-01-01T00:03:00Z", "2026-01-01T00:03:00Z", "caught-up"),
    ];
    let expected = expected.map(|(first, last, outcome)| (first.to_owned(), last.to_owned(), outcome));
    assert_eq!(outcomes(&life.rows()), expected);
    life.end().await;
}

#[tokio::test]
async fn down_over_three_slots_all_runs_all_and_none_runs_none() {
    for (policy, tasks, rows) in [("all", 3, 3), ("none", 0, 1)] {
        let world = World::new(
            "2026-01-01T00:00:30Z",
            &job(&format!("schedule = \"* * * * *\"\ncatch_up = \"{policy}\"")),
        );
        world.begin().end().await;
        world.set_clock("2026-01-01T00:03:30Z");
        let life = world.begin();
        world.until(policy, || life.rows().len() == rows).await;
        assert_eq!(life.tasks().len(), tasks, "{policy}");
        life.end().await;
    }
}

/// More than two batches of claims.
const BURST: usize = 600;

fn burst(schedule: &str) -> String {
    let job = |number| format!("[[jobs]]\nname = \"job-{number}\"\nschedule = \"{schedule}\"\n");
    (0..BURST).map(job).collect()
}

fn slots_with_a_task(life: &Life) -> Vec<(String, Timestamp)> {
    let slots = life.tasks().into_iter().map(|task| (task.display_name, task.scheduled.unwrap()));
    let mut slots: Vec<_> = slots.collect();
    slots.sort();
    slots
}

#[tokio::test]
async fn a_burst_of_several_batches_is_claimed_once_each_and_submitted() {
    let world = World::new("2026-01-01T00:00:30Z", &burst("0 * * * *"));
    world.executor.state.lock().unwrap().capacity = Some(BURST);
    let life = world.begin();
    life.store.commit(crate::store::Commit::new()).await.unwrap();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(59) + SignedDuration::from_secs(28));
    world.pass_until(&life, "all submitted", || world.executor.submitted().len() == BURST).await;
    let mut slots = slots_with_a_task(&life);
    assert!(slots.iter().all(|(_, slot)| *slot == at("2026-01-01T01:00:00Z")));
    slots.dedup();
    assert_eq!(slots.len(), BURST);
    life.end().await;
}

#[tokio::test]
async fn what_was_due_of_a_burst_is_claimed_before_an_edit_and_before_the_end() {
    let world = World::new("2026-01-01T00:00:30Z", &burst("0 * * * *"));
    world.begin().end().await;
    world.set_clock("2026-01-01T01:00:01Z");
    let life = world.begin();
    life.handle.reload(config(&burst("30 5 * * *"))).await.unwrap();
    assert_eq!(slots_with_a_task(&life).len(), BURST);
    life.end().await;

    world.set_clock("2026-01-01T02:00:01Z");
    // The schedules of the first configuration again: what was due meanwhile was never theirs.
    world.begin().end().await;
    world.set_clock("2026-01-01T03:00:01Z");
    let life = world.begin();
    life.stop.cancel();
    life.running.await.unwrap().unwrap();
    let store = life.store;
    assert_eq!(store.tasks(&"etl".parse().unwrap(), None).count(), 2 * BURST);
}

#[tokio::test]
async fn a_clock_stepped_forward_is_a_catch_up_and_stepped_back_refires_nothing() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(3));
    world.clock.advance(LONGEST_SLEEP);
    world.until("the latest slot", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-01T00:03:00Z")));
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(-2));
    world.pass_until(&life, "the minute after the watermark", || life.tasks().len() == 2).await;
    assert_eq!(life.tasks()[1].scheduled, Some(at("2026-01-01T00:04:00Z")));
    life.end().await;
}

/// A world in which the calendar `off` holds `calendar`.
pub(super) fn world_with(now: &str, calendar: &str, keys: &str) -> World {
    let settings = format!("[calendars.off]\n{calendar}\n");
    let app = format!("[app]\nname = \"etl\"\ncommand = \"true\"\n{}", job(keys));
    let config = Arc::new(Config::from_toml(&settings, &[&app]).unwrap());
    World { config, ..World::new(now, "") }
}

fn rows_of(expected: &[(&str, &str, &'static str)]) -> Vec<(String, String, &'static str)> {
    expected.iter().map(|(first, last, what)| ((*first).to_owned(), (*last).to_owned(), *what)).collect()
}

#[tokio::test]
async fn an_excluded_slot_has_its_row_and_the_first_after_it_starts_on_time() {
    let keys = "schedule = \"* * * * * *\"\nexclude = [\"off\"]";
    let world = world_with("2026-01-01T23:58:30Z", "dates = [\"2026-01-01\"]", keys);
    let life = world.begin();
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-02T00:00:00Z")));
    let excluded = ("2026-01-01T23:58:31Z", "2026-01-01T23:59:59Z", "skipped");
    assert_eq!(
        outcomes(&life.rows()),
        rows_of(&[excluded, ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "ran")])
    );
    let reason = SlotOutcome::Skipped { reason: SkipReason::Excluded };
    assert_eq!(life.rows()[0].outcome, reason);
    assert_eq!(life.rows()[0].note.as_deref(), Some("`off`"));
    life.end().await;
}

#[tokio::test]
async fn slots_that_different_calendars_exclude_have_rows_of_their_own() {
    let settings = "[calendars.holidays]\ndates = [\"2026-01-01\"]\n\
         [calendars.freeze]\ndates = [\"2026-01-01\", \"2026-01-02\", \"2026-01-03\"]\n";
    let keys = "schedule = \"0 6 * * *\"\nexclude = [\"holidays\", \"freeze\"]\ncatch_up = \"none\"";
    let app = format!("[app]\nname = \"etl\"\ncommand = \"true\"\n{}", job(keys));
    let config = Arc::new(Config::from_toml(settings, &[&app]).unwrap());
    let world = World { config, ..World::new("2026-01-01T00:00:00Z", "") };
    world.begin().end().await;
    world.set_clock("2026-01-05T00:00:00Z");
    let life = world.begin();
    world.pass_until(&life, "its rows", || life.rows().len() == 3).await;
    let noted = |row: SlotRow| (row.first.to_string(), row.last.to_string(), row.note);
    let day = |day: &str| format!("2026-01-{day}T06:00:00Z");
    assert_eq!(
        life.rows().into_iter().map(noted).collect::<Vec<_>>(),
        [
            (day("01"), day("01"), Some("`holidays`".to_owned())),
            (day("02"), day("03"), Some("`freeze`".to_owned())),
            (day("04"), day("04"), None),
        ]
    );
    life.end().await;
}

#[tokio::test]
async fn catch_up_runs_no_excluded_slot_and_each_has_its_row() {
    let weekend = ("2026-01-03T06:00:00Z", "2026-01-04T06:00:00Z", "skipped");
    let day = |day: &'static str, what| (day, day, what);
    let all = [
        day("2026-01-01T06:00:00Z", "caught-up"),
        day("2026-01-02T06:00:00Z", "caught-up"),
        weekend,
        day("2026-01-05T06:00:00Z", "caught-up"),
        day("2026-01-06T06:00:00Z", "caught-up"),
    ];
    let none = [
        ("2026-01-01T06:00:00Z", "2026-01-02T06:00:00Z", "missed"),
        weekend,
        ("2026-01-05T06:00:00Z", "2026-01-06T06:00:00Z", "missed"),
    ];
    for (policy, expected) in [("all", &all[..]), ("none", &none)] {
        let keys = format!(
            "schedule = \"0 6 * * *\"\nexclude = [\"off\"]\ncatch_up = \"{policy}\"\ncatch_up_window = \"30d\""
        );
        let world = world_with("2026-01-01T00:00:00Z", "cron = [\"* * * * SAT,SUN\"]", &keys);
        world.begin().end().await;
        world.set_clock("2026-01-06T12:00:00Z");
        let life = world.begin();
        world.until(policy, || life.rows().len() == expected.len()).await;
        assert_eq!(outcomes(&life.rows()), rows_of(expected), "{policy}");
        life.end().await;
    }
}

#[tokio::test]
async fn a_year_of_excluded_seconds_is_one_row_after_downtime() {
    let keys = "schedule = \"* * * * * *\"\nexclude = [\"off\"]";
    let world = world_with("2026-01-01T00:00:00Z", "dates = [\"2026-01-01..2026-12-31\"]", keys);
    world.begin().end().await;
    world.set_clock("2026-12-31T23:59:00Z");
    let life = world.begin();
    world.until("a row", || !life.rows().is_empty()).await;
    let year = ("2026-01-01T00:00:01Z", "2026-12-31T23:59:00Z", "skipped");
    assert_eq!(outcomes(&life.rows()), rows_of(&[year]));
    assert!(life.tasks().is_empty());
    life.end().await;
}

#[tokio::test]
async fn a_later_until_fires_no_slot_that_lay_beyond_the_earlier_one() {
    let keys = "schedules = [{ id = \"x\", cron = \"* * * * *\", until = \"2026-01-01T00:01:30\" }]";
    let world = World::new("2026-01-01T00:00:30Z", &job(keys));
    let life = world.begin();
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(3));
    let later = job(&keys.replace("00:01:30", "01:00:00"));
    life.handle.reload(config(&later)).await.unwrap();
    world.pass_until(&life, "another task", || life.tasks().len() == 2).await;
    assert!(life.tasks()[1].scheduled.unwrap() > at("2026-01-01T00:04:00Z"), "{:?}", life.tasks());
    life.end().await;
}

#[tokio::test]
async fn a_watermark_of_a_clock_that_was_a_year_ahead_is_set_back() {
    let world = World::new("2027-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    world.begin().end().await;
    world.set_clock("2026-01-01T00:00:30Z");
    let life = world.begin();
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-01T00:01:00Z")));
    life.end().await;
}

#[tokio::test]
async fn an_edited_schedule_never_fires_a_past_slot() {
    let world =
        World::new("2026-01-01T00:30:00Z", &job("schedules = [{ id = \"x\", cron = \"0 12 * * *\" }]"));
    let life = world.begin();
    let edited = config(&job("schedules = [{ id = \"x\", cron = \"15 * * * *\" }]"));
    life.handle.reload(edited).await.unwrap();
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert_eq!(life.tasks()[0].scheduled, Some(at("2026-01-01T01:15:00Z")));
    life.end().await;
}

#[tokio::test]
async fn a_schedule_removed_and_added_again_later_catches_nothing_up() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    life.handle.reload(config("")).await.unwrap();
    assert_eq!(life.store.watermarks().count(), 0);
    world.clock.advance(Duration::from_secs(300));
    life.handle.reload(Arc::clone(&world.config)).await.unwrap();
    assert!(life.tasks().is_empty());
    world.pass_until(&life, "a task", || life.tasks().len() == 1).await;
    assert!(life.tasks()[0].scheduled > Some(at("2026-01-01T00:05:30Z")));
    life.end().await;
}

#[tokio::test]
async fn an_edit_may_remove_any_number_of_schedules() {
    let many: Vec<_> = (0..5000).map(|n| format!("{{ id = \"s{n}\", cron = \"0 12 * * *\" }}")).collect();
    let world = World::new("2026-01-01T00:00:30Z", &job(&format!("schedules = [{}]", many.join(", "))));
    let life = world.begin();
    life.store.commit(crate::store::Commit::new()).await.unwrap();
    assert_eq!(life.store.watermarks().count(), many.len());
    life.handle.reload(config("")).await.unwrap();
    assert_eq!(life.store.watermarks().count(), 0);
    life.end().await;
}

#[tokio::test]
async fn overlap_skip_leaves_the_slots_out_as_one_range_and_never_runs_them_later() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"skip\""));
    let life = world.begin();
    world
        .pass_until(&life, "three slots", || {
            life.rows().last().is_some_and(|row| row.last >= at("2026-01-01T00:03:00Z"))
        })
        .await;
    let first = life.tasks()[0].clone();
    assert_eq!(life.tasks().len(), 1);
    let skipped = SlotOutcome::Skipped { reason: SkipReason::Overlap { task: first.id } };
    assert_eq!(life.rows()[1].outcome, skipped);
    assert_eq!(life.rows()[1].first, at("2026-01-01T00:02:00Z"));
    assert_eq!(life.rows().len(), 2);
    world.executor.end(&first.name, Phase::Succeeded, world.clock.now());
    world.until("it ended", || life.tasks()[0].phase == Phase::Succeeded).await;
    world.pass_until(&life, "the next slot", || life.tasks().len() == 2).await;
    life.end().await;
}

#[tokio::test]
async fn overlap_replace_cancels_waits_for_the_end_and_then_starts() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"replace\""));
    let life = world.begin();
    world.pass_until(&life, "two tasks", || life.tasks().len() == 2).await;
    let (first, second) = (life.tasks()[0].clone(), life.tasks()[1].clone());
    world.until("a cancel", || world.executor.cancelled().contains(&first.name)).await;
    assert_eq!(life.tasks()[1].phase, Phase::Queued);
    assert!(!world.executor.submitted().contains(&second.name));
    world.executor.end(&first.name, Phase::Cancelled, world.clock.now());
    world.until("the second starts", || world.executor.submitted().contains(&second.name)).await;
    life.end().await;
}

#[tokio::test]
async fn a_burst_larger_than_one_commit_is_claimed_whole() {
    let jobs: String =
        (0..1500).map(|n| format!("[[jobs]]\nname = \"j{n}\"\nschedule = \"* * * * *\"\n")).collect();
    let world = World::new("2026-01-01T00:00:59Z", &jobs);
    let life = world.begin();
    world.pass_until(&life, "every claim", || life.tasks().len() == 1500).await;
    let mut per_job: BTreeMap<_, u32> = BTreeMap::new();
    for task in life.tasks() {
        *per_job.entry(task.job).or_default() += 1;
    }
    assert!(per_job.values().all(|count| *count == 1));
    assert_eq!(world.executor.submitted().len(), 64, "the executor's room is respected");
    life.end().await;
}

#[tokio::test]
async fn a_service_that_stood_still_catches_up_instead_of_running_every_slot() {
    let world = World::new("2026-01-01T00:00:00Z", &job("schedule = \"* * * * * *\""));
    let life = world.begin();
    world.pass_until(&life, "a first task", || !life.tasks().is_empty()).await;
    let before = life.tasks().len();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.advance(Duration::from_secs(65));
    world
        .pass_until(&life, "the catch-up", || life.tasks().iter().any(|t| t.trigger == Trigger::CatchUp))
        .await;
    let of_stall = life.tasks().len() - before;
    assert!(of_stall <= 3, "{of_stall} tasks after 65 seconds that nobody watched");
    let missed: Vec<_> = life.rows().into_iter().filter(|row| row.outcome == SlotOutcome::Missed).collect();
    assert_eq!(missed.len(), 1, "one range: {missed:?}");
    life.end().await;
}

#[tokio::test]
async fn a_clock_that_was_a_month_ahead_is_mended_while_the_service_runs() {
    let world = World::new("2026-02-01T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_hours(-31 * 24));
    world.pass_until(&life, "a slot of the mended clock", || life.tasks().len() == 2).await;
    let slots: Vec<_> = life.tasks().iter().map(|task| task.scheduled.unwrap().to_string()).collect();
    assert_eq!(slots, ["2026-02-01T00:01:00Z", "2026-01-01T00:02:00Z"]);
    life.end().await;
}

#[tokio::test]
async fn a_slot_that_a_wrong_clock_ran_is_not_run_again_when_its_time_comes() {
    let world = World::new("2026-01-31T00:00:30Z", &job("schedule = \"* * * * *\""));
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    life.end().await;
    for now in ["2026-01-01T00:00:30Z", "2026-01-31T00:00:50Z"] {
        world.set_clock(now);
        let life = world.begin();
        let before = life.tasks().len();
        world.pass_until(&life, "another slot", || life.tasks().len() > before).await;
        life.end().await;
    }
    let life = world.begin();
    let slots: Vec<_> = life.tasks().iter().filter_map(|task| task.scheduled).collect();
    let once: std::collections::BTreeSet<_> = slots.iter().collect();
    assert_eq!(once.len(), slots.len(), "{slots:?}");
    life.end().await;
}

#[tokio::test]
async fn jitter_is_not_lateness() {
    let world = World::new(
        "2026-01-01T00:00:30Z",
        &job("schedule = \"* * * * *\"\njitter = \"50s\"\nstart_deadline = \"10s\""),
    );
    let life = world.begin();
    world.pass_until(&life, "ten slots", || life.rows().len() >= 10).await;
    assert!(
        life.rows().iter().all(|row| matches!(row.outcome, SlotOutcome::Ran { .. })),
        "{:?}",
        life.rows()
    );
    life.end().await;
}

fn forgotten(row: &SlotRow, stays_from: Option<&str>) -> crate::retention::ForgottenSlots {
    crate::retention::ForgottenSlots {
        job: JOB.parse().unwrap(),
        schedule: row.schedule.clone(),
        first: row.first,
        last: row.last,
        stays_from: stays_from.map(at),
    }
}

#[tokio::test]
async fn a_range_that_retention_shortened_grows_on_from_where_it_begins_now() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * *\"\noverlap = \"skip\""));
    let life = world.begin();
    let grown_to =
        |last: &'static str| move |life: &Life| life.rows().last().is_some_and(|row| row.last >= at(last));
    world.pass_until(&life, "a range", || grown_to("2026-01-01T00:04:00Z")(&life)).await;
    let range = life.rows()[1].clone();
    let former = SlotRow { last: at("2026-01-01T00:03:00Z"), ..range.clone() };
    life.handle.forget_slots(vec![forgotten(&former, Some("2026-01-01T00:03:00Z"))]).await.unwrap();
    assert_eq!(life.rows()[1], range, "it has grown since it was looked at");
    life.handle.forget_slots(vec![forgotten(&range, Some("2026-01-01T00:03:00Z"))]).await.unwrap();
    world.pass_until(&life, "it grows", || grown_to("2026-01-01T00:06:00Z")(&life)).await;
    let expected = SlotRow { first: at("2026-01-01T00:03:00Z"), last: at("2026-01-01T00:06:00Z"), ..range };
    assert_eq!(life.rows()[1..], *std::slice::from_ref(&expected));
    // All of it goes: the next slot begins anew. So does that of a row in the store of before.
    life.handle
        .forget_slots(vec![forgotten(&life.rows()[0], None), forgotten(&expected, None)])
        .await
        .unwrap();
    assert!(life.rows().is_empty());
    world.pass_until(&life, "another", || grown_to("2026-01-01T00:07:00Z")(&life)).await;
    assert_eq!(life.rows()[0].first, at("2026-01-01T00:07:00Z"));
    life.end().await;
}

#[tokio::test]
async fn a_range_goes_on_growing_over_an_edit_of_something_else() {
    let skipping = |other: &str| job(&format!("schedule = \"* * * * *\"\noverlap = \"skip\"\n{other}"));
    let world = World::new("2026-01-01T00:00:30Z", &skipping(""));
    let life = world.begin();
    world.pass_until(&life, "a range", || life.rows().len() == 2).await;
    life.handle.reload(config(&skipping("timeout = \"2h\""))).await.unwrap();
    let last = |life: &Life| life.rows().last().unwrap().last;
    world.pass_until(&life, "it grows", || last(&life) >= at("2026-01-01T00:04:00Z")).await;
    assert_eq!(life.rows().len(), 2, "{:?}", life.rows());
    life.end().await;
}
