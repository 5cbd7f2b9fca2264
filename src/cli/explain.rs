//! `tekcron explain`: why a job is due at a time, or is not, field by field; and of a time that has passed
//! what became of it, where a service runs that knows.

use std::fmt::Write;

use clap::{Args, ValueEnum};
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde::Serialize;

use super::error::CliError;
use super::moment::{self, Moment, MomentError};
use super::session::Session;
use super::table::{Column, listing, pairs, printable};
use super::{offline, output, reference, tasks};
use crate::api::client::{Client, ClientError, SlotQuery, TaskRef};
use crate::api::resources::{SlotResource, TaskResource};
use crate::config::Config;
use crate::hint::{did_you_mean, nearest};
use crate::job::{Job, JobRef};
use crate::schedule::{FieldAt, Schedule, Zone, jitter};
use crate::task::Phase;

/// Within so long what a calendar excludes has its row, with some to spare.
const WRITTEN: SignedDuration = SignedDuration::from_mins(2);

const NO_ROW: &str = "no row: the schedule was another then, or retention removed it";

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_name = "JOB", value_parser = reference::job)]
    job: String,
    /// RFC 3339, or a date or date and time on the wall clock of the schedule. Default: its next slot
    #[arg(value_name = "TIME")]
    time: Option<String>,
    /// How to write it
    #[arg(short, long, value_enum, default_value_t)]
    output: ExplainFormat,
}

/// How an explanation is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ExplainFormat {
    /// Text, for people.
    #[default]
    Table,
    /// An array with an object for each schedule.
    Json,
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExplainError {
    /// There is no such job.
    #[error("the job `{job}` does not exist{}", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// What was asked for.
        job: String,
        /// The job of the nearest name.
        nearest: Option<String>,
    },
    /// Several Apps have one.
    #[error("several Apps have a job `{job}`: {}\nhint: name the App too, as in `APP.JOB`", found.join(", "))]
    Ambiguous {
        /// What was asked for.
        job: String,
        /// The jobs.
        found: Vec<String>,
    },
    /// The time is none.
    #[error(transparent)]
    Time(#[from] MomentError),
}

/// What is said of one schedule.
#[derive(Default, Serialize)]
struct Explained {
    job: String,
    schedule: String,
    cron: String,
    /// The expression with what stands for each `H`.
    resolved: Option<String>,
    timezone: String,
    dst: String,
    /// Unset where it is never due again.
    at: Option<Timestamp>,
    local: Option<String>,
    due: bool,
    /// As `due`, but of what a calendar excludes too.
    #[serde(skip)]
    slot: bool,
    starts: Option<Timestamp>,
    fields: Vec<Field>,
    /// Of `@every` and `@at`, which have no fields, what they have to do with it.
    instants: Option<String>,
    days: Option<&'static str>,
    clocks: Vec<String>,
    /// Which bound it is beyond.
    bounds: Option<String>,
    /// The calendar.
    excluded_by: Option<String>,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
    ledger: Option<SlotResource>,
    task: Option<TaskResource>,
    /// What keeps it from starting now.
    waits_for: Option<String>,
    /// What is known of the ledger where it has no row, in words.
    unknown: Option<String>,
}

#[derive(Serialize)]
struct Field {
    field: String,
    written: String,
    values: String,
    shown: String,
    matches: bool,
}

/// Explains a job.
pub(super) async fn run(args: &ExplainArgs, session: &Session) -> Result<(), CliError> {
    let config = offline::load_with_stored(session).await?;
    let (name, schedules) = find(&config, &args.job)?;
    let wanted = args.time.as_deref().map(moment::read).transpose().map_err(ExplainError::Time)?;
    let mut explained = Vec::new();
    for schedule in schedules {
        let mut one = explain(&name, schedule, wanted, session.now())?;
        if let Some(at) = one.at.filter(|at| one.slot && *at <= session.now()) {
            ask(&mut one, &name, at, session).await;
        }
        explained.push(one);
    }
    match args.output {
        ExplainFormat::Json => output::print(&output::json(&explained)),
        ExplainFormat::Table if explained.is_empty() => {
            output::print(&format!("{name} has no schedule: it runs by hand only\n"))
        }
        ExplainFormat::Table => {
            let texts: Vec<_> = explained.iter().map(|one| text(one, session.now())).collect();
            output::print(&texts.join("\n"))
        }
    }
}

