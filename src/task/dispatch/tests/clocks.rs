//! The wall clock is wrong, and corrected; the machine sleeps.

use super::*;
use crate::schedule::CatchUp;

const MINUTELY: &str = "schedule = \"* * * * *\"";

/// What the ledger holds: `first..last outcome`, without the seconds.
fn ledger(life: &Life) -> Vec<String> {
    let short = |time: Timestamp| time.to_string()[..16].to_owned();
    let told = |row: &SlotRow| {
        let outcome = match row.outcome {
            SlotOutcome::Skipped { reason } => reason.to_string(),
            outcome => outcome.as_str().to_owned(),
        };
        match row.first == row.last {
            true => format!("{} {outcome}", short(row.first)),
            false => format!("{}..{} {outcome}", short(row.first), short(row.last)),
        }
    };
    life.rows().iter().map(told).collect()
}

#[tokio::test]
async fn a_clock_a_year_ahead_at_start_that_is_corrected_at_the_next_start_costs_no_slot() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    world.begin().end().await;
    world.set_clock("2027-01-01T00:00:30Z");
    let life = world.begin();
    world.until("the catch-up", || life.tasks().len() == 1).await;
    assert_eq!(ledger(&life), ["2026-01-01T00:01..2026-12-31T23:59 missed", "2027-01-01T00:00 caught-up"]);
    life.end().await;
    world.set_clock("2026-01-01T00:05:30Z");
    let life = world.begin();
    world.pass_until(&life, "a slot of the corrected clock", || life.tasks().len() == 2).await;
    let rows =
        ["2026-01-01T00:01..2026-01-01T00:05 missed", "2026-01-01T00:06 ran", "2027-01-01T00:00 caught-up"];
    assert_eq!(ledger(&life), rows);
    life.end().await;
    // The watermark went back with the rows.
    let life = world.begin();
    assert_eq!(ledger(&life), rows);
    life.end().await;
}

#[tokio::test]
async fn a_clock_a_year_ahead_at_start_that_is_corrected_while_the_service_runs_costs_no_slot() {
    let world = World::new("2026-01-01T00:00:30Z", &job(&format!("{MINUTELY}\ncatch_up = \"none\"")));
    world.begin().end().await;
    world.set_clock("2027-01-01T00:00:30Z");
    let life = world.begin();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    // It may be on its way to the disk still.
    world.set_clock("2026-01-01T00:05:30Z");
    world.pass_until(&life, "a slot of the corrected clock", || life.tasks().len() == 1).await;
    assert_eq!(ledger(&life), ["2026-01-01T00:01..2026-01-01T00:05 missed", "2026-01-01T00:06 ran"]);
    life.end().await;
}

#[tokio::test]
async fn what_a_clock_a_year_ahead_left_out_goes_on_growing_where_it_was_cut() {
    let world = World::new("2026-01-01T00:00:30Z", &job(&format!("{MINUTELY}\ncatch_up = \"none\"")));
    world.begin().end().await;
    for now in ["2027-01-01T00:00:30Z", "2026-01-01T00:05:30Z", "2026-01-01T00:08:30Z"] {
        world.set_clock(now);
        world.begin().end().await;
    }
    let life = world.begin();
    assert_eq!(ledger(&life), ["2026-01-01T00:01..2026-01-01T00:08 missed"]);
    life.end().await;
}

#[tokio::test]
async fn a_pause_over_a_clock_a_year_ahead_is_listed_from_where_the_corrected_clock_goes_on() {
    let world = World::new("2027-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    let pause = Steer::Pause { until: None, by: None, note: None };
    life.handle.steer(JOB.parse().unwrap(), pause).await.unwrap();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.set_clock("2026-01-01T00:05:30Z");
    let stored = |life: &Life| life.store.watermarks().next().unwrap().unwrap().1.at;
    world.pass_until(&life, "the watermark is back", || stored(&life) < at("2026-02-01T00:00:00Z")).await;
    world.pass_until(&life, "three slots", || world.clock.now() >= at("2026-01-01T00:08:30Z")).await;
    let resume = Steer::Resume { catch_up: Some(CatchUp::Latest) };
    assert_eq!(life.handle.steer(JOB.parse().unwrap(), resume).await.unwrap().caught_up, 1);
    let rows = ["2026-01-01T00:06..2026-01-01T00:07 paused", "2026-01-01T00:08 caught-up"];
    assert_eq!(ledger(&life), rows);
    life.end().await;
}

#[tokio::test]
async fn a_clock_stepped_an_hour_forward_is_an_hour_of_late_slots() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_hours(1));
    world.pass_until(&life, "the next slot", || life.tasks().len() == 2).await;
    let rows =
        ["2026-01-01T00:01..2026-01-01T00:59 missed", "2026-01-01T01:00 caught-up", "2026-01-01T01:01 ran"];
    assert_eq!(ledger(&life), rows);
    life.end().await;
}

