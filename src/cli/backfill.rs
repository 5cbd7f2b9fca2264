//! `tekcron backfill`: old slots of a job run again, and how far that is.
//!
//! All of them are claimed at once and stand in the queue, behind everybody else: Ctrl-C ends only the
//! wait, and the same command again goes on waiting.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::error::CliError;
use super::output::{self, Format, Named, OutputArgs, say};
use super::session::Session;
use super::table::Column;
use super::{exit_code, reference, wait};
use crate::api::client::{ClientError, TaskRef, TasksOf};
use crate::api::resources::{BackfillBody, BackfillResource, BackfillSelect, OldSlotResource, TaskResource};
use crate::task::{Phase, TaskId, Trigger};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The most tasks that wait which are looked at, and the most of a job's.
const MOST: usize = 100_000;

/// Arguments of `backfill`.
#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// The first time, as in 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time, required_unless_present = "cancel")]
    from: Option<Timestamp>,
    /// The last time
    #[arg(long, value_name = "TIME", value_parser = time, required_unless_present = "cancel")]
    to: Option<Timestamp>,
    /// Slots that were missed or skipped (as without any of these three)
    #[arg(long, group = "select")]
    missing: bool,
    /// Slots whose newest run failed, timed out or was lost
    #[arg(long, group = "select")]
    failed: bool,
    /// All slots
    #[arg(long, group = "select")]
    all: bool,
    /// Only of the schedule with this key
    #[arg(long, value_name = "KEY")]
    schedule: Option<String>,
    /// The most of them that run at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    max_running: u32,
    /// Only show which slots these are
    #[arg(long)]
    dry_run: bool,
    /// Take what waits of the job's backfills out of the queue; what runs goes on
    #[arg(long, conflicts_with_all = ["from", "to", "select", "schedule", "dry_run"])]
    cancel: bool,
    #[command(flatten)]
    output: OutputArgs,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("expected a time as in `2026-01-01T00:00:00Z`, found `{text}`"))
}

/// Has old slots run, and waits for their ends. Gives the exit code.
pub(super) async fn run(args: &BackfillArgs, session: &Session) -> Result<u8, CliError> {
    if args.cancel {
        return cancel(args, session).await;
    }
    let select = match (args.failed, args.all) {
        (true, _) => BackfillSelect::Failed,
        (_, true) => BackfillSelect::All,
        _ => BackfillSelect::Missing,
    };
    let body = BackfillBody {
        from: args.from,
        to: args.to,
        select,
        schedule: args.schedule.clone(),
        max_running: Some(args.max_running),
        dry_run: args.dry_run,
    };
    let interrupt = signal(SignalKind::interrupt()).map_err(CliError::Start)?;
    let answer = session.client()?.backfill(&args.job, &body).await?;
    if args.dry_run {
        show(&answer.slots, args.output.output, session.now())?;
        return Ok(exit_code::SUCCESS);
    }
    let ids: BTreeSet<TaskId> = answer.claimed.iter().chain(&answer.under_way).map(|task| task.id).collect();
    announce(&answer);
    if ids.is_empty() {
        return Ok(exit_code::SUCCESS);
    }
    match wait::unless_interrupted(interrupt, progress(session, &args.job, &ids)).await.transpose()? {
        Some(ended) => Ok(told(&ended)),
        None => {
            say(&format!(
                "no longer waiting; the backfill goes on\nhint: the same command waits again, `tekcron backfill {} --cancel` takes out what waits",
                args.job
            ));
            Ok(exit_code::INTERRUPTED)
        }
    }
}

fn announce(answer: &BackfillResource) {
    let (claimed, before) = (answer.claimed.len(), answer.under_way.len());
    match (claimed, before) {
        (0, 0) => say("no such slots: nothing to do"),
        (0, before) => say(&format!("{before} runs of the same backfill have not ended; waiting for them")),
        (claimed, 0) => say(&format!("{claimed} slots run again; Ctrl-C ends only the wait")),
        (claimed, before) => {
            say(&format!(
                "{claimed} slots run again beside {before} that have not ended; Ctrl-C ends only the wait"
            ));
        }
    }
}

