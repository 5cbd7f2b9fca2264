//! Why a recurrence is due at an instant, or is not: field by field.

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::expression::DayRule;
use super::segment::Segment;
use super::{ClockChange, Recurrence};

/// Why an instant is a slot, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The instant, a whole second.
    pub at: Timestamp,
    /// What the clocks of the zone show then.
    pub shown: DateTime,
    /// Whether it is a slot.
    pub due: bool,
    /// What each field has to do with it; empty for an expression without fields.
    pub fields: Vec<FieldAt>,
    /// How the two day fields combine, in words, where both restrict the days.
    pub days: Option<&'static str>,
    /// What a change of the clocks has to do with it, in words.
    pub clocks: Option<String>,
    /// The next change of the clocks that jumps over, or repeats, a time of this schedule.
    pub next_change: Option<ClockChange>,
    /// The slot before.
    pub before: Option<Timestamp>,
    /// The slot after.
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

impl Recurrence {
    /// Why `at` is a slot, or none. Fractions of a second are left out.
    pub fn explain(&self, at: Timestamp) -> Explanation {
        let second = jiff::SignedDuration::from_secs(1);
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        let before = at.checked_sub(second).unwrap_or(Timestamp::MIN);
        let shown = self.timezone().rules().to_datetime(at);
        let due = self.next_after(before) == Some(at);
        let written = self.expression().written().map(Vec::from).unwrap_or_default();
        let restricts = |place: usize| written.get(place).is_some_and(|field| field.values(shown) != "any");
        let either = self.expression().fields().day_rule == DayRule::Either;
        Explanation {
            at,
            shown,
            due,
            days: (restricts(3) && restricts(5)).then_some(match either {
                true => "a day that matches one of the two day fields is enough",
                false => "a day must match both day fields",
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
            clocks: self.clocks(at, shown, due),
            next_change: self.next_clock_change(at),
            before: self.last_until(before),
            after: self.next_after(at),
        }
    }

    fn clocks(&self, at: Timestamp, shown: DateTime, due: bool) -> Option<String> {
        let dst = self.dst();
        let segment = Segment::around(self.timezone(), at.as_second());
        let matches = self.calendar().contains(shown);
        match (matches, due) {
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
mod tests {
    use super::*;
    use crate::schedule::DstMode;

    fn explain(expression: &str, zone: &str, dst: DstMode, at: &str) -> Explanation {
        let recurrence = Recurrence::new(expression.parse().unwrap(), zone.parse().unwrap(), dst).unwrap();
        recurrence.explain(at.parse().unwrap())
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
