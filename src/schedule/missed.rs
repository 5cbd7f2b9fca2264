//! What becomes of the slots that were due while nobody watched.
//!
//! Slots are found by searching backwards from the end of the downtime, occurrence by occurrence, so
//! that a year of missed seconds costs no more than the slots that run. Those that are given up lie
//! all before those that run, and are one range.

use jiff::{SignedDuration, Timestamp};

use super::{CatchUp, Schedule};

/// How far back `catch_up = "all"` reaches where the schedule does not say.
const WINDOW_OF_ALL: SignedDuration = SignedDuration::from_hours(24);

/// Neighbouring slots of one schedule, from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRange {
    /// The earliest slot of them.
    pub first: Timestamp,
    /// The latest slot of them.
    pub last: Timestamp,
}

/// What is done about missed slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// The slots that do not run: all that were missed before the first of `run`. Some of them may be excluded by
    /// a calendar; the last one is not.
    pub given_up: Option<SlotRange>,
    /// The slots that run, earliest first.
    pub run: Vec<Timestamp>,
}

/// Decides about the slots after `watermark`, up to and with `until`, by the schedule's catch-up policy. Slots
/// that a calendar excludes never run.
pub fn missed(schedule: &Schedule, watermark: Timestamp, until: Timestamp) -> Missed {
    let policy = Policy::of(schedule);
    let oldest = policy.window.map_or(Timestamp::MIN, |window| earlier(until, window));
    let mut run = Vec::new();
    let mut rest = last_between(schedule, watermark, until);
    while let Some(slot) = rest.filter(|slot| *slot >= oldest && run.len() < policy.most) {
        run.push(slot);
        rest = last_between(schedule, watermark, earlier(slot, SignedDuration::from_secs(1)));
    }
    run.reverse();
    let given_up = rest.map(|last| {
        let first = schedule.recurrence.next_after(watermark);
        SlotRange { first: first.expect("there is at least the last one"), last }
    });
    Missed { given_up, run }
}

/// How many slots run, and of what age.
struct Policy {
    most: usize,
    window: Option<SignedDuration>,
}

impl Policy {
    fn of(schedule: &Schedule) -> Self {
        let most = usize::try_from(schedule.rules.max_catch_up).unwrap_or(usize::MAX);
        let window = schedule.rules.catch_up_window;
        match schedule.rules.catch_up {
            CatchUp::Latest => Self { most: most.min(1), window },
            CatchUp::All => Self { most, window: Some(window.unwrap_or(WINDOW_OF_ALL)) },
            CatchUp::None => Self { most: 0, window },
        }
    }
}

/// The last slot that runs after `after`, up to and with `until`.
fn last_between(schedule: &Schedule, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
    schedule.last_until(until).filter(|slot| *slot > after)
}

fn earlier(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.checked_sub(by).unwrap_or(Timestamp::MIN)
}
