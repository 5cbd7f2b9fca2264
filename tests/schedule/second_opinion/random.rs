//! Random expressions, zones and instants. What an expression means is known here without parsing it.

use std::ops::RangeInclusive;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};

use crate::sample::at;

/// Zones whose clocks have done all that clocks do: half hours, whole days, midnights, minutes past
/// midnight, two hours, backwards in summer, never.
const ZONES: [&str; 20] = [
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/London",
    "Europe/Moscow",
    "Europe/Paris",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
];

/// The same cases each time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` give more and others.
pub(super) fn config(cases: u32) -> Config {
    let known = Config::default();
    Config {
        cases: if std::env::var_os("PROPTEST_CASES").is_some() { known.cases } else { cases },
        rng_seed: match known.rng_seed {
            RngSeed::Random => RngSeed::Fixed(0x7e6b_c401),
            given => given,
        },
        failure_persistence: None,
        ..known
    }
}

/// One field: its bounds (the weekday's are 0 and 6), and the items of its list.
#[derive(Debug, Clone)]
pub(super) struct Field {
    range: (u8, u8),
    pub(super) items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Any,
    AnyStep(u8),
    One(u8),
    Range(u8, u8),
    RangeStep(u8, u8, u8),
    /// Of the day of month.
    Last,
    LastMinus(u8),
    Working(u8),
    LastWorking,
    /// Of the day of week.
    Nth(u8, u8),
    LastWeekday(u8),
}

#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) second: Option<Field>,
    pub(super) minute: Field,
    pub(super) hour: Field,
    pub(super) day: Field,
    pub(super) month: Field,
    pub(super) weekday: Field,
    pub(super) plus: bool,
}

impl Item {
    pub(super) fn values(self, (low, high): (u8, u8)) -> Vec<u8> {
        let step = |values: Vec<u8>, step: u8| values.into_iter().step_by(step.into()).collect();
        match self {
            Self::Any => (low..=high).collect(),
            Self::AnyStep(by) => step((low..=high).collect(), by),
            Self::One(value) => vec![value],
            Self::Range(first, last) if first <= last => (first..=last).collect(),
            Self::Range(first, last) => (first..=high).chain(low..=last).collect(),
            Self::RangeStep(first, last, by) => step(Self::Range(first, last).values((low, high)), by),
            _ => Vec::new(),
        }
    }

    /// Whether it is a day that each month has elsewhere, and this is that day.
    fn is_by_month(self, date: Date) -> bool {
        let month = || (0..date.days_in_month()).map(|day| date.first_of_month() + i64::from(day).days());
        let is_working = |day: &Date| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let weekday = |day: Date| u8::try_from(day.weekday().to_sunday_zero_offset()).unwrap();
        match self {
            Self::Last => date == date.last_of_month(),
            Self::LastMinus(days) => date.saturating_add(i64::from(days).days()) == date.last_of_month(),
            Self::Working(wanted) => {
                let wanted = i8::try_from(wanted).unwrap();
                let distance = |day: &Date| (day.day() - wanted).abs();
                wanted <= date.days_in_month()
                    && month().filter(is_working).min_by_key(distance) == Some(date)
            }
            Self::LastWorking => month().rfind(is_working) == Some(date),
            Self::Nth(wanted, count) => {
                month().filter(|day| weekday(*day) == wanted).nth(usize::from(count) - 1) == Some(date)
            }
            Self::LastWeekday(wanted) => month().rfind(|day| weekday(*day) == wanted) == Some(date),
            _ => false,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::AnyStep(step) => format!("*/{step}"),
            Self::One(value) => value.to_string(),
            Self::Range(first, last) => format!("{first}-{last}"),
            Self::RangeStep(first, last, step) => format!("{first}-{last}/{step}"),
            Self::Last => "L".to_owned(),
            Self::LastMinus(days) => format!("L-{days}"),
            Self::Working(day) => format!("{day}W"),
            Self::LastWorking => "LW".to_owned(),
            Self::Nth(weekday, count) => format!("{weekday}#{count}"),
            Self::LastWeekday(weekday) => format!("{weekday}L"),
        }
    }
}

impl Field {
    pub(super) fn values(&self) -> Vec<u8> {
        self.items.iter().flat_map(|item| item.values(self.range)).collect()
    }

    pub(super) fn has_by_month(&self, date: Date) -> bool {
        self.items.iter().any(|item| item.is_by_month(date))
    }

    pub(super) fn starts_with_star(&self) -> bool {
        matches!(self.items[0], Item::Any | Item::AnyStep(_))
    }

    /// As text, with what `croner` does not read spelt out as a list where `spelt_out`.
    pub(super) fn text(&self, spelt_out: bool) -> String {
        let item = |item: &Item| match *item {
            Item::Range(first, last) | Item::RangeStep(first, last, _) if spelt_out && first > last => {
                let values = item.values(self.range);
                values.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
            }
            Item::Any if spelt_out && self.items.len() > 1 => Item::Range(self.range.0, self.range.1).text(),
            item => item.text(),
        };
        self.items.iter().map(item).collect::<Vec<_>>().join(",")
    }
}