fn find<'c>(config: &'c Config, wanted: &str) -> Result<(JobRef, Vec<&'c Schedule>), ExplainError> {
    let jobs: Vec<_> = config.jobs().map(|(app, job)| (JobRef::of(app, job), job)).collect();
    let named = |(name, _): &&(JobRef, &Job)| name.to_string() == wanted || name.job.as_str() == wanted;
    match jobs.iter().filter(named).collect::<Vec<_>>().as_slice() {
        [(name, job)] => Ok((name.clone(), job.schedules.iter().map(AsRef::as_ref).collect())),
        [] => {
            let names = jobs.iter().flat_map(|(name, job)| [name.to_string(), job.name.to_string()]);
            Err(ExplainError::Unknown { job: wanted.to_owned(), nearest: nearest(wanted, names) })
        }
        several => Err(ExplainError::Ambiguous {
            job: wanted.to_owned(),
            found: several.iter().map(|(name, _)| format!("`{name}`")).collect(),
        }),
    }
}

fn explain(
    name: &JobRef,
    schedule: &Schedule,
    wanted: Option<Moment>,
    now: Timestamp,
) -> Result<Explained, ExplainError> {
    let recurrence = &schedule.recurrence;
    let zone = recurrence.timezone();
    let mut clocks = Vec::new();
    let at = match wanted {
        Some(Moment::Instant(at)) => Some(at),
        Some(Moment::Wall(shown)) => Some(on_the_wall(shown, zone, &mut clocks)?),
        None => schedule.next_after(now),
    };
    let local = |at: Timestamp| at.display_with_offset(zone.rules().to_offset(at)).to_string();
    let mut explained = Explained {
        job: name.to_string(),
        schedule: schedule.key.to_string(),
        cron: recurrence.expression().to_string(),
        resolved: recurrence.expression().resolved().map(str::to_owned),
        timezone: zone.to_string(),
        dst: recurrence.dst().to_string(),
        clocks,
        ..Explained::default()
    };
    let Some(at) = at else {
        return Ok(Explained { before: schedule.last_until(now), ..explained });
    };
    let found = schedule.explain(at);
    explained.clocks.extend(found.clocks);
    explained.clocks.extend(found.next_change.map(|next| format!("the next change that it meets: {next}")));
    Ok(Explained {
        at: Some(found.at),
        local: Some(local(found.at)),
        due: found.due,
        slot: found.slot,
        starts: found.due.then(|| found.at + jitter(schedule, name, found.at)),
        fields: found.fields.into_iter().map(Field::from).collect(),
        instants: found.instants,
        days: found.days,
        bounds: found.bounds,
        excluded_by: found.excluded_by,
        before: found.before,
        after: found.after,
        ..explained
    })
}

impl From<FieldAt> for Field {
    fn from(FieldAt { field, written, values, shown, matches }: FieldAt) -> Self {
        Self { field, written, values, shown, matches }
    }
}

/// The instant at which clocks show `shown`, or would have; where they do so twice the first.
fn on_the_wall(shown: DateTime, zone: &Zone, clocks: &mut Vec<String>) -> Result<Timestamp, ExplainError> {
    let none = |_| MomentError::None(shown.to_string());
    let ambiguous = zone.rules().to_ambiguous_timestamp(shown);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { before, .. } => {
            let inside = before.to_timestamp(shown).map_err(none)?;
            let jump = zone.rules().preceding(inside + SignedDuration::from_nanos(1)).next();
            if let Some(jump) = jump.map(|jump| jump.timestamp()) {
                let after = zone.rules().to_datetime(jump);
                clocks.push(format!(
                    "the clocks of {zone} never show {shown}: they jump over it to {}",
                    after.time()
                ));
                return Ok(jump);
            }
        }
        AmbiguousOffset::Fold { before, after } => {
            let (first, second) =
                (before.to_timestamp(shown).map_err(none)?, after.to_timestamp(shown).map_err(none)?);
            clocks
                .push(format!("the clocks of {zone} show {shown} twice: at {first}, and again at {second}"));
        }
    }
    Ok(ambiguous.compatible().map_err(none)?)
}

/// Asks a running service what became of the slot. Without one there is nothing to say.
async fn ask(one: &mut Explained, job: &JobRef, at: Timestamp, session: &Session) {
    if let Err(error) = ledger(one, job, at, session).await
        && !session.is_down(&error)
    {
        output::say(&format!("the ledger was not read: {error}"));
    }
}

