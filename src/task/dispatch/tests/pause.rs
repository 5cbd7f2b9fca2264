//! Pausing a job, resuming it, and skipping its next slots.

use super::*;
use crate::schedule::CatchUp;

const MINUTELY: &str = "schedule = \"* * * * *\"";

fn pause(until: Option<&str>) -> Steer {
    Steer::Pause { until: until.map(at), by: Some("alice".to_owned()), note: Some("moving".to_owned()) }
}

fn resume(catch_up: Option<CatchUp>) -> Steer {
    Steer::Resume { catch_up }
}

fn skip(count: u32) -> Steer {
    Steer::SkipNext { count, by: None }
}

impl Life {
    async fn steer(&self, steer: Steer) -> Result<Steered, SteerError> {
        self.handle.steer(JOB.parse().unwrap(), steer).await
    }

    fn told(&self) -> Vec<(String, String, String)> {
        let told = |row: &SlotRow| {
            let outcome = match row.outcome {
                SlotOutcome::Skipped { reason } => reason.to_string(),
                outcome => outcome.as_str().to_owned(),
            };
            (row.first.to_string()[11..16].to_owned(), row.last.to_string()[11..16].to_owned(), outcome)
        };
        self.rows().iter().map(told).collect()
    }
}

fn expected(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    rows.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[tokio::test]
async fn paused_over_three_slots_and_resumed_they_are_one_range_and_the_next_one_runs() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    let paused = life.steer(pause(None)).await.unwrap();
    let before = paused.steering.pause.clone().unwrap();
    assert_eq!((before.since, before.by.as_deref()), (at("2026-01-01T00:00:30Z"), Some("alice")));
    world.pass_until(&life, "three minutes", || world.clock.now() >= at("2026-01-01T00:03:30Z")).await;
    assert_eq!((life.tasks().len(), life.rows().len()), (0, 0));
    let again = life.steer(pause(Some("2026-01-02T00:00:00Z"))).await.unwrap().steering.pause.unwrap();
    assert_eq!((again.since, again.until), (before.since, Some(at("2026-01-02T00:00:00Z"))));
    assert_eq!(life.run(None).await.unwrap().trigger, Trigger::Manual, "by hand it runs all the same");
    let resumed = life.steer(resume(None)).await.unwrap();
    assert_eq!((resumed.caught_up, resumed.steering.is_nothing()), (0, true));
    assert_eq!(life.store.steerings().count(), 0);
    world.pass_until(&life, "the next slot", || life.rows().len() == 2).await;
    assert_eq!(life.told(), expected(&[("00:01", "00:03", "paused"), ("00:04", "00:04", "ran")]));
    let notes: Vec<_> = life.rows().into_iter().map(|row| row.note).collect();
    assert_eq!(notes, [Some("by alice: moving".to_owned()), None]);
    life.end().await;
}

#[tokio::test]
async fn a_pause_outlives_restarts_and_edits_and_ends_by_itself_on_time() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    life.steer(pause(Some("2026-01-01T00:05:00Z"))).await.unwrap();
    life.handle.reload(config(&job(&format!("{MINUTELY}\ntimeout = \"2h\"")))).await.unwrap();
    life.end().await;
    world.set_clock("2026-01-01T00:02:30Z");
    let life = world.begin();
    world.pass_until(&life, "the end", || life.rows().len() == 2).await;
    let rows = [("00:01", "00:05", "paused"), ("00:06", "00:06", "ran")];
    assert_eq!(life.told(), expected(&rows));
    // Down over its end: what came after that was missed, and is a matter of catch-up.
    life.steer(pause(Some("2026-01-01T00:10:00Z"))).await.unwrap();
    life.end().await;
    world.set_clock("2026-01-01T00:13:30Z");
    let life = world.begin();
    world.until("the catch-up", || life.tasks().len() == 2).await;
    let later = [("00:07", "00:10", "paused"), ("00:11", "00:12", "missed"), ("00:13", "00:13", "caught-up")];
    assert_eq!(life.told(), expected(&[&rows[..], &later].concat()));
    life.end().await;
}

#[tokio::test]
async fn slots_of_a_pause_have_their_row_when_a_bound_of_their_schedule_is_edited() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    life.steer(pause(None)).await.unwrap();
    world.pass_until(&life, "three minutes", || world.clock.now() >= at("2026-01-01T00:03:30Z")).await;
    let bounded = job(&format!("{MINUTELY}\nuntil = \"2027-01-01\""));
    life.handle.reload(config(&bounded)).await.unwrap();
    assert_eq!(life.told(), expected(&[("00:01", "00:03", "paused")]));
    life.end().await;
}

