//! `tekcron next`: when an expression is due. Needs no daemon and no config.

use std::fmt;
use std::io::Write;

use clap::{Args, ValueEnum};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::moment::{self, MomentError};
use crate::clock::Clock;
use crate::job::JobRef;
use crate::schedule::{
    DstMode, Expression, ExpressionError, Recurrence, RecurrenceError, UnknownWord, Zone, ZoneError,
};

/// Arguments of `next`.
#[derive(Debug, Clone, Args)]
pub struct NextArgs {
    /// A cron expression, quoted: "0 2 * * *", or with the second first: "0 0 2 * * *"
    #[arg(value_name = "EXPR")]
    pub expression: String,
    /// The time zone whose wall clock it follows, such as Europe/Paris
    #[arg(long, value_name = "TZ", default_value = "UTC")]
    pub timezone: String,
    /// How it meets changes of the clocks: vixie, skip or literal
    #[arg(long, value_name = "MODE", default_value = "vixie")]
    pub dst: String,
    /// The job whose name decides what `H` stands for, and when `@every` begins
    #[arg(long, value_name = "APP.JOB")]
    pub job: Option<JobRef>,
    /// Slots after this, exclusive: RFC 3339, or a date or date and time in the time zone. Default: now
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// How many, at most: 1 to 10000
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000), allow_negative_numbers = true)]
    pub count: u32,
    /// How to write them
    #[arg(short, long, value_enum, default_value_t)]
    pub output: NextFormat,
}

/// How slots are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum NextFormat {
    /// Columns, for people.
    #[default]
    Table,
    /// An array of objects.
    Json,
}

/// Why there are no slots to show.
#[derive(Debug, thiserror::Error)]
pub enum NextError {
    /// The expression is none.
    #[error("{}", pointed_at(text, problem))]
    Expression {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: ExpressionError,
    },
    /// There is no such time zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// There is no such mode.
    #[error("`--dst`: {0}")]
    Dst(UnknownWord),
    /// The expression can never match.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
    /// The start is none.
    #[error("`--from`: {0}")]
    From(MomentError),
    /// The slots could not be written.
    #[error("writing the slots failed")]
    Write(#[source] std::io::Error),
}

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Slot {
    scheduled: Timestamp,
    local: String,
}

/// Writes the next slots of an expression to `out`, and gives their number: fewer than asked for where it
/// ends before.
///
/// # Errors
/// Where expression, zone, mode or start are none, or `out` does not take them.
pub fn run(args: &NextArgs, clock: &dyn Clock, out: &mut dyn Write) -> Result<usize, NextError> {
    let expression = expression(args)?;
    let zone: Zone = args.timezone.parse()?;
    let dst: DstMode = args.dst.parse().map_err(NextError::Dst)?;
    let now = clock.now();
    let from = args.from.as_deref().map_or(Ok(now), |text| moment::read_in(text, &zone));
    let from = from.map_err(NextError::From)?;
    let recurrence = Recurrence::new(expression, zone, dst)?;
    let slots = slots(&recurrence, from, args.count);
    let written = match args.output {
        NextFormat::Table => write_table(&slots, now, out),
        NextFormat::Json => write_json(&slots, out),
    };
    written.map(|()| slots.len()).map_err(NextError::Write)
}

/// What is to be said beside the slots: what `H` stands for, and for whom.
///
/// # Errors
/// Where the expression is none.
pub fn notes(args: &NextArgs) -> Result<Vec<String>, NextError> {
    let expression = expression(args)?;
    let resolved = expression.resolved().map(|resolved| format!("`{expression}` is `{resolved}`"));
    let nobody = (expression.depends_on_job() && args.job.is_none()).then(|| match expression.resolved() {
        Some(_) => {
            "`H` is a hash of an empty name here; `--job APP.JOB` shows what it is for a job".to_owned()
        }
        None => "each job begins at another second; `--job APP.JOB` shows when a job is due".to_owned(),
    });
    Ok(resolved.into_iter().chain(nobody).collect())
}

fn expression(args: &NextArgs) -> Result<Expression, NextError> {
    let job = args.job.as_ref().map(ToString::to_string).unwrap_or_default();
    Expression::for_job(&args.expression, &job)
        .map_err(|problem| NextError::Expression { text: args.expression.clone(), problem })
}

fn slots(recurrence: &Recurrence, from: Timestamp, count: u32) -> Vec<Slot> {
    let next = |slot: &Timestamp| recurrence.next_after(*slot);
    let slots = std::iter::successors(recurrence.next_after(from), next).take(count as usize);
    let rules = recurrence.timezone().rules();
    let show = |slot: Timestamp| Slot { scheduled: slot, local: local(slot, rules.to_offset(slot)) };
    slots.map(show).collect()
}

fn local(slot: Timestamp, offset: Offset) -> String {
    slot.display_with_offset(offset).to_string()
}

fn write_json(slots: &[Slot], out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, slots)?;
    writeln!(out)
}

fn write_table(slots: &[Slot], now: Timestamp, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{:<22}{:<27}AWAY", "SCHEDULED", "LOCAL")?;
    for slot in slots {
        let away = Away(slot.scheduled.duration_since(now));
        writeln!(out, "{:<22}{:<27}{away}", slot.scheduled.to_string(), slot.local)?;
    }
    Ok(())
}

/// How far away a slot is, in its two largest units.
struct Away(SignedDuration);

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().unsigned_abs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        let distance = match seconds {
            0..60 => format!("{seconds}s"),
            60..3600 => format!("{minutes}m {}s", seconds % 60),
            3600..86_400 => format!("{hours}h {minutes}m"),
            _ => format!("{days}d {hours}h"),
        };
        if self.0.is_negative() { write!(f, "{distance} ago") } else { write!(f, "in {distance}") }
    }
}

/// The error with the expression below it and the place that is wrong underlined.
fn pointed_at(text: &str, error: &ExpressionError) -> String {
    let span = error.span();
    let mut pointed = error.message().to_owned();
    if !span.is_empty() && text.len() <= Expression::LONGEST && !text.contains(char::is_control) {
        let before = " ".repeat(text[..span.start].chars().count());
        let under = "^".repeat(text[span].chars().count());
        pointed += &format!("\n  {text}\n  {before}{under}");
    }
    pointed + &format!("\nhint: {}", error.hint())
}