async fn ledger(one: &mut Explained, job: &JobRef, at: Timestamp, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let query = SlotQuery { from: Some(at), to: Some(at), ..SlotQuery::default() };
    let rows = client.slots(&one.job, query, 1000).await?.items;
    one.ledger = rows.into_iter().find(|row| row.schedule == one.schedule);
    match &one.ledger {
        None => {
            let behind = SlotQuery { from: Some(at), ..SlotQuery::default() };
            let behind = client.slots(&one.job, behind, 1000).await?.items;
            let is_decided = behind.iter().any(|row| row.schedule == one.schedule);
            let is_new = session.now().duration_since(at) < WRITTEN;
            let unknown = match one.excluded_by {
                _ if is_decided => NO_ROW,
                Some(_) if is_new => "no row yet: what a calendar excludes is written down within a minute",
                Some(_) => NO_ROW,
                None => {
                    one.waits_for = trouble(&client).await?;
                    one.waits_for
                        .as_ref()
                        .map_or(NO_ROW, |_| "no row yet: it is decided when tasks can start")
                }
            };
            one.unknown = Some(unknown.to_owned());
        }
        Some(row) => {
            if let Some(id) = row.task {
                let task = client.task(&TaskRef::Id { app: job.app.to_string(), id }, None).await;
                match task {
                    Ok(task) => {
                        one.waits_for = in_the_way(&client, &task).await?;
                        one.task = Some(task);
                    }
                    Err(ClientError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {
                        one.unknown = Some(format!("task {id} is no more: retention removed it"));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

/// Why a task that was claimed has not started.
async fn in_the_way(client: &Client, task: &TaskResource) -> Result<Option<String>, CliError> {
    match task.phase {
        Phase::Queued => {
            let queue = client.queue(Some(&task.app), 1000).await?;
            let entry = queue.items.into_iter().find(|entry| entry.task.id == task.id);
            Ok(entry.map(|entry| entry.waits_for))
        }
        Phase::Pending => trouble(client).await,
        _ => Ok(None),
    }
}

/// What is in the way of all tasks.
async fn trouble(client: &Client) -> Result<Option<String>, CliError> {
    let causes = client.readiness().await?.causes;
    Ok(Some(causes.join("; ")).filter(|causes| !causes.is_empty()))
}

fn text(one: &Explained, now: Timestamp) -> String {
    let resolved =
        one.resolved.as_ref().map(|resolved| format!(", which is `{resolved}`,")).unwrap_or_default();
    let mut text = format!(
        "{}: `{}`{resolved} in {}, dst `{}`, key {}\n",
        one.job, one.cron, one.timezone, one.dst, one.schedule
    );
    let (Some(at), Some(local)) = (one.at, &one.local) else {
        text += "it is never due again\n";
        return text + &pairs([("Before", one.before.map(|slot| slot.to_string()))]);
    };
    let verdict = if one.due { "is due" } else { "is not due" };
    writeln!(text, "it {verdict} at {at} ({local})\n").expect("a string takes all that is written");
    if !one.fields.is_empty() {
        text += &listing(FIELDS, &one.fields, false, now);
        text.push('\n');
    }
    let starts = one.starts.filter(|starts| *starts != at).map(|starts| format!("{starts:.3} by its jitter"));
    let clocks = one.clocks.iter().map(|said| ("Clocks", Some(said.clone())));
    let head = [("Slots", one.instants.clone()), ("Days", one.days.map(str::to_owned))];
    let excluded = one.excluded_by.as_ref().map(|name| format!("by the calendar `{name}`"));
    let tail = [
        ("Bounds", one.bounds.clone()),
        ("Excluded", excluded),
        ("Starts", starts),
        ("Before", one.before.map(|slot| slot.to_string())),
        ("After", one.after.map(|slot| slot.to_string())),
        ("Ledger", one.ledger.as_ref().map(row)),
        (
            "Task",
            one.task.as_ref().map(|task| format!("{} ({}, {})", task.name, task.phase, tasks::reason(task))),
        ),
        ("WaitsFor", one.waits_for.as_deref().map(printable)),
        ("Unknown", one.unknown.clone()),
    ];
    text + &pairs(head.into_iter().chain(clocks).chain(tail))
}

/// As in `skipped: overlap with task 7`.
fn row(row: &SlotResource) -> String {
    let reason = row.why().map(|why| format!(": {}", printable(&why))).unwrap_or_default();
    let task = row.task.map(|task| format!(" as task {task}")).unwrap_or_default();
    let range = (row.first != row.last).then(|| format!(", as all slots from {} to {}", row.first, row.last));
    format!("{}{reason}{task}{}", row.outcome, range.unwrap_or_default())
}

const FIELDS: &[Column<Field>] = &[
    Column::new("Field", |field, _| field.field.clone()),
    Column::new("Written", |field, _| field.written.clone()),
    Column::new("Matches", |field, _| field.values.clone()),
    Column::new("Then", |field, _| field.shown.clone()),
    Column::new("", |field, _| if field.matches { "yes" } else { "no" }.to_owned()),
];
