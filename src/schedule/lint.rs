//! What a schedule does that its author may not expect, each with the next time that it does so.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use super::clock_change::{ClockChange, Effect, HORIZON};
use super::expression::{DayRule, Field};
use super::{Bounds, Schedule};

/// The slots that are looked at.
const SLOTS: usize = 100;
/// The meetings of two schedules are looked for so many slots ahead.
const STEPS: usize = 200;
/// The months that are looked at: in eight years there are two with a leap day less or more.
const MONTHS: i32 = 100;

/// A day that not every month has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortMonths {
    /// The day.
    pub day: i8,
    /// Of the coming twelve months those that the schedule names.
    pub named: usize,
    /// And those of them that do not have the day.
    pub without: usize,
    /// The first day of the next month that does not have it.
    pub next: Date,
}

/// Both day fields restrict the days, and one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EitherDay {
    /// The day of month, as written.
    pub day: String,
    /// The day of week, as written.
    pub weekday: String,
    /// The next slot on a day that matches only one of them, on the wall clock.
    pub next: DateTime,
    /// Whether it is the day of week that matches there.
    pub by_weekday: bool,
}

/// A step that does not divide its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnevenStep {
    /// The field's name, as in `minute`.
    pub field: String,
    /// As it was written.
    pub written: String,
    /// The distance to the slot before, which is shorter than the step.
    pub gap: SignedDuration,
    /// The next slot that comes so soon.
    pub next: Timestamp,
}

impl Schedule {
    /// The next change of the clocks that jumps over, or repeats, a time of this schedule, within about a year.
    /// Times that do not run anyway, by calendar or bounds, are none of its business.
    pub fn next_clock_change(&self, after: Timestamp) -> Option<ClockChange> {
        let next = |from| self.recurrence.next_clock_change(from);
        std::iter::successors(next(after), |change| next(change.at))
            .take_while(|change| change.at.duration_since(after) <= HORIZON)
            .find(|change| self.would_run(change))
    }

    fn would_run(&self, change: &ClockChange) -> bool {
        let rules = self.recurrence.timezone().rules();
        let at = match change.effect {
            Effect::Skipped => change.at,
            Effect::Repeated => rules.to_timestamp(change.shown).unwrap_or(change.at),
        };
        let Bounds { from, until } = self.recurrence.bounds();
        from.is_none_or(|from| from <= at)
            && until.is_none_or(|until| at <= until)
            && self.excluded_by(at).is_none()
    }

    /// The greatest day of the month that is named by itself, or begins a range, where months lack it.
    pub fn short_months(&self, now: Timestamp) -> Option<ShortMonths> {
        let first = |item: &str| item.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i8>().ok();
        let [.., days, _, _] = self.recurrence.expression().words()?;
        let day = days.split(',').filter_map(first).filter(|day| *day > 28).max()?;
        let [.., months, _] = self.recurrence.expression().written()?;
        let this_month = self.recurrence.timezone().rules().to_datetime(now).date().first_of_month();
        let month = |ahead| this_month.checked_add(jiff::Span::new().months(ahead)).ok();
        let named = |month: &Date| months.matches(month.at(0, 0, 0, 0));
        let lacks = |month: &Date| month.days_in_month() < day;
        let year: Vec<_> = (0..12).filter_map(month).filter(named).collect();
        Some(ShortMonths {
            day,
            named: year.len(),
            without: year.iter().filter(|month| lacks(month)).count(),
            next: (0..MONTHS).filter_map(month).filter(named).find(lacks)?,
        })
    }

    /// Where a day need match only one of two restricted day fields.
    pub fn either_day(&self, now: Timestamp) -> Option<EitherDay> {
        if self.recurrence.expression().fields()?.dates.day_rule != DayRule::Either {
            return None;
        }
        let [.., day, _, weekday] = self.recurrence.expression().written()?;
        let shown = |slot| self.recurrence.timezone().rules().to_datetime(slot);
        let one_sided = |shown: &DateTime| day.matches(*shown) != weekday.matches(*shown);
        let next = self.slots(now).take(SLOTS).map(shown).find(one_sided)?;
        let by_weekday = weekday.matches(next);
        Some(EitherDay { day: day.text, weekday: weekday.text, next, by_weekday })
    }

    /// A field `*/n` whose last step before it begins anew is shorter than the others.
    pub fn uneven_step(&self, now: Timestamp) -> Option<UnevenStep> {
        let words = self.recurrence.expression().words()?;
        let units = [(Field::Second, 1), (Field::Minute, 60), (Field::Hour, 3600), (Field::Day, 86_400)];
        words.into_iter().zip(units).find_map(|(word, (field, unit))| self.uneven(word, field, unit, now))
    }