#[tokio::test]
async fn resumed_with_catch_up_the_latest_or_all_run_and_the_rest_stays_paused() {
    let caught = |minute| (minute, minute, "caught-up");
    for (policy, rows) in [
        (CatchUp::Latest, vec![("00:01", "00:02", "paused"), caught("00:03")]),
        (CatchUp::All, vec![caught("00:01"), caught("00:02"), caught("00:03")]),
    ] {
        let world = World::new("2026-01-01T00:00:30Z", &job(&format!("{MINUTELY}\ncatch_up = \"none\"")));
        let life = world.begin();
        life.steer(pause(None)).await.unwrap();
        world.pass_until(&life, "three minutes", || world.clock.now() >= at("2026-01-01T00:03:30Z")).await;
        let resumed = life.steer(resume(Some(policy))).await.unwrap();
        assert_eq!(resumed.caught_up, life.tasks().len());
        assert_eq!(life.told(), expected(&rows), "{policy}");
        life.end().await;
    }
}

#[tokio::test]
async fn only_what_was_claimed_of_a_pause_is_caught_up() {
    let world = World::new("2026-01-01T00:00:30Z", &job(&format!("{MINUTELY}\noverlap = \"skip\"")));
    let life = world.begin();
    life.steer(pause(None)).await.unwrap();
    world.pass_until(&life, "three minutes", || world.clock.now() >= at("2026-01-01T00:03:30Z")).await;
    let resumed = life.steer(resume(Some(CatchUp::All))).await.unwrap();
    assert_eq!((resumed.caught_up, life.tasks().len()), (1, 1));
    life.end().await;
}

#[tokio::test]
async fn a_year_of_paused_seconds_costs_no_row_until_it_ends_and_one_then() {
    let world = World::new("2026-01-01T00:00:30Z", &job("schedule = \"* * * * * *\""));
    let life = world.begin();
    life.steer(pause(None)).await.unwrap();
    life.end().await;
    world.set_clock("2027-01-01T00:00:30Z");
    let life = world.begin();
    assert!(life.rows().is_empty() && life.tasks().is_empty());
    life.steer(resume(None)).await.unwrap();
    assert_eq!(life.rows().len(), 1);
    assert_eq!((life.rows()[0].first, life.rows()[0].last), (at("2026-01-01T00:00:31Z"), world.clock.now()));
    life.end().await;
}

#[tokio::test]
async fn the_next_slots_are_skipped_over_a_restart_and_a_downtime_and_then_one_runs() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    life.steer(skip(9)).await.unwrap();
    assert_eq!(life.steer(skip(3)).await.unwrap().steering.skip_next.unwrap().left, 3);
    world.pass_until(&life, "one is skipped", || life.rows().len() == 1).await;
    life.end().await;
    world.set_clock("2026-01-01T00:05:30Z");
    let life = world.begin();
    world.until("the catch-up", || life.tasks().len() == 1).await;
    let rows =
        [("00:01", "00:03", "skip-next"), ("00:04", "00:04", "missed"), ("00:05", "00:05", "caught-up")];
    assert_eq!(life.told(), expected(&rows));
    assert_eq!(life.store.steerings().count(), 0);
    life.end().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let world = World::new("2026-01-01T00:00:30Z", &job(MINUTELY));
    let life = world.begin();
    assert!(matches!(life.steer(resume(None)).await, Err(SteerError::NotPaused { .. })));
    assert!(matches!(life.steer(pause(Some("2026-01-01T00:00:30Z"))).await, Err(SteerError::Over { .. })));
    for count in [0, 1001] {
        assert!(matches!(life.steer(skip(count)).await, Err(SteerError::Count { .. })));
    }
    let nobody = life.handle.steer("etl.none".parse().unwrap(), pause(None)).await;
    assert!(matches!(nobody, Err(SteerError::NoJob { .. })));
    assert_eq!(life.store.steerings().count(), 0);
    life.steer(pause(None)).await.unwrap();
    assert!(matches!(life.steer(skip(1)).await, Err(SteerError::Paused { .. })));
    assert_eq!(life.store.steering(&JOB.parse().unwrap()).unwrap().skip_next, None);
    life.end().await;
}

#[tokio::test]
async fn a_slot_of_a_pause_that_a_calendar_excludes_is_paused_and_not_caught_up() {
    let day = |first: &str, last: &str, what| {
        (format!("2026-01-{first}T06:00:00Z"), format!("2026-01-{last}T06:00:00Z"), what)
    };
    let weekend = day("03", "04", "skipped");
    for (policy, rows) in [
        (None, vec![day("01", "04", "skipped")]),
        (
            Some(CatchUp::All),
            vec![day("01", "01", "caught-up"), day("02", "02", "caught-up"), weekend.clone()],
        ),
    ] {
        let keys = "schedule = \"0 6 * * *\"\nexclude = [\"off\"]\ncatch_up_window = \"30d\"";
        let world = slots::world_with("2026-01-01T00:00:00Z", "cron = [\"* * * * SAT,SUN\"]", keys);
        let life = world.begin();
        life.steer(pause(None)).await.unwrap();
        life.end().await;
        world.set_clock("2026-01-04T12:00:00Z");
        let life = world.begin();
        life.steer(resume(policy)).await.unwrap();
        assert_eq!(outcomes(&life.rows()), rows, "{policy:?}");
        let skipped = life.rows().pop().unwrap().outcome;
        assert_eq!(skipped, SlotOutcome::Skipped { reason: SkipReason::Paused }, "{policy:?}");
        life.end().await;
    }
}