fn show(slots: &[OldSlotResource], format: Format, now: Timestamp) -> Result<(), CliError> {
    let listing = crate::api::client::Listing { items: slots.to_vec(), more: false };
    output::list(&listing, format, COLUMNS, now)
}

/// How many have ended, by how.
#[derive(Default)]
struct Progress {
    succeeded: usize,
    otherwise: usize,
}

/// Looks until all of `ids` have ended. A task that is no longer kept has.
async fn progress(session: &Session, job: &str, ids: &BTreeSet<TaskId>) -> Result<Progress, CliError> {
    let mut shown = usize::MAX;
    loop {
        let tasks = session.client()?.tasks(&TasksOf::Job(job.to_owned()), None, MOST).await?;
        let (now, done) = count(&tasks.items, ids);
        if done != shown {
            draw(done, ids.len(), now.otherwise);
            shown = done;
        }
        if done == ids.len() {
            return Ok(now);
        }
        session.clock.sleep(PAUSE).await;
    }
}

fn count(tasks: &[TaskResource], ids: &BTreeSet<TaskId>) -> (Progress, usize) {
    let mut progress = Progress::default();
    let mut running = 0;
    for task in tasks.iter().filter(|task| ids.contains(&task.id)) {
        match task.phase {
            Phase::Succeeded => progress.succeeded += 1,
            phase if phase.is_terminal() => progress.otherwise += 1,
            _ => running += 1,
        }
    }
    (progress, ids.len() - running)
}

/// A bar on a terminal, a line for each tenth elsewhere.
fn draw(done: usize, all: usize, otherwise: usize) {
    const WIDTH: usize = 30;
    let failed = if otherwise > 0 { format!(", {otherwise} did not succeed") } else { String::new() };
    let mut err = std::io::stderr().lock();
    // That nobody can see it is no reason to fail.
    if err.is_terminal() {
        let full = WIDTH * done / all;
        let bar = format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full));
        let end = if done == all { "\n" } else { "" };
        let _ = write!(err, "\r[{bar}] {done}/{all}{failed}{end}");
        let _ = err.flush();
    } else if done == all || done.is_multiple_of(all.div_ceil(10)) {
        let _ = writeln!(err, "{done} of {all} have ended{failed}");
    }
}

fn told(ended: &Progress) -> u8 {
    say(&format!("the backfill has ended: {} succeeded, {} did not", ended.succeeded, ended.otherwise));
    if ended.otherwise > 0 { exit_code::FAILURE } else { exit_code::SUCCESS }
}

async fn cancel(args: &BackfillArgs, session: &Session) -> Result<u8, CliError> {
    let client = session.client()?;
    let job = client.job(&args.job).await?.name;
    let queue = client.queue(None, MOST).await?;
    let of_job = |task: &TaskResource| task.trigger == Trigger::Backfill && task.job.as_ref() == Some(&job);
    let mut dropped = 0;
    for entry in queue.items.iter().filter(|entry| of_job(&entry.task)) {
        let which = TaskRef::Id { app: entry.task.app.clone(), id: entry.task.id };
        match client.drop_waiting(&which).await {
            Ok(_) => dropped += 1,
            // It has started meanwhile.
            Err(ClientError::Refused { status, .. }) if status.as_u16() == 409 => {}
            Err(error) => return Err(error.into()),
        }
    }
    say(&format!("{dropped} runs were taken out of the queue; what runs goes on"));
    Ok(exit_code::SUCCESS)
}

impl Named for OldSlotResource {
    const KIND: &'static str = "slot";
    const PLURAL: &'static str = "slots";
    fn name(&self) -> &str {
        &self.name
    }
}

const COLUMNS: &[Column<OldSlotResource>] = &[
    Column::new("Slot", |slot, _| slot.slot.to_string()),
    Column::new("Was", |slot, _| slot.was.clone()),
    Column::new("Schedule", |slot, _| slot.schedule.clone()),
];