#[tokio::test]
async fn a_clock_stepped_an_hour_back_runs_nothing_until_it_is_where_it_was() {
    let world = World::new("2026-01-01T05:00:30Z", &job(MINUTELY));
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_hours(-1));
    world.pass_until(&life, "over two minutes", || world.clock.now() >= at("2026-01-01T04:03:10Z")).await;
    assert_eq!(ledger(&life), ["2026-01-01T05:01 ran"]);
    world.set_clock("2026-01-01T05:01:50Z");
    world.pass_until(&life, "a slot", || life.tasks().len() == 2).await;
    assert_eq!(ledger(&life), ["2026-01-01T05:01 ran", "2026-01-01T05:02 ran"]);
    life.end().await;
}

#[tokio::test]
async fn a_clock_stepped_a_day_back_goes_on_from_there_and_runs_again_nothing_that_ran() {
    let world = World::new("2026-01-02T05:00:30Z", &job(MINUTELY));
    let life = world.begin();
    world.pass_until(&life, "a slot", || life.tasks().len() == 1).await;
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_hours(-24));
    world.pass_until(&life, "a slot of the day before", || life.tasks().len() == 2).await;
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.set_clock("2026-01-02T05:00:40Z");
    world.pass_until(&life, "a slot of the day", || life.tasks().len() == 4).await;
    let rows = [
        "2026-01-01T05:02 ran",
        "2026-01-01T05:03..2026-01-02T04:59 missed",
        "2026-01-02T05:00 caught-up",
        "2026-01-02T05:01 ran",
        "2026-01-02T05:02 ran",
    ];
    assert_eq!(ledger(&life), rows);
    life.end().await;
}

/// While the machine is suspended no clock that sleepers wait for goes on; the wall clock does.
#[tokio::test]
async fn a_machine_suspended_overnight_runs_what_was_due_once_when_it_wakes_up() {
    let world = World::new("2026-01-01T22:00:00Z", &job("schedule = \"0 0-6/3 * * *\""));
    let life = world.begin();
    world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
    world.clock.step(SignedDuration::from_mins(10 * 60 + 30));
    world.pass_until(&life, "the catch-up", || life.tasks().len() == 1).await;
    let rows = ["2026-01-02T00:00..2026-01-02T03:00 missed", "2026-01-02T06:00 caught-up"];
    assert_eq!(ledger(&life), rows);
    world.pass_until(&life, "a minute", || world.clock.now() >= at("2026-01-02T08:31:30Z")).await;
    assert_eq!(ledger(&life), rows);
    life.end().await;
}

#[tokio::test]
async fn down_for_a_week_with_two_hours_a_day_no_slot_is_off_the_schedule() {
    for (policy, rows) in [
        ("latest", vec!["2026-01-02T09:00..2026-01-08T09:00 missed", "2026-01-08T10:00 caught-up"]),
        ("none", vec!["2026-01-02T09:00..2026-01-08T10:00 missed"]),
        (
            "all",
            vec![
                "2026-01-02T09:00..2026-01-07T10:00 missed",
                "2026-01-08T09:00 caught-up",
                "2026-01-08T10:00 caught-up",
            ],
        ),
    ] {
        let keys = format!("schedule = \"0 9,10 * * *\"\ncatch_up = \"{policy}\"");
        let world = World::new("2026-01-01T18:00:00Z", &job(&keys));
        world.begin().end().await;
        world.set_clock("2026-01-08T18:00:00Z");
        let life = world.begin();
        world.until(policy, || life.rows().len() == rows.len()).await;
        assert_eq!(ledger(&life), rows, "{policy}");
        life.end().await;
    }
}

#[tokio::test]
async fn the_first_slot_of_a_new_job_lies_ahead_and_is_late_where_the_service_was_down_at_it() {
    let world = World::new("2026-01-01T00:00:30Z", "");
    let life = world.begin();
    life.handle.reload(config(&job("schedule = \"0 * * * *\""))).await.unwrap();
    assert!(life.rows().is_empty() && life.tasks().is_empty());
    life.end().await;
    world.set_clock("2026-01-01T01:00:30Z");
    let world = World { config: config(&job("schedule = \"0 * * * *\"")), ..world };
    let life = world.begin();
    world.until("its first slot", || life.tasks().len() == 1).await;
    assert_eq!(ledger(&life), ["2026-01-01T01:00 caught-up"]);
    life.end().await;
}

/// Two nights and days around a change of the clocks, and by mode what runs.
struct Change {
    zone: &'static str,
    cron: &'static str,
    from: &'static str,
    until: &'static str,
    vixie: &'static [&'static str],
    skip: &'static [&'static str],
    literal: &'static [&'static str],
}

