//! Why a schedule is due at an instant, or is not: field by field, and by its bounds and calendars.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::expression::{DayRule, When};
use super::{Bounds, ClockChange, Recurrence, Schedule};

/// Why an instant is a slot that runs, or is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The instant, a whole second.
    pub at: Timestamp,
    /// What the clocks of the zone show then.
    pub shown: DateTime,
    /// Whether it is a slot, excluded or not.
    pub slot: bool,
    /// Whether it is one that runs.
    pub due: bool,
    /// What each field has to do with it; empty for an expression without fields.
    pub fields: Vec<FieldAt>,
    /// Of an expression without fields, what it has to do with it, in words.
    pub instants: Option<String>,
    /// How the two day fields combine, in words, where both restrict the days.
    pub days: Option<&'static str>,
    /// What a change of the clocks has to do with it, in words.
    pub clocks: Option<String>,
    /// The next change of the clocks that jumps over, or repeats, a time of this schedule.
    pub next_change: Option<ClockChange>,
    /// Which of `from` and `until` it is beyond, in words.
    pub bounds: Option<String>,
    /// The calendar that excludes it.
    pub excluded_by: Option<String>,
    /// The slot before, of those that run.
    pub before: Option<Timestamp>,
    /// The slot after, of those that run.
    pub after: Option<Timestamp>,
}

/// A field at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAt {
    /// The field, as in `day of month`.
    pub field: String,
    /// What was written.
    pub written: String,
    /// The values that match; of the day fields those of the month.
    pub values: String,
    /// What the clocks show.
    pub shown: String,
    /// Whether that is one of them.
    pub matches: bool,
}

impl Schedule {
    /// Why it is due at `at`, or is not. Fractions of a second are left out.
    pub fn explain(&self, at: Timestamp) -> Explanation {
        let recurrence = &self.recurrence;
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let before = at.checked_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN);
        let shown = recurrence.timezone().rules().to_datetime(at);
        let named = recurrence.next_unbounded(before) == Some(at);
        let slot = recurrence.next_after(before) == Some(at);
        let excluded_by = self.excluded_by(at).map(|calendar| calendar.name().to_owned());
        let written = recurrence.expression().written().map(Vec::from).unwrap_or_default();
        let restricts = |place: usize| written.get(place).is_some_and(|field| field.values(shown) != "any");
        let rule = recurrence.expression().fields().map(|fields| fields.dates.day_rule);
        Explanation {
            at,
            shown,
            slot,
            due: slot && excluded_by.is_none(),
            days: (restricts(3) && restricts(5)).then_some(match rule {
                Some(DayRule::Either) => "a day that matches one of the two day fields is enough",
                _ => "a day must match both day fields",
            }),
            fields: written
                .iter()
                .map(|field| FieldAt {
                    field: field.field.to_string(),
                    written: field.text.clone(),
                    values: field.values(shown),
                    shown: field.shown(shown),
                    matches: field.matches(shown),
                })
                .collect(),
            instants: recurrence.instants(at),
            clocks: recurrence.clocks(at, shown, named),
            next_change: self.next_clock_change(at),
            bounds: recurrence.beyond(at),
            excluded_by,
            before: self.last_until(before),
            after: self.next_after(at),
        }
    }
}

impl Recurrence {
    fn instants(&self, at: Timestamp) -> Option<String> {
        match self.expression().when() {
            When::Fields(_) => None,
            When::At(second) => {
                let only = Timestamp::from_second(*second).ok()?;
                Some(match only == at {
                    true => "it is due once, at this instant".to_owned(),
                    false => format!("it is due once, at {only}"),
                })
            }
            When::Every { interval, phase } => {
                let first = Timestamp::from_second(*phase).ok()?;
                let every = SignedDuration::from_secs(*interval);
                let past = SignedDuration::from_secs((at.as_second() - phase).rem_euclid(*interval));
                let counted = format!("every {every:#}, counted from {first}, which the job's name decides");
                Some(match past.is_zero() {
                    true => counted,
                    false => format!("{counted}; this is {past:#} past one"),
                })
            }
        }
    }

