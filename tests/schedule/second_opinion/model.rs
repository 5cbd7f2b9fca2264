//! What the rules say when every minute around a change is looked at.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use tekcron::schedule::{DstMode, Expression, Recurrence};

use super::random::{Fields, config, fields, place_and_time};
use crate::sample::{MODES, backward, forward};

/// How far around an instant is looked.
const REACH: SignedDuration = SignedDuration::from_hours(8);

/// The same where slots may be seconds apart.
const REACH_OF_SECONDS: SignedDuration = SignedDuration::from_hours(2);

struct Model<'a> {
    fields: &'a Fields,
    zone: TimeZone,
    seconds: Vec<u8>,
    minutes: Vec<u8>,
    hours: Vec<u8>,
    days: Vec<u8>,
    months: Vec<u8>,
    weekdays: Vec<u8>,
}

impl<'a> Model<'a> {
    fn new(fields: &'a Fields, zone: &str) -> Self {
        Self {
            fields,
            zone: TimeZone::get(zone).unwrap(),
            seconds: fields.second.as_ref().map_or(vec![0], |second| second.values()),
            minutes: fields.minute.values(),
            hours: fields.hour.values(),
            days: fields.day.values(),
            months: fields.month.values(),
            weekdays: fields.weekday.values(),
        }
    }

    /// Whether a minute matches, whatever the second.
    fn matches(&self, time: DateTime) -> bool {
        let holds = |values: &[u8], value: i8| values.contains(&u8::try_from(value).unwrap());
        let date = || {
            let (days, weekdays) = (&self.fields.day, &self.fields.weekday);
            let day = holds(&self.days, time.day()) || days.has_by_month(time.date());
            let weekday = holds(&self.weekdays, time.weekday().to_sunday_zero_offset())
                || weekdays.has_by_month(time.date());
            if self.fields.both_days_must_match() { day && weekday } else { day || weekday }
        };
        holds(&self.minutes, time.minute())
            && holds(&self.hours, time.hour())
            && holds(&self.months, time.month())
            && date()
    }

    /// The slots after `from`, up to and with `until`; both are whole minutes.
    fn slots(&self, mode: DstMode, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let mut slots = Vec::new();
        let mut minute = from;
        while minute <= until {
            if self.matches(self.zone.to_datetime(minute)) {
                slots.extend(
                    self.seconds.iter().map(|second| minute + SignedDuration::from_secs((*second).into())),
                );
            }
            minute += SignedDuration::from_mins(1);
        }
        if mode == DstMode::Skip || (mode == DstMode::Vixie && self.fields.fixed_time()) {
            slots.retain(|slot| self.is_shown_first(*slot));
        }
        if mode == DstMode::Vixie && self.fields.fixed_time() {
            let changes = self.zone.following(from).map(|change| change.timestamp());
            let changes = changes.take_while(|change| *change <= until);
            slots.extend(changes.filter(|change| self.skips(*change)));
        }
        slots.retain(|slot| *slot > from && *slot <= until);
        slots.sort();
        slots.dedup();
        slots
    }

    fn is_shown_first(&self, instant: Timestamp) -> bool {
        let shown = self.zone.to_datetime(instant);
        self.zone.to_ambiguous_timestamp(shown).earlier().unwrap() == instant
    }

    /// Whether the change jumps over a minute that matches.
    fn skips(&self, change: Timestamp) -> bool {
        let before = self.zone.to_offset(change - SignedDuration::from_secs(1));
        let (mut time, end) = (before.to_datetime(change), self.zone.to_datetime(change));
        while time < end {
            if self.matches(time) {
                return true;
            }
            time += 1.minute();
        }
        false
    }
}

proptest! {
    #![proptest_config(config(800))]

    #[test]
    fn the_rules_hold_in_every_mode_in_both_directions(fields in fields(), (zone, around) in place_and_time()) {
        let around = Timestamp::from_second(around.as_second() / 60 * 60).unwrap();
        let reach = if fields.second.is_some() { REACH_OF_SECONDS } else { REACH };
        let (from, until) = (around - reach, around + reach);
        let model = Model::new(&fields, zone);
        let expression: Expression = fields.text().parse().unwrap();
        for mode in MODES {
            let Ok(recurrence) = Recurrence::new(expression.clone(), zone.parse().unwrap(), mode) else {
                continue;
            };
            let expected = model.slots(mode, from, until);
            prop_assert_eq!(&forward(&recurrence, from, until), &expected, "`{}` {} {}", expression, zone, mode);
            prop_assert_eq!(&backward(&recurrence, from, until), &expected, "`{}` {} {}", expression, zone, mode);
        }
    }
}
