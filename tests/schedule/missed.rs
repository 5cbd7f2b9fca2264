//! What becomes of slots that were due while nobody watched.

use std::sync::Arc;

use jiff::SignedDuration;
use tekcron::schedule::{CatchUp, DstMode, Missed, Rules, Schedule, ScheduleKey, SlotRange, missed};

use crate::sample::{at, recurrence};

fn schedule(expression: &str, catch_up: CatchUp) -> Schedule {
    Schedule {
        key: ScheduleKey::hashed(expression, "UTC", "vixie"),
        recurrence: recurrence(expression, "UTC", DstMode::Vixie),
        rules: Arc::new(Rules { catch_up, ..Rules::default() }),
        parameters: None,
    }
}

fn rules(schedule: &mut Schedule) -> &mut Rules {
    Arc::make_mut(&mut schedule.rules)
}

fn range(first: &str, last: &str) -> Option<SlotRange> {
    Some(SlotRange { first: at(first), last: at(last) })
}

fn decided(schedule: &Schedule, watermark: &str, until: &str) -> Missed {
    missed(schedule, at(watermark), at(until))
}

#[test]
fn where_nothing_was_due_nothing_is_decided() {
    for policy in [CatchUp::Latest, CatchUp::All, CatchUp::None] {
        let hourly = schedule("0 * * * *", policy);
        for (watermark, until) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T00:59:59.999Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01T05:00:00Z", "2026-01-01T02:00:00Z"),
        ] {
            assert_eq!(decided(&hourly, watermark, until), Missed::default(), "{policy} {watermark} {until}");
        }
    }
}

#[test]
fn latest_runs_the_last_and_gives_up_those_before() {
    let hourly = schedule("0 * * * *", CatchUp::Latest);
    let expected = Missed {
        given_up: range("2026-01-01T01:00:00Z", "2026-01-01T04:00:00Z"),
        run: vec![at("2026-01-01T05:00:00Z")],
    };
    assert_eq!(decided(&hourly, "2026-01-01T00:00:00Z", "2026-01-01T05:30:00Z"), expected);
    let one = Missed { given_up: None, run: vec![at("2026-01-01T05:00:00Z")] };
    assert_eq!(decided(&hourly, "2026-01-01T04:00:00Z", "2026-01-01T05:00:00Z"), one);
}

#[test]
fn none_gives_all_of_them_up() {
    let hourly = schedule("0 * * * *", CatchUp::None);
    let expected = Missed { given_up: range("2026-01-01T01:00:00Z", "2026-01-01T05:00:00Z"), run: vec![] };
    assert_eq!(decided(&hourly, "2026-01-01T00:00:00Z", "2026-01-01T05:30:00Z"), expected);
}

#[test]
fn all_runs_those_of_the_last_24_hours_earliest_first() {
    let eight_hourly = schedule("0 */8 * * *", CatchUp::All);
    let expected = Missed {
        given_up: range("2026-01-01T08:00:00Z", "2026-01-03T08:00:00Z"),
        run: ["2026-01-03T16:00:00Z", "2026-01-04T00:00:00Z", "2026-01-04T08:00:00Z"].map(at).to_vec(),
    };
    assert_eq!(decided(&eight_hourly, "2026-01-01T00:00:00Z", "2026-01-04T10:00:00Z"), expected);
}

#[test]
fn all_runs_the_newest_up_to_the_maximum() {
    let mut minutely = schedule("* * * * *", CatchUp::All);
    rules(&mut minutely).max_catch_up = 3;
    let expected = Missed {
        given_up: range("2026-01-01T00:01:00Z", "2026-01-01T00:07:00Z"),
        run: ["2026-01-01T00:08:00Z", "2026-01-01T00:09:00Z", "2026-01-01T00:10:00Z"].map(at).to_vec(),
    };
    assert_eq!(decided(&minutely, "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"), expected);
}

#[test]
fn a_slot_as_old_as_the_window_runs_and_an_older_one_does_not() {
    for policy in [CatchUp::Latest, CatchUp::All] {
        let mut daily = schedule("0 0 * * *", policy);
        rules(&mut daily).catch_up_window = Some(SignedDuration::from_hours(1));
        let runs = Missed { given_up: None, run: vec![at("2026-01-02T00:00:00Z")] };
        assert_eq!(decided(&daily, "2026-01-01T12:00:00Z", "2026-01-02T01:00:00Z"), runs, "{policy}");
        let given_up =
            Missed { given_up: range("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z"), run: Vec::new() };
        assert_eq!(decided(&daily, "2026-01-01T12:00:00Z", "2026-01-02T01:00:01Z"), given_up, "{policy}");
    }
}

#[test]
fn absurd_settings_decide_all_the_same() {
    let mut daily = schedule("0 0 * * *", CatchUp::All);
    rules(&mut daily).catch_up_window = Some(SignedDuration::MAX);
    rules(&mut daily).max_catch_up = u32::MAX;
    assert_eq!(decided(&daily, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z").run.len(), 31);
    rules(&mut daily).max_catch_up = 0;
    for policy in [CatchUp::All, CatchUp::Latest] {
        rules(&mut daily).catch_up = policy;
        let none = Missed { given_up: range("2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z"), run: vec![] };
        assert_eq!(decided(&daily, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), none, "{policy}");
    }
    rules(&mut daily).catch_up_window = Some(SignedDuration::from_secs(-5));
    rules(&mut daily).max_catch_up = 100;
    assert_eq!(decided(&daily, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z").run, []);
}

/// More than three thousand million slots: this ends only where they are not stepped through.
#[test]
fn a_hundred_years_of_missed_seconds_are_one_range() {
    let secondly = schedule("* * * * * *", CatchUp::Latest);
    let expected = Missed {
        given_up: range("2000-01-01T00:00:01Z", "2099-12-31T23:59:59Z"),
        run: vec![at("2100-01-01T00:00:00Z")],
    };
    assert_eq!(decided(&secondly, "2000-01-01T00:00:00Z", "2100-01-01T00:00:00.5Z"), expected);
}

#[test]
fn missed_slots_are_found_where_a_day_is_not_24_hours_long() {
    let mut daily = schedule("30 2 * * *", CatchUp::All);
    daily.recurrence = recurrence("30 2 * * *", "Europe/Paris", DstMode::Vixie);
    rules(&mut daily).catch_up_window = Some(SignedDuration::from_hours(72));
    let run = ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"];
    let expected = Missed { given_up: None, run: run.map(at).to_vec() };
    assert_eq!(decided(&daily, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"), expected);
}
