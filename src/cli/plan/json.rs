//! One object, written piece by piece.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::{Plan, local};
use crate::forecast::{Minute, Together};

/// A fire.
#[derive(Serialize)]
struct Fire<'a> {
    scheduled: Timestamp,
    starts: Timestamp,
    local: String,
    job: String,
    /// The key.
    schedule: &'a str,
    cron: &'a str,
    timezone: &'a str,
}

#[derive(Serialize)]
struct Load {
    minute: Timestamp,
    starts: usize,
}

#[derive(Serialize)]
struct Meeting {
    jobs: Vec<String>,
    minutes: usize,
    first: Timestamp,
}

pub(super) fn write(plan: &Plan<'_>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{{\"from\":\"{}\",\"to\":\"{}\",\"fires\":[", plan.span.from, plan.span.to)?;
    let mut separator = "\n";
    let summary = plan.each(|fire| {
        let recurrence = &fire.entry.schedule.recurrence;
        let fire = Fire {
            scheduled: fire.slot,
            starts: fire.start,
            local: local(fire),
            job: fire.entry.job.to_string(),
            schedule: fire.entry.schedule.key.as_str(),
            cron: recurrence.expression().as_str(),
            timezone: recurrence.timezone().name(),
        };
        out.write_all(separator.as_bytes())?;
        separator = ",\n";
        Ok(serde_json::to_writer(&mut *out, &fire)?)
    })?;
    list("load", summary.minutes.iter().map(load), out)?;
    list("together", summary.together.iter().map(meeting), out)?;
    list("together_of_one_app", summary.of_one_app.iter().map(meeting), out)?;
    writeln!(out, "]}}")
}

/// Ends the array before, and writes the next but for its end.
fn list<T: Serialize>(name: &str, items: impl Iterator<Item = T>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "],\n\"{name}\":[")?;
    for (place, item) in items.enumerate() {
        out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &item)?;
    }
    Ok(())
}

fn load(minute: &Minute) -> Load {
    Load { minute: minute.at, starts: minute.starts }
}

fn meeting(together: &Together) -> Meeting {
    let jobs = together.jobs.iter().map(ToString::to_string).collect();
    Meeting { jobs, minutes: together.minutes, first: together.first }
}
