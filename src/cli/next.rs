//! `tekcron next`: the coming slots of an expression. Needs no daemon and no config.

use std::io::Write;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use crate::clock::Clock;
use crate::schedule::{
    DstMode, Expression, ExpressionError, Recurrence, RecurrenceError, UnknownWord, Zone, ZoneError,
};

/// The most slots shown at once.
const MOST: u32 = 100_000;

/// Arguments of `next`.
#[derive(Debug, Args)]
pub struct NextArgs {
    /// A cron expression, as in `0 2 * * *` (quote it)
    #[arg(value_name = "EXPR")]
    pub expression: String,
    /// Time zone (IANA name)
    #[arg(long, value_name = "TZ", default_value = "UTC")]
    pub timezone: String,
    /// What happens at daylight-saving transitions: vixie, skip or literal
    #[arg(long, value_name = "MODE", default_value = "vixie")]
    pub dst: String,
    /// Show slots after this instant, exclusive (RFC 3339); now unless given
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// How many
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 5)]
    pub count: u32,
    /// How to write them
    #[arg(short, long, value_enum, default_value_t)]
    pub output: NextFormat,
}

/// How slots are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum NextFormat {
    /// For people.
    #[default]
    Table,
    /// `[{"scheduled":"<UTC>","local":"<with offset>"}]`.
    Json,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum NextError {
    /// The expression cannot be read.
    #[error("{}", underlined(expression, error))]
    Expression {
        /// What was given.
        expression: String,
        /// Why, and where.
        error: ExpressionError,
    },
    /// There is no such zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// There is no such mode.
    #[error(transparent)]
    Dst(#[from] UnknownWord),
    /// It never fires.
    #[error(transparent)]
    Never(#[from] RecurrenceError),
    /// The instant cannot be read.
    #[error(
        "expected an instant such as `2026-03-29T00:00:00Z`, found `{found}`\nhint: a time of day needs its offset: end it with `Z` for UTC"
    )]
    From {
        /// What was given.
        found: String,
    },
    /// Too few or too many.
    #[error("expected a count of 1 to {MOST}, found `{0}`")]
    Count(u32),
    /// The slots could not be written.
    #[error("writing the slots failed")]
    Write(#[source] std::io::Error),
}

/// The expression with the place of the error below it.
fn underlined(expression: &str, error: &ExpressionError) -> String {
    let span = error.span();
    let before = expression.get(..span.start).map_or(0, |text| text.chars().count());
    let width = expression.get(span).map_or(1, |text| text.chars().count()).max(1);
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{}\n  {expression}\n  {}{}{hint}", error.message(), " ".repeat(before), "^".repeat(width))
}

#[derive(Serialize)]
struct Slot {
    scheduled: Timestamp,
    local: String,
}

/// Writes the coming slots to `out`.
///
/// # Errors
/// [`NextError`]. Fewer slots than asked for, at the end of the calendar, are not an error.
pub fn run(args: &NextArgs, clock: &dyn Clock, out: &mut dyn Write) -> Result<(), NextError> {
    let recurrence = recurrence(args)?;
    if !(1..=MOST).contains(&args.count) {
        return Err(NextError::Count(args.count));
    }
    let now = clock.now();
    let from = match &args.from {
        Some(text) => text.parse().map_err(|_| NextError::From { found: text.clone() })?,
        None => now,
    };
    let slots = std::iter::successors(recurrence.next_after(from), |slot| recurrence.next_after(*slot));
    let slots: Vec<Slot> = slots.take(args.count as usize).map(|slot| shown(&recurrence, slot)).collect();
    match args.output {
        NextFormat::Table => writeln!(out, "{}", table(&slots, now)),
        NextFormat::Json => {
            let json =
                serde_json::to_string_pretty(&slots).map_err(|error| NextError::Write(error.into()))?;
            writeln!(out, "{json}")
        }
    }
    .map_err(NextError::Write)
}

fn recurrence(args: &NextArgs) -> Result<Recurrence, NextError> {
    let expression: Expression = args
        .expression
        .parse()
        .map_err(|error| NextError::Expression { expression: args.expression.clone(), error })?;
    let zone: Zone = args.timezone.parse()?;
    let dst: DstMode = args.dst.parse()?;
    Ok(Recurrence::new(expression, zone, dst)?)
}

fn shown(recurrence: &Recurrence, slot: Timestamp) -> Slot {
    let local = recurrence.timezone().local(slot);
    Slot { scheduled: slot, local: local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string() }
}

fn table(slots: &[Slot], now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["SCHEDULED", "LOCAL", "DAY", "IN"]);
    for slot in slots {
        let local: jiff::civil::DateTime = slot.local[..19].parse().expect("it was written so");
        let day = local.strftime("%a").to_string();
        table.add_row([slot.scheduled.to_string(), slot.local.clone(), day, distance(slot.scheduled, now)]);
    }
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

fn distance(slot: Timestamp, now: Timestamp) -> String {
    let seconds = slot.duration_since(now).as_secs();
    let (sign, seconds) = if seconds < 0 { ("-", -seconds) } else { ("", seconds) };
    match seconds {
        ..120 => format!("{sign}{seconds}s"),
        120..7200 => format!("{sign}{}m", seconds / 60),
        7200..172_800 => format!("{sign}{}h", seconds / 3600),
        _ => format!("{sign}{}d", seconds / 86_400),
    }
}
