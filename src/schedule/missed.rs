//! What is done about the slots that were due while nobody watched.

use jiff::{SignedDuration, Timestamp};

use super::{CatchUp, Schedule};

/// How far back `all` reaches unless told otherwise.
const WINDOW_OF_ALL: SignedDuration = SignedDuration::from_hours(24);

/// Neighbouring slots of one schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRange {
    /// The first slot.
    pub first: Timestamp,
    /// The last slot; the first where there is but one.
    pub last: Timestamp,
}

/// What is done about missed slots: each lies in one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The slots that are left out: all of them before the first of `run`.
    pub given_up: Option<SlotRange>,
    /// The slots that are caught up, oldest first.
    pub run: Vec<Timestamp>,
}

/// Decides about the slots after `watermark`, up to and including `until`. They are found by stepping
/// back from `until`, so a year of seconds costs no more than what is caught up.
pub fn missed(schedule: &Schedule, watermark: Timestamp, until: Timestamp) -> Missed {
    let (most, window) = match schedule.catch_up {
        CatchUp::None => (0, None),
        CatchUp::Latest => (1, schedule.catch_up_window),
        CatchUp::All => {
            (schedule.max_catch_up as usize, Some(schedule.catch_up_window.unwrap_or(WINDOW_OF_ALL)))
        }
    };
    let oldest = window.and_then(|window| until.checked_sub(window).ok()).unwrap_or(Timestamp::MIN);
    let before = |slot: Timestamp| {
        let just_before = slot.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        schedule.recurrence.last_until(just_before).filter(|slot| *slot > watermark)
    };
    let mut run = Vec::new();
    let mut slot = schedule.recurrence.last_until(until).filter(|slot| *slot > watermark);
    while let Some(wanted) = slot.filter(|slot| run.len() < most && *slot >= oldest) {
        run.push(wanted);
        slot = before(wanted);
    }
    run.reverse();
    let first = schedule.recurrence.next_after(watermark);
    let given_up = first.zip(slot).map(|(first, last)| SlotRange { first, last });
    Missed { given_up, run }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{DstMode, Recurrence, ScheduleKey, Zone};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(cron: &str, catch_up: CatchUp) -> Schedule {
        Schedule {
            key: ScheduleKey::hashed(cron, "UTC", "vixie"),
            recurrence: Recurrence::new(cron.parse().unwrap(), Zone::utc(), DstMode::Vixie).unwrap(),
            start_deadline: None,
            catch_up,
            catch_up_window: None,
            max_catch_up: 100,
            jitter: SignedDuration::ZERO,
        }
    }

    fn texts(missed: &Missed) -> (Option<(String, String)>, Vec<String>) {
        let given_up = missed.given_up.map(|range| (range.first.to_string(), range.last.to_string()));
        (given_up, missed.run.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn down_for_a_week_with_two_slots_a_day_latest_runs_the_last_one_and_nothing_off_the_schedule() {
        let schedule = schedule("0 9,10 * * *", CatchUp::Latest);
        let missed = missed(&schedule, at("2026-01-01T10:00:00Z"), at("2026-01-08T18:00:00Z"));
        let given_up = ("2026-01-02T09:00:00Z".to_owned(), "2026-01-08T09:00:00Z".to_owned());
        assert_eq!(texts(&missed), (Some(given_up), vec!["2026-01-08T10:00:00Z".to_owned()]));
    }

    #[test]
    fn none_gives_all_up() {
        let schedule = schedule("0 * * * *", CatchUp::None);
        let missed = missed(&schedule, at("2026-01-01T10:00:00Z"), at("2026-01-01T12:30:00Z"));
        let given_up = ("2026-01-01T11:00:00Z".to_owned(), "2026-01-01T12:00:00Z".to_owned());
        assert_eq!(texts(&missed), (Some(given_up), vec![]));
    }

    #[test]
    fn all_runs_the_newest_within_window_and_maximum() {
        let mut schedule = schedule("0 * * * *", CatchUp::All);
        let week = (at("2026-01-01T00:30:00Z"), at("2026-01-08T00:30:00Z"));
        let day = missed(&schedule, week.0, week.1);
        assert_eq!(day.run.len(), 24);
        assert_eq!(day.given_up.unwrap().first, at("2026-01-01T01:00:00Z"));
        assert_eq!(day.given_up.unwrap().last, at("2026-01-07T00:00:00Z"));
        schedule.catch_up_window = Some(SignedDuration::from_hours(24 * 30));
        assert_eq!(missed(&schedule, week.0, week.1).run.len(), 100);
        schedule.max_catch_up = 200;
        let all = missed(&schedule, week.0, week.1);
        assert_eq!((all.run.len(), all.given_up), (168, None));
    }

    #[test]
    fn a_window_bounds_latest_too() {
        let mut schedule = schedule("0 0 * * *", CatchUp::Latest);
        schedule.catch_up_window = Some(SignedDuration::from_hours(6));
        let missed = missed(&schedule, at("2026-01-01T00:00:00Z"), at("2026-01-02T09:00:00Z"));
        assert!(missed.run.is_empty());
        assert_eq!(missed.given_up.unwrap().last, at("2026-01-02T00:00:00Z"));
    }

    #[test]
    fn nothing_was_missed_where_no_slot_lies_between() {
        let schedule = schedule("0 * * * *", CatchUp::All);
        let missed = missed(&schedule, at("2026-01-01T10:00:00Z"), at("2026-01-01T10:59:59Z"));
        assert_eq!(texts(&missed), (None, vec![]));
    }
}
