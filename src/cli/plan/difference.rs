//! `tekcron plan --diff`: what an edit of the configuration does to its fires.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::{PlanFormat, counted};
use crate::forecast::{Change, Difference, Instants, Span, Timetable, differences};

/// The most changes of a job that people are told.
const TOLD: usize = 10;

/// What was found.
#[derive(Default)]
struct Count {
    appear: usize,
    vanish: usize,
    moved: usize,
}

impl Count {
    fn of(difference: &Difference) -> Self {
        let mut count = Self::default();
        for change in &difference.changes {
            match change {
                Change::Appears(_) => count.appear += 1,
                Change::Vanishes(_) => count.vanish += 1,
                Change::Moves { .. } => count.moved += 1,
            }
        }
        count
    }

    fn add(&mut self, other: &Self) {
        self.appear += other.appear;
        self.vanish += other.vanish;
        self.moved += other.moved;
    }

    fn words(&self) -> String {
        let words = [(self.appear, "appear"), (self.vanish, "vanish"), (self.moved, "move")];
        let told = words.iter().filter(|(count, _)| *count > 0);
        told.map(|(count, word)| format!("{count} {word}{}", if *count == 1 { "s" } else { "" }))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Writes what differs, and says whether anything does.
pub(super) fn write(
    old: &Timetable<'_>,
    new: &Timetable<'_>,
    span: Span,
    format: PlanFormat,
    out: &mut dyn Write,
) -> io::Result<bool> {
    match format {
        PlanFormat::Json => json(old, new, span, out),
        _ => table(old, new, span, out),
    }
}

fn table(old: &Timetable<'_>, new: &Timetable<'_>, span: Span, out: &mut dyn Write) -> io::Result<bool> {
    let (mut total, mut jobs) = (Count::default(), 0);
    for difference in differences(old, new, span) {
        let count = Count::of(&difference);
        writeln!(out, "{}: {}", difference.job, count.words())?;
        for change in difference.changes.iter().take(TOLD) {
            writeln!(out, "  {}", line(change))?;
        }
        if let Some(more @ 1..) = difference.changes.len().checked_sub(TOLD) {
            writeln!(out, "  and {more} more (`-o json` has them)")?;
        }
        writeln!(out)?;
        total.add(&count);
        jobs += 1;
    }
    let (from, to) = (span.from, span.to);
    match jobs {
        0 => writeln!(out, "no fire differs from {from} to {to}")?,
        _ => writeln!(out, "{} of {} from {from} to {to}", total.words(), counted(jobs, "job"))?,
    }
    Ok(jobs > 0)
}

fn line(change: &Change) -> String {
    match change {
        Change::Appears(at) => format!("+ {}", at.slot),
        Change::Vanishes(at) => format!("- {}", at.slot),
        Change::Moves { old, new } if old.slot == new.slot => {
            format!("~ {} starts at {:.3}, before at {:.3}", old.slot, new.start, old.start)
        }
        Change::Moves { old, new } => format!("> {} to {}", old.slot, new.slot),
    }
}

#[derive(Serialize)]
struct Line {
    job: String,
    change: &'static str,
    old: Option<At>,
    new: Option<At>,
}

#[derive(Serialize)]
struct At {
    scheduled: Timestamp,
    starts: Timestamp,
}

impl From<Instants> for At {
    fn from(at: Instants) -> Self {
        Self { scheduled: at.slot, starts: at.start }
    }
}

fn json(old: &Timetable<'_>, new: &Timetable<'_>, span: Span, out: &mut dyn Write) -> io::Result<bool> {
    write!(out, "{{\"from\":\"{}\",\"to\":\"{}\",\"changes\":[", span.from, span.to)?;
    let mut separator = "\n";
    for difference in differences(old, new, span) {
        for change in &difference.changes {
            let (change, old, new) = match *change {
                Change::Appears(at) => ("appears", None, Some(at.into())),
                Change::Vanishes(at) => ("vanishes", Some(at.into()), None),
                Change::Moves { old, new } => ("moves", Some(old.into()), Some(new.into())),
            };
            out.write_all(separator.as_bytes())?;
            separator = ",\n";
            serde_json::to_writer(&mut *out, &Line { job: difference.job.to_string(), change, old, new })?;
        }
    }
    writeln!(out, "]}}")?;
    Ok(separator == ",\n")
}