impl Fields {
    /// As we read it.
    pub(super) fn text(&self) -> String {
        let plus = if self.plus { "+" } else { "" };
        self.join(false, plus)
    }

    pub(super) fn join(&self, spelt_out: bool, before_weekday: &str) -> String {
        let second = self.second.as_ref().map(|second| second.text(spelt_out) + " ").unwrap_or_default();
        let [minute, hour, day, month, weekday] =
            [&self.minute, &self.hour, &self.day, &self.month, &self.weekday]
                .map(|field| field.text(spelt_out));
        format!("{second}{minute} {hour} {day} {month} {before_weekday}{weekday}")
    }

    pub(super) fn both_days_must_match(&self) -> bool {
        self.plus || self.day.starts_with_star() || self.weekday.starts_with_star()
    }

    pub(super) fn fixed_time(&self) -> bool {
        !self.minute.starts_with_star() && !self.hour.starts_with_star()
    }
}

fn field(range: RangeInclusive<u8>, usual: RangeInclusive<u8>) -> impl Strategy<Value = Field> {
    let (low, high) = (*range.start(), *range.end());
    let value = move || prop_oneof![3 => usual.clone(), 1 => low..=high];
    let item = prop_oneof![
        3 => Just(Item::Any),
        2 => (2..=high.max(2)).prop_map(Item::AnyStep),
        8 => value().prop_map(Item::One),
        2 => (value(), value()).prop_map(|(first, last)| Item::Range(first, last)),
        1 => (value(), value(), 1..=high.max(1)).prop_map(|(first, last, step)| Item::RangeStep(first, last, step)),
    ];
    let items = prop_oneof![
        3 => prop::collection::vec(item.clone(), 1),
        1 => prop::collection::vec(item, 2..=3),
    ];
    items.prop_map(move |items| Field { range: (low, high), items })
}

/// A field with some items that its range knows nothing of.
fn with(
    field: impl Strategy<Value = Field>,
    item: impl Strategy<Value = Item>,
) -> impl Strategy<Value = Field> {
    (field, prop::collection::vec(item, 0..=2), any::<bool>()).prop_map(|(mut field, items, instead)| {
        if instead && !items.is_empty() {
            field.items.clear();
        }
        field.items.extend(items);
        field
    })
}

fn days() -> impl Strategy<Value = Field> {
    let item = prop_oneof![
        Just(Item::Last),
        (1..=30_u8).prop_map(Item::LastMinus),
        (1..=31_u8).prop_map(Item::Working),
        Just(Item::LastWorking),
    ];
    prop_oneof![2 => mostly_any(1..=31), 1 => with(mostly_any(1..=31), item)]
}

fn weekdays() -> impl Strategy<Value = Field> {
    let item = prop_oneof![
        (0..=6_u8, 1..=5_u8).prop_map(|(weekday, count)| Item::Nth(weekday, count)),
        (0..=6_u8).prop_map(Item::LastWeekday),
    ];
    prop_oneof![2 => mostly_any(0..=6), 1 => with(mostly_any(0..=6), item)]
}

fn mostly_any(range: RangeInclusive<u8>) -> impl Strategy<Value = Field> {
    let any = Field { range: (*range.start(), *range.end()), items: vec![Item::Any] };
    prop_oneof![2 => Just(any), 1 => field(range.clone(), range)]
}

pub(super) fn fields() -> impl Strategy<Value = Fields> {
    let second = prop_oneof![4 => Just(None), 1 => field(0..=59, 0..=59).prop_map(Some)];
    let time = (second, field(0..=59, 0..=59), field(0..=23, 0..=3));
    let date = (days(), mostly_any(1..=12), weekdays(), prop::bool::weighted(0.2));
    (time, date).prop_map(|((second, minute, hour), (day, month, weekday, plus))| Fields {
        second,
        minute,
        hour,
        day,
        month,
        weekday,
        plus,
    })
}

/// A zone and an instant in it, mostly within hours of a change of its clocks.
pub(super) fn place_and_time() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let apart = prop_oneof![4 => -3 * 3600..=3 * 3600_i64, 1 => -200 * 86_400..=200 * 86_400_i64];
    (select(&ZONES[..]), any::<prop::sample::Index>(), apart).prop_map(|(zone, index, apart)| {
        let changes = changes(zone);
        let change = changes.get(index.index(changes.len().max(1))).copied();
        (zone, change.unwrap_or(at("2026-03-29T01:00:00Z")) + SignedDuration::from_secs(apart))
    })
}

/// The changes of a zone's clocks from 1990 to 2060.
fn changes(zone: &str) -> Vec<Timestamp> {
    let rules = TimeZone::get(zone).unwrap();
    let changes = rules.following(at("1990-01-01T00:00:00Z")).map(|change| change.timestamp());
    changes.take_while(|change| *change < at("2060-01-01T00:00:00Z")).collect()
}
