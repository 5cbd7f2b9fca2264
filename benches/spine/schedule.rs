//! How many next fires a second are found, beside croner and the `cron` crate for the same expressions.
//!
//! Each asks for slot after slot from 2026 on. croner is asked in the same zone; `cron` in UTC, for with a real
//! zone it gives other answers, and only for what it reads.

use std::hint::black_box;
use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, Zoned};
use tekcron::schedule::{DstMode, Recurrence};

use crate::Scale;
use crate::report::{Row, Unit};

/// Ours, and the same for `cron` where that can say it: seconds first, weekdays by name.
const EXPRESSIONS: [(&str, Option<&str>); 9] = [
    ("*/5 * * * *", Some("0 */5 * * * *")),
    ("* * * * * *", Some("* * * * * *")),
    ("30 3 * * *", Some("0 30 3 * * *")),
    ("0 9 * * 1-5", Some("0 0 9 * * MON-FRI")),
    ("0 0 29 2 *", Some("0 0 0 29 2 *")),
    ("0 0 13 * +FRI", Some("0 0 0 13 * FRI")),
    ("0 0 13 * FRI", None),
    ("0 0 LW * *", None),
    ("0 0 * * MON#2", None),
];

const ZONES: [&str; 2] = ["UTC", "Europe/Paris"];

pub(crate) fn run(scale: Scale) {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("this is an instant");
    let turn = Duration::from_millis(if scale.quick { 20 } else { 100 });
    for (expression, for_cron) in EXPRESSIONS {
        for zone in ZONES {
            let parsed = expression.parse().expect("this is an expression");
            let ours = Recurrence::new(parsed, zone.parse().expect("this is a zone"), DstMode::Vixie)
                .expect("this comes");
            let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
            let croner = parser.parse(expression).expect("croner reads this");
            let cron = for_cron.filter(|_| zone == "UTC");
            let cron = cron.map(|text| cron::Schedule::from_str(text).expect("cron reads this"));
            let mut rates = [const { Vec::new() }; 3];
            for _ in 0..scale.rounds {
                rates[0].push(per_second(turn, start, |at| ours.next_after(*at)));
                rates[1].push(of_croner(turn, start, zone, &croner));
                rates[2].extend(cron.as_ref().map(|cron| of_cron(turn, start, cron)));
            }
            let [ours, croner, cron] = rates.map(median);
            let what = format!("next fires of `{expression}` in {zone}");
            print(&what, ours, "croner", croner);
            if for_cron.is_some() && zone == "UTC" {
                print(&what, ours, "cron", cron);
            }
        }
    }
}

fn print(what: &str, ours: f64, name: &str, theirs: f64) {
    let target = (name == "croner").then_some(theirs);
    Row { what, unit: Unit::PerSecond, result: ours, bound: Some((name, theirs)), target }.print();
}

fn of_croner(turn: Duration, start: Timestamp, zone: &str, cron: &Cron) -> f64 {
    let start: Zoned = start.in_tz(zone).expect("this is a zone");
    per_second(turn, start, |at| cron.find_next_occurrence(at, false).ok())
}

fn of_cron(turn: Duration, start: Timestamp, cron: &cron::Schedule) -> f64 {
    let start: DateTime<Utc> = DateTime::from_timestamp_secs(start.as_second()).expect("this is a time");
    per_second(turn, start, |at| cron.after(at).next())
}

/// How often a second `next` answers, from one answer to the next, and from `start` on again after the last.
fn per_second<T: Clone>(turn: Duration, start: T, next: impl Fn(&T) -> Option<T>) -> f64 {
    let (mut at, mut found) = (start.clone(), 0_u64);
    let began = Instant::now();
    loop {
        for _ in 0..32 {
            at = black_box(next(black_box(&at))).unwrap_or_else(|| start.clone());
        }
        found += 32;
        let passed = began.elapsed();
        if passed >= turn {
            return found as f64 / passed.as_secs_f64();
        }
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
