//! Columns for people, and below them what meets.

use std::io::{self, Write};

use super::{Plan, counted, local};
use crate::forecast::{Entry, Summary, Together};
use crate::schedule::Zone;

/// The most meetings that are told.
const MEETINGS: usize = 10;
/// The most jobs of one that are named.
const NAMES: usize = 4;

pub(super) fn write(plan: &Plan<'_>, out: &mut dyn Write) -> io::Result<()> {
    let width = plan.timetable.entries().iter().map(|entry| entry.job.to_string().len()).max().unwrap_or(0);
    let width = width.max("JOB".len()) + 2;
    writeln!(out, "{:<22}{:<26}{:<27}{:<width$}SCHEDULE", "SCHEDULED", "STARTS", "LOCAL", "JOB")?;
    let summary = plan.each(|fire| {
        // Of a start that no jitter moves the fraction says nothing.
        let start = match fire.start == fire.slot {
            true => fire.start.to_string(),
            false => format!("{:.3}", fire.start),
        };
        let (slot, local, job) = (fire.slot.to_string(), local(fire), &fire.entry.job);
        writeln!(out, "{slot:<22}{start:<26}{local:<27}{job:<width$}{}", schedule(fire.entry))
    })?;
    writeln!(out)?;
    summarize(plan, &summary, out)
}

fn schedule(entry: &Entry<'_>) -> String {
    let recurrence = &entry.schedule.recurrence;
    match recurrence.timezone() == &Zone::UTC {
        true => recurrence.expression().to_string(),
        false => format!("{} ({})", recurrence.expression(), recurrence.timezone()),
    }
}

fn summarize(plan: &Plan<'_>, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let (fires, jobs) = (counted(summary.fires, "fire"), counted(summary.jobs, "job"));
    writeln!(out, "{fires} of {jobs} from {} to {}", plan.span.from, plan.span.to)?;
    if !summary.busiest.is_empty() {
        let busiest = summary.busiest.iter();
        let busiest: Vec<_> =
            busiest.map(|minute| format!("{} in {:.0}", minute.starts, minute.at)).collect();
        writeln!(out, "most starts in a minute: {}", busiest.join(", "))?;
    }
    meetings("jobs that start in the same minute", &summary.together, out)?;
    if summary.of_one_app != summary.together {
        meetings("jobs of one App among them", &summary.of_one_app, out)?;
    }
    Ok(())
}

fn meetings(what: &str, together: &[Together], out: &mut dyn Write) -> io::Result<()> {
    if together.is_empty() {
        return Ok(());
    }
    writeln!(out, "{what}:")?;
    for Together { jobs, minutes, first } in together.iter().take(MEETINGS) {
        let mut names: Vec<_> = jobs.iter().take(NAMES).map(ToString::to_string).collect();
        if let Some(more @ 1..) = jobs.len().checked_sub(NAMES) {
            names.push(format!("and {more} more"));
        }
        let often = counted(*minutes, "minute");
        writeln!(out, "  {} ({often}, first {first:.0})", names.join(", "))?;
    }
    if let Some(more @ 1..) = together.len().checked_sub(MEETINGS) {
        writeln!(out, "  and {} of others (`-o json` has them)", counted(more, "set"))?;
    }
    Ok(())
}