impl Change {
    /// Lives through each slot on time. Whatever else was due between them would be caught up.
    async fn live_through(&self) {
        for (mode, expected) in [("vixie", self.vixie), ("skip", self.skip), ("literal", self.literal)] {
            let (zone, cron) = (self.zone, self.cron);
            let keys =
                format!("schedule = \"{cron}\"\ntimezone = \"{zone}\"\ndst = \"{mode}\"\ncatch_up = \"all\"");
            let world = World::new(self.from, &job(&keys));
            let life = world.begin();
            for (before, slot) in expected.iter().enumerate() {
                world.until("the wheel sleeps", || world.clock.sleepers() > 0).await;
                world.clock.step(at(slot).duration_since(world.clock.now()) - SignedDuration::from_secs(4));
                world.pass_until(&life, slot, || life.tasks().len() > before).await;
            }
            life.end().await;
            world.set_clock(self.until);
            let life = world.begin();
            life.store.commit(crate::store::Commit::new()).await.unwrap();
            let ran = life.tasks().into_iter().map(|task| (task.scheduled, task.trigger));
            let expected = expected.iter().map(|slot| (Some(at(slot)), Trigger::Schedule));
            assert_eq!(ran.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{zone} {mode}");
            life.end().await;
        }
    }
}

#[tokio::test]
async fn new_york_jumps_an_hour_forward_and_back() {
    let spring = Change {
        zone: "America/New_York",
        cron: "30 2 * * *",
        from: "2026-03-07T12:00:00Z",
        until: "2026-03-09T12:00:00Z",
        vixie: &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        skip: &["2026-03-09T06:30:00Z"],
        literal: &["2026-03-09T06:30:00Z"],
    };
    spring.live_through().await;
    let autumn = Change {
        zone: "America/New_York",
        cron: "30 1 * * *",
        from: "2026-10-31T12:00:00Z",
        until: "2026-11-02T12:00:00Z",
        vixie: &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        skip: &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        literal: &["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"],
    };
    autumn.live_through().await;
}

#[tokio::test]
async fn paris_jumps_an_hour_forward_and_back() {
    let spring = Change {
        zone: "Europe/Paris",
        cron: "30 2 * * *",
        from: "2026-03-28T12:00:00Z",
        until: "2026-03-30T12:00:00Z",
        vixie: &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        skip: &["2026-03-30T00:30:00Z"],
        literal: &["2026-03-30T00:30:00Z"],
    };
    spring.live_through().await;
    let autumn = Change {
        zone: "Europe/Paris",
        cron: "30 2 * * *",
        from: "2026-10-24T12:00:00Z",
        until: "2026-10-26T12:00:00Z",
        vixie: &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        skip: &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        literal: &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
    };
    autumn.live_through().await;
}

#[tokio::test]
async fn lord_howe_jumps_half_an_hour_forward_and_back() {
    let spring = Change {
        zone: "Australia/Lord_Howe",
        cron: "15 2 * * *",
        from: "2026-10-03T06:00:00Z",
        until: "2026-10-05T06:00:00Z",
        vixie: &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
        skip: &["2026-10-04T15:15:00Z"],
        literal: &["2026-10-04T15:15:00Z"],
    };
    spring.live_through().await;
    let autumn = Change {
        zone: "Australia/Lord_Howe",
        cron: "45 1 * * *",
        from: "2026-04-04T06:00:00Z",
        until: "2026-04-06T06:00:00Z",
        vixie: &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
        skip: &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
        literal: &["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-05T15:15:00Z"],
    };
    autumn.live_through().await;
}

#[tokio::test]
async fn sao_paulo_in_2018_has_a_midnight_that_does_not_exist_and_an_hour_before_it_twice() {
    let spring = Change {
        zone: "America/Sao_Paulo",
        cron: "0 0 * * *",
        from: "2018-11-03T12:00:00Z",
        until: "2018-11-05T12:00:00Z",
        vixie: &["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"],
        skip: &["2018-11-05T02:00:00Z"],
        literal: &["2018-11-05T02:00:00Z"],
    };
    spring.live_through().await;
    let autumn = Change {
        zone: "America/Sao_Paulo",
        cron: "30 23 * * *",
        from: "2018-02-17T12:00:00Z",
        until: "2018-02-19T12:00:00Z",
        vixie: &["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"],
        skip: &["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"],
        literal: &["2018-02-18T01:30:00Z", "2018-02-18T02:30:00Z", "2018-02-19T02:30:00Z"],
    };
    autumn.live_through().await;
}

#[tokio::test]
async fn apia_in_2011_loses_a_day() {
    let lost = Change {
        zone: "Pacific/Apia",
        cron: "0 12 * * *",
        from: "2011-12-29T12:00:00Z",
        until: "2011-12-31T12:00:00Z",
        vixie: &["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
        skip: &["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"],
        literal: &["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"],
    };
    lost.live_through().await;
}
