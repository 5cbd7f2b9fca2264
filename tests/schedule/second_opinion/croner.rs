//! What the `croner` crate says, where it means the same (`docs/schedules.md` lists the differences).

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, Zoned};
use proptest::prelude::*;
use tekcron::schedule::{DstMode, Expression, Recurrence};

use super::random::{Field, Fields, Item, config, fields, place_and_time};

/// How many slots in a row are compared.
const SLOTS: usize = 6;

/// The expression as `croner` reads it and the zone in which both mean the same. All the differences
/// between the two that are documented are here.
fn translated(fields: &Fields, zone: &'static str) -> (Cron, &'static str) {
    // It has no ranges around the end of a field and no `*` in a list, and takes `*/2` as a restriction
    // of the day.
    let unrestricted = fields.day.text(true) == "*" || fields.weekday.text(true) == "*";
    let weekday = if fields.both_days_must_match() && !unrestricted { "+" } else { "" };
    let text = fields.join(true, weekday);
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    let cron = parser.parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    // Where minute or hour is a list or a range, or the second is not one value, it does not take the
    // expression for times of day, and from a lost day it does not find out: then the clocks are kept
    // out of it.
    let fixed_time = cron.determine_job_type() == croner::JobType::FixedTime;
    let same_clocks = fixed_time == fields.fixed_time() && zone != "Pacific/Apia";
    (cron, if same_clocks { zone } else { "UTC" })
}

fn by_croner(cron: &Cron, zone: &str, from: Timestamp) -> Vec<Timestamp> {
    let from: Zoned = from.in_tz(zone).unwrap();
    let slots = std::iter::successors(cron.find_next_occurrence(&from, false).ok(), |slot| {
        cron.find_next_occurrence(slot, false).ok()
    });
    slots.take(SLOTS).map(|slot| slot.timestamp()).collect()
}

fn by_us(recurrence: &Recurrence, from: Timestamp) -> Vec<Timestamp> {
    let slots = std::iter::successors(recurrence.next_after(from), |slot| recurrence.next_after(*slot));
    slots.take(SLOTS).collect()
}

/// Whether `croner` reads the day of month too. It has no `L-n`, and takes `L` beside a `W` for `LW`.
fn is_known(day: &Field) -> bool {
    let has = |wanted: fn(&Item) -> bool| day.items.iter().any(wanted);
    let last = has(|item| *item == Item::Last);
    let working = has(|item| matches!(item, Item::Working(_) | Item::LastWorking));
    !(has(|item| matches!(item, Item::LastMinus(_))) || last && working)
}

proptest! {
    #![proptest_config(config(8000))]

    #[test]
    fn croner_finds_the_same_slots(fields in fields(), (zone, from) in place_and_time()) {
        if !is_known(&fields.day) {
            return Ok(());
        }
        let expression: Expression = fields.text().parse().unwrap();
        let (cron, zone) = translated(&fields, zone);
        match Recurrence::new(expression, zone.parse().unwrap(), DstMode::Vixie) {
            Ok(recurrence) => {
                prop_assert_eq!(by_us(&recurrence, from), by_croner(&cron, zone, from), "`{}` {}", fields.text(), zone);
            }
            Err(never) => prop_assert_eq!(by_croner(&cron, zone, from), [], "{}", never),
        }
    }
}
