//! Which rows of the slot ledger go.

use jiff::Timestamp;

use crate::retention::{ForgottenSlots, plan_slots};
use crate::schedule::{DstMode, Recurrence, ScheduleKey, Zone};
use crate::store::{SlotOutcome, SlotRow};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(60 * minute).unwrap()
}

fn key() -> ScheduleKey {
    ScheduleKey::hashed("*/10 * * * *", "UTC", "vixie")
}

fn row(first: i64, last: i64) -> SlotRow {
    SlotRow {
        schedule: key(),
        first: at(first),
        last: at(last),
        outcome: SlotOutcome::Missed,
        claim: None,
        note: None,
    }
}

/// First slot, and where what stays begins, of what goes of these rows.
fn forgotten(rows: &[SlotRow], watermark: Option<i64>, horizon: Timestamp) -> Vec<(i64, Option<i64>)> {
    let recurrence = Recurrence::new("*/10 * * * *".parse().unwrap(), Zone::UTC, DstMode::Vixie).unwrap();
    let job = "etl.job".parse().unwrap();
    let plan = plan_slots(&job, rows.to_vec(), Some(&recurrence), watermark.map(at), horizon);
    let minute = |time: Timestamp| time.as_second() / 60;
    plan.iter().map(|row| (minute(row.first), row.stays_from.map(minute))).collect()
}

#[test]
fn what_lies_before_the_horizon_goes_and_what_touches_it_stays() {
    let rows = [row(0, 0), row(10, 40), row(50, 60)];
    assert_eq!(forgotten(&rows, Some(1000), at(50)), [(0, None), (10, None)]);
    assert_eq!(forgotten(&rows, Some(1000), at(0)), []);
    // A row whose only slot is the horizon is as old as what is kept.
    assert_eq!(forgotten(&[row(50, 50)], Some(1000), at(50)), []);
}

#[test]
fn a_range_over_the_horizon_begins_with_its_first_slot_that_stays() {
    for (horizon, first) in [(at(41), 50), (at(50), 50), (at(51), 60), (at(60), 60)] {
        assert_eq!(forgotten(&[row(10, 60)], Some(1000), horizon), [(10, Some(first))], "{horizon}");
    }
}

#[test]
fn a_range_of_a_schedule_that_is_not_configured_goes_as_a_whole() {
    let (job, rows) = ("etl.job".parse().unwrap(), || [row(0, 10), row(20, 60)]);
    let expected = ForgottenSlots { job, schedule: key(), first: at(0), last: at(10), stays_from: None };
    assert_eq!(plan_slots(&expected.job, rows(), None, None, at(40)), std::slice::from_ref(&expected));
    assert_eq!(plan_slots(&expected.job, rows(), None, None, at(61)).len(), 2);
}

#[test]
fn what_lies_ahead_of_the_watermark_stays_whatever_its_age() {
    let rows = [row(0, 0), row(10, 40), row(50, 50)];
    assert_eq!(forgotten(&rows, Some(30), at(500)), [(0, None)]);
    assert_eq!(forgotten(&rows, Some(40), at(500)), [(0, None), (10, None)]);
}
