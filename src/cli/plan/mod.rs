//! `tekcron plan`: all that a configuration will start in a stretch of time, in time order, with the jobs
//! that meet and the load of each minute. The jobs of files need no daemon; those that were made by command
//! are asked for where one runs.
//!
//! What is listed is written as it is found; only the counts of starts are kept (see [`crate::forecast`]).
//! A stretch with more than [`MOST`] fires is refused before anything is written.

mod calendar;
mod chart;
mod difference;
mod json;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use super::moment::{self, MomentError};
use crate::config::Config;
use crate::forecast::{Fire, Load, Span, Summary, Timetable};
use crate::schedule::Zone;

/// The most fires of one plan.
pub const MOST: usize = 1_000_000;

/// How far ahead it looks where nobody says.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Fires from this on, inclusive: RFC 3339, or a date or date and time in UTC. Default: now
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Fires before this. Default: 24 hours after the first
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// What an edit does in that time: the fires that appear, vanish or move from one config directory to
    /// another
    #[arg(long, num_args = 2, value_names = ["OLD_DIR", "NEW_DIR"])]
    pub diff: Option<Vec<PathBuf>>,
    /// With --diff, end with 1 where fires differ
    #[arg(long, requires = "diff")]
    pub exit_code: bool,
    /// How to write it; a difference only as table or json
    #[arg(short, long, value_enum, default_value_t)]
    pub output: PlanFormat,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Columns and a summary, for people.
    #[default]
    Table,
    /// One object: the fires, the load of each minute, the jobs that meet.
    Json,
    /// A calendar (iCalendar, RFC 5545) with an event for each fire.
    Ics,
    /// A picture of the load of each minute.
    Svg,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The beginning is none.
    #[error("`--from`: {0}")]
    From(MomentError),
    /// The end is none.
    #[error("`--to`: {0}")]
    To(MomentError),
    /// It would end before it begins.
    #[error(
        "`--to`: expected a time behind {}, found `{}`\nhint: `--from` is the beginning, and inclusive; without it that is now",
        .0.from, .0.to
    )]
    Order(Span),
    /// It would be too long.
    #[error(
        "expected at most {MOST} fires, found more from {} to {}\nhint: the first {MOST} are over by then: `--to {until}`",
        span.from, span.to
    )]
    TooMany {
        /// What was asked for.
        span: Span,
        /// A time that lies behind as many as there may be.
        until: Timestamp,
    },
    /// A difference is neither a calendar nor a picture.
    #[error("`--diff` is written as `table` or `json`, found `{0}`")]
    Format(&'static str),
    /// It could not be written.
    #[error("writing the plan failed")]
    Write(#[source] io::Error),
}

/// Writes all that `config` will start to `out`.
///
/// # Errors
/// [`PlanError`].
pub fn run(args: &PlanArgs, config: &Config, now: Timestamp, out: &mut dyn Write) -> Result<(), PlanError> {
    let span = span(args, now)?;
    let timetable = Timetable::of(config);
    bounded(&timetable, span)?;
    let plan = Plan { timetable: &timetable, span };
    let written = match args.output {
        PlanFormat::Table => table::write(&plan, out),
        PlanFormat::Json => json::write(&plan, out),
        PlanFormat::Ics => calendar::write(&plan, now, out),
        PlanFormat::Svg => chart::write(&plan, out),
    };
    written.and_then(|()| out.flush()).map_err(PlanError::Write)
}

/// Writes what differs from what `old` starts to what `new` does, and says whether anything does.
///
/// # Errors
/// [`PlanError`].
pub fn run_difference(
    args: &PlanArgs,
    old: &Config,
    new: &Config,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<bool, PlanError> {
    match args.output {
        PlanFormat::Table | PlanFormat::Json => {}
        PlanFormat::Ics => return Err(PlanError::Format("ics")),
        PlanFormat::Svg => return Err(PlanError::Format("svg")),
    }
    let span = span(args, now)?;
    let (old, new) = (Timetable::of(old), Timetable::of(new));
    bounded(&old, span)?;
    bounded(&new, span)?;
    let written = difference::write(&old, &new, span, args.output, out);
    written.and_then(|differs| out.flush().map(|()| differs)).map_err(PlanError::Write)
}

/// What is written.
struct Plan<'t> {
    timetable: &'t Timetable<'t>,
    span: Span,
}

impl Plan<'_> {
    /// Hands each fire to `write`, and sums them up.
    fn each(&self, mut write: impl FnMut(&Fire<'_>) -> io::Result<()>) -> io::Result<Summary> {
        let mut load = Load::default();
        for fire in self.timetable.fires(self.span) {
            load.add(&fire);
            write(&fire)?;
        }
        Ok(load.summary(self.timetable))
    }
}

/// The stretch of time that was asked for.
fn span(args: &PlanArgs, now: Timestamp) -> Result<Span, PlanError> {
    let read =
        |text: &Option<String>| text.as_deref().map(|text| moment::read_in(text, &Zone::UTC)).transpose();
    let from = read(&args.from).map_err(PlanError::From)?.unwrap_or_else(|| whole_second(now));
    let to = read(&args.to).map_err(PlanError::To)?;
    let to = to.unwrap_or_else(|| from.checked_add(DAY).unwrap_or(Timestamp::MAX));
    let span = Span { from, to };
    if to > from { Ok(span) } else { Err(PlanError::Order(span)) }
}

fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Refuses more fires than are listed.
fn bounded(timetable: &Timetable<'_>, span: Span) -> Result<(), PlanError> {
    match timetable.count(span, MOST) {
        Some(_) => Ok(()),
        None => {
            let first_left_out = timetable.fires(span).nth(MOST).expect("there are more than as many");
            Err(PlanError::TooMany { span, until: first_left_out.slot })
        }
    }
}

/// The slot as the wall clock of its schedule shows it.
fn local(fire: &Fire<'_>) -> String {
    let rules = fire.entry.schedule.recurrence.timezone().rules();
    fire.slot.display_with_offset(rules.to_offset(fire.slot)).to_string()
}

/// As in `3 jobs`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