    fn uneven(&self, word: &str, field: Field, unit: i64, now: Timestamp) -> Option<UnevenStep> {
        let step: i64 = word.strip_prefix("*/")?.parse().ok().filter(|step| *step > 1)?;
        let regular = SignedDuration::from_secs(unit * step);
        let slots: Vec<_> = self.slots(now).take(SLOTS).collect();
        let gaps = slots.windows(2).map(|pair| (pair[1].duration_since(pair[0]), pair[1]));
        // On the wall clock: a change of the clocks is another matter.
        let wall = |slot: Timestamp| self.recurrence.timezone().rules().to_offset(slot);
        let steady = gaps.filter(|(gap, slot)| wall(*slot - *gap) == wall(*slot));
        let (even, uneven): (Vec<_>, Vec<_>) = steady.partition(|(gap, _)| *gap >= regular);
        let (gap, next) = uneven.first().copied()?;
        let follows_the_step = even.iter().filter(|(gap, _)| *gap == regular).count() * 2 >= uneven.len();
        follows_the_step.then(|| UnevenStep { field: field.to_string(), written: word.to_owned(), gap, next })
    }

    /// The shortest distance between two of the coming slots, and the later of these.
    pub fn shortest_gap(&self, now: Timestamp) -> Option<(SignedDuration, Timestamp)> {
        let slots: Vec<_> = self.slots(now).take(SLOTS).collect();
        slots.windows(2).map(|pair| (pair[1].duration_since(pair[0]), pair[1])).min()
    }

    /// The next instant at which another schedule is due too.
    pub fn meets_other(&self, other: &Self, now: Timestamp) -> Option<Timestamp> {
        let second = SignedDuration::from_secs(1);
        let from = |schedule: &Self, at: Timestamp| schedule.next_after(at - second);
        let mut at = self.next_after(now)?;
        for _ in 0..STEPS {
            let there = from(other, at)?;
            if there == at {
                return Some(at);
            }
            at = from(self, there)?;
            if at == there {
                return Some(at);
            }
        }
        None
    }

    /// Whether it is due at minute 0 alone.
    pub fn is_on_the_hour(&self) -> bool {
        self.recurrence.expression().fields().is_some_and(|fields| fields.minutes.iter().eq([0]))
    }