    fn beyond(&self, at: Timestamp) -> Option<String> {
        match self.bounds() {
            Bounds { from: Some(from), .. } if at < from => {
                Some(format!("`from` is {from}: it is before that"))
            }
            Bounds { until: Some(until), .. } if at > until => {
                Some(format!("`until` is {until}: it is after that"))
            }
            _ => None,
        }
    }

    fn clocks(&self, at: Timestamp, shown: DateTime, named: bool) -> Option<String> {
        let dst = self.dst();
        let segment = self.segment(at.as_second());
        let matches = self.calendar()?.contains(at.as_second() + segment.offset);
        match (matches, named) {
            (false, true) => Some(format!(
                "the clocks jumped to {} and over a time that matches; by `{dst}` it is due right after",
                shown.time()
            )),
            (true, false) if segment.start <= at.as_second() => Some(format!(
                "the clocks were set back and show {} for the second time; by `{dst}` only the first is due",
                shown.time()
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{
        DstMode, ExcludedTimes, Exclusion, ExclusionCalendar, Expression, Recurrence, Rules,
    };

    pub(in crate::schedule) fn schedule(recurrence: Recurrence, exclude: Exclusion) -> Schedule {
        Schedule {
            key: recurrence.key().clone(),
            recurrence,
            rules: Arc::new(Rules { exclude, ..Rules::default() }),
            parameters: None,
        }
    }

    fn recurrence(expression: &str, zone: &str, dst: DstMode) -> Recurrence {
        let expression = Expression::for_job(expression, "etl.nightly").unwrap();
        Recurrence::new(expression, zone.parse().unwrap(), dst).unwrap()
    }

    fn explain(expression: &str, zone: &str, dst: DstMode, at: &str) -> Explanation {
        schedule(recurrence(expression, zone, dst), Exclusion::default()).explain(at.parse().unwrap())
    }

    pub(in crate::schedule) fn weekends() -> Exclusion {
        let crons = vec!["* * * * SAT,SUN".parse().unwrap()];
        let times = ExcludedTimes { crons, ..ExcludedTimes::default() };
        Exclusion::new([Arc::new(ExclusionCalendar::new("weekends", times).unwrap())])
    }

    #[test]
    fn a_calendar_that_excludes_a_slot_is_named_and_its_neighbours_run() {
        let daily = schedule(recurrence("30 2 * * *", "Europe/Paris", DstMode::Vixie), weekends());
        let found = daily.explain("2026-03-28T01:30:00Z".parse().unwrap());
        assert_eq!((found.slot, found.due, found.excluded_by.as_deref()), (true, false, Some("weekends")));
        assert!(found.fields.iter().all(|field| field.matches), "{found:?}");
        assert_eq!(found.before.unwrap().to_string(), "2026-03-27T01:30:00Z");
        assert_eq!(found.after.unwrap().to_string(), "2026-03-30T00:30:00Z");
        // The clocks of Paris change on Sundays.
        assert_eq!((found.clocks, found.next_change), (None, None));
        let runs = daily.explain("2026-03-30T00:30:00Z".parse().unwrap());
        assert_eq!((runs.slot, runs.due, runs.excluded_by), (true, true, None));
    }

    #[test]
    fn what_is_beyond_a_bound_says_which_and_blames_no_clock() {
        let (from, until) =
            ("2026-03-02T00:00:00Z".parse().unwrap(), "2026-03-04T00:00:00Z".parse().unwrap());
        let bounds = Bounds { from: Some(from), until: Some(until) };
        let within = recurrence("0 2 * * *", "UTC", DstMode::Vixie).within(bounds).unwrap();
        let daily = schedule(within, Exclusion::default());
        for (at, due, said) in [
            ("2026-03-01T02:00:00Z", false, Some("`from` is 2026-03-02T00:00:00Z: it is before that")),
            ("2026-03-02T02:00:00Z", true, None),
            ("2026-03-04T02:00:00Z", false, Some("`until` is 2026-03-04T00:00:00Z: it is after that")),
        ] {
            let found = daily.explain(at.parse().unwrap());
            assert_eq!((found.slot, found.due, found.bounds.as_deref()), (due, due, said), "{at}");
            assert_eq!(found.clocks, None, "{at}");
        }
        assert_eq!(daily.explain(until).after, None);
        assert_eq!(daily.explain(from).before, None);
    }

    #[test]
    fn instants_without_fields_are_told_in_words() {
        let slot = recurrence("@every 15m", "Europe/Paris", DstMode::Vixie)
            .next_after("2026-03-29T00:50:00Z".parse().unwrap())
            .unwrap();
        let first = Timestamp::from_second(slot.as_second().rem_euclid(900)).unwrap();
        let counted = format!("every 15m, counted from {first}, which the job's name decides");
        let late = slot + SignedDuration::from_secs(63);
        for (at, due, said) in
            [(slot, true, counted.clone()), (late, false, counted + "; this is 1m 3s past one")]
        {
            let found = explain("@every 15m", "Europe/Paris", DstMode::Vixie, &at.to_string());
            assert_eq!((found.due, found.instants), (due, Some(said)));
            assert_eq!(
                (found.fields, found.days, found.clocks, found.next_change),
                (vec![], None, None, None)
            );
        }
        for (at, due, said) in [
            ("2026-12-01T02:00:00Z", true, "it is due once, at this instant"),
            ("2026-12-01T02:00:01Z", false, "it is due once, at 2026-12-01T02:00:00Z"),
        ] {
            let found = explain("@at 2026-12-01T02:00:00Z", "UTC", DstMode::Vixie, at);
            assert_eq!((found.due, found.instants.as_deref(), found.after), (due, Some(said), None), "{at}");
        }
    }

    #[test]
    fn what_is_due_by_a_change_of_the_clocks_says_so() {
        let jumped = explain("30 2 * * *", "Europe/Paris", DstMode::Vixie, "2026-03-29T01:00:00Z");
        assert!(
            jumped.due && jumped.clocks.as_deref().is_some_and(|text| text.contains("jumped to 03:00:00")),
            "{jumped:?}"
        );
        let skipped = explain("30 2 * * *", "Europe/Paris", DstMode::Skip, "2026-03-29T01:00:00Z");
        assert_eq!((skipped.due, skipped.clocks), (false, None));
        for (at, due, clocks) in
            [("2026-10-25T00:30:00Z", true, false), ("2026-10-25T01:30:00Z", false, true)]
        {
            let found = explain("30 2 * * *", "Europe/Paris", DstMode::Vixie, at);
            assert_eq!((found.due, found.clocks.is_some()), (due, clocks), "{at}");
        }
        let twice = explain("30 2 * * *", "Europe/Paris", DstMode::Literal, "2026-10-25T01:30:00Z");
        assert_eq!((twice.due, twice.clocks), (true, None));
    }

    #[test]
    fn neighbours_and_fields_are_those_of_the_zone() {
        let found = explain("30 2 13 * FRI", "Europe/Paris", DstMode::Vixie, "2026-03-13T01:30:00.7Z");
        assert_eq!(found.at.to_string(), "2026-03-13T01:30:00Z");
        assert!(found.due && found.fields.iter().all(|field| field.matches), "{found:?}");
        assert_eq!(found.days, Some("a day that matches one of the two day fields is enough"));
        assert_eq!(found.before.unwrap().to_string(), "2026-03-06T01:30:00Z");
        assert_eq!(found.after.unwrap().to_string(), "2026-03-20T01:30:00Z");
        assert_eq!(found.next_change, None);
    }
}
