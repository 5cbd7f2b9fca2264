//! `tekcron plan` of many jobs over a day: the configuration read, and all formats written to nowhere.
//!
//! Of ten jobs seven are daily, two hourly, and one is due each quarter of an hour. The bound is the slots
//! alone, schedule by schedule: neither in time order, nor with jitter, nor written.

use std::io;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tekcron::cli::plan::{self, PlanArgs, PlanFormat};
use tekcron::forecast::{Span, Timetable};
use tempfile::TempDir;

use crate::Scale;
use crate::records;
use crate::report::{Row, Unit};
use crate::sample::median;

pub(crate) fn run(scale: Scale) {
    let jobs = if scale.quick { 1_000 } else { 10_000 };
    let dir = TempDir::new().expect("a temporary directory");
    let config_dir = dir.path().join("config");
    records::write_config(&config_dir, jobs, "\"true\"", cron);
    let from: Timestamp = "2026-12-01T00:00:00Z".parse().expect("it is a time");
    let span = Span { from, to: from + SignedDuration::from_hours(24) };
    for (name, output) in [
        ("table", PlanFormat::Table),
        ("json", PlanFormat::Json),
        ("ics", PlanFormat::Ics),
        ("svg", PlanFormat::Svg),
    ] {
        let (mut ours, mut bound, mut fires) = (Vec::new(), Vec::new(), 0);
        for _ in 0..scale.rounds {
            let began = Instant::now();
            let config = records::load_config(&config_dir, &dir.path().join("data"));
            let args = PlanArgs {
                from: Some(span.from.to_string()),
                to: Some(span.to.to_string()),
                diff: None,
                exit_code: false,
                output,
            };
            plan::run(&args, &config, from, &mut io::sink()).expect("nowhere takes all");
            ours.push(began.elapsed().as_secs_f64());
            let began = Instant::now();
            let timetable = Timetable::of(&config);
            fires = timetable.entries().iter().map(|entry| entry.slots(span).count()).sum();
            bound.push(began.elapsed().as_secs_f64());
        }
        Row {
            what: &format!("plan of {jobs} jobs over a day, {fires} fires, as {name}"),
            unit: Unit::Seconds,
            result: median(&mut ours),
            bound: Some(("slots alone", median(&mut bound))),
            target: Some(2.0),
        }
        .print();
    }
}

fn cron(job: usize) -> String {
    let (minute, hour) = (job / 10 % 60, job / 600 % 24);
    match job % 10 {
        0 => format!("{}-59/15 * * * *", minute % 15),
        1 | 2 => format!("{minute} * * * *"),
        _ => format!("{minute} {hour} * * *"),
    }
}