    fn slots(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(now), |slot| self.next_after(*slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::explain::tests::{schedule as of, weekends};
    use crate::schedule::{DstMode, Exclusion, Recurrence, Zone};

    fn recurrence(expression: &str) -> Recurrence {
        Recurrence::new(expression.parse().unwrap(), Zone::UTC, DstMode::Vixie).unwrap()
    }

    fn schedule(expression: &str) -> Schedule {
        of(recurrence(expression), Exclusion::default())
    }

    fn now() -> Timestamp {
        "2026-12-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn months_without_the_day_are_counted_and_the_next_one_is_named() {
        for (expression, expected) in [
            ("0 0 31 * *", Some((31, 12, 5, "2027-02-01"))),
            ("0 0 30 * *", Some((30, 12, 1, "2027-02-01"))),
            ("0 0 29 * *", Some((29, 12, 1, "2027-02-01"))),
            ("0 0 15,31 * *", Some((31, 12, 5, "2027-02-01"))),
            ("0 0 29-31 1-3 *", Some((29, 3, 1, "2027-02-01"))),
            ("0 0 31 4,5 *", Some((31, 2, 1, "2027-04-01"))),
            ("0 0 31 1,3 *", None),
            ("0 0 1-31 * *", None),
            ("0 0 */2 * *", None),
            ("0 0 28 * *", None),
            ("0 0 L * *", None),
            ("0 0 L-2,15W * *", None),
            ("0 0 L,30 * *", Some((30, 12, 1, "2027-02-01"))),
            ("0 0 31W * *", Some((31, 12, 5, "2027-02-01"))),
            ("0 0 H * *", None),
            ("@every 31d", None),
            ("@at 2026-12-31T02:00:00Z", None),
            ("@monthly", None),
        ] {
            let found = schedule(expression).short_months(now());
            let found = found.map(|found| (found.day, found.named, found.without, found.next.to_string()));
            let expected = expected.map(|(day, named, without, next)| (day, named, without, next.to_owned()));
            assert_eq!(found, expected, "{expression}");
        }
        let leap = schedule("0 0 29 2 *").short_months("2027-12-01T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!((leap.without, leap.next.to_string().as_str()), (0, "2029-02-01"));
    }

    #[test]
    fn a_day_that_only_one_day_field_matches_is_named() {
        let found = schedule("0 6 13 * FRI").either_day(now()).unwrap();
        assert_eq!((found.next.to_string().as_str(), found.by_weekday), ("2026-12-04T06:00:00", true));
        let found = schedule("0 6 2 * FRI").either_day(now()).unwrap();
        assert_eq!((found.next.to_string().as_str(), found.by_weekday), ("2026-12-02T06:00:00", false));
        for one in ["0 6 13 * +FRI", "0 6 13 * *", "0 6 * * FRI", "0 6 */2 * FRI"] {
            assert_eq!(schedule(one).either_day(now()), None, "{one}");
        }
    }

    #[test]
    fn a_step_that_does_not_divide_its_field_is_found_where_it_bites() {
        let told = |expression: &str| {
            schedule(expression)
                .uneven_step(now())
                .map(|found| (found.field, found.gap.as_secs(), found.next.to_string()))
        };
        let found = |field: &str, gap: i64, next: &str| Some((field.to_owned(), gap, next.to_owned()));
        assert_eq!(told("*/7 * * * *"), found("minute", 240, "2026-12-01T01:00:00Z"));
        assert_eq!(told("*/45 * * * * *"), found("second", 15, "2026-12-01T00:01:00Z"));
        assert_eq!(told("0 */5 * * *"), found("hour", 4 * 3600, "2026-12-02T00:00:00Z"));
        assert_eq!(told("0 0 */2 * *"), found("day of month", 86_400, "2027-01-01T00:00:00Z"));
        for even in [
            "*/15 * * * *",
            "0 */6 * * *",
            "*/7 9 * * *",
            "5-59/15 * * * *",
            "* * */2 * *",
            "*/40 9 * * *",
            "@daily",
            "H/7 9 * * *",
            "@every 7m",
        ] {
            assert_eq!(told(even), None, "{even}");
        }
    }

    #[test]
    fn two_schedules_meet_at_their_first_common_instant_or_never() {
        for (one, other, expected) in [
            ("*/5 * * * *", "0 2 * * *", Some("2026-12-01T02:00:00Z")),
            ("0 2 13 * *", "0 2 * * FRI", Some("2027-08-13T02:00:00Z")),
            ("0 2 * * *", "30 2 * * *", None),
            ("*/2 * * * *", "1-59/2 * * * *", None),
        ] {
            let (one, other) = (schedule(one), schedule(other));
            let expected = expected.map(|at| at.parse().unwrap());
            assert_eq!(one.meets_other(&other, now()), expected, "{one:?} {other:?}");
            assert_eq!(other.meets_other(&one, now()), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_does_not_run_is_not_found() {
        let without_weekends = |expression| of(recurrence(expression), weekends());
        let (daily, sundays) = (without_weekends("0 2 * * *"), schedule("0 2 * * SUN"));
        assert_eq!(daily.meets_other(&sundays, now()), None);
        assert_eq!(sundays.meets_other(&daily, now()), None);
        assert!(schedule("0 2 * * *").meets_other(&sundays, now()).is_some());
        // Of the days that match one field alone the next is Saturday the 5th.
        let either = without_weekends("0 6 5 * MON").either_day(now()).unwrap();
        assert_eq!(either.next.to_string(), "2026-12-07T06:00:00");
    }

    #[test]
    fn only_changes_of_the_clocks_at_which_it_would_run_are_found() {
        let paris = || {
            let zone = "Europe/Paris".parse().unwrap();
            Recurrence::new("30 2 * * *".parse().unwrap(), zone, DstMode::Vixie).unwrap()
        };
        let found = |recurrence: Recurrence, exclude: Exclusion| {
            let change = of(recurrence, exclude).next_clock_change(now());
            change.map(|change| change.shown.to_string())
        };
        let bounded = |from: &str, until: &str| {
            let bound = |text: &str| Some(text.parse().unwrap());
            paris().within(Bounds { from: bound(from), until: bound(until) }).unwrap()
        };
        assert_eq!(found(paris(), Exclusion::default()).as_deref(), Some("2027-03-28T02:30:00"));
        assert_eq!(found(paris(), weekends()), None);
        let summer = bounded("2027-04-01T00:00:00Z", "2027-12-01T00:00:00Z");
        assert_eq!(found(summer, Exclusion::default()).as_deref(), Some("2027-10-31T02:30:00"));
        let spring = bounded("2027-04-01T00:00:00Z", "2027-05-01T00:00:00Z");
        assert_eq!(found(spring, Exclusion::default()), None);
    }
}
