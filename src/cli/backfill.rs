//! `tekcron backfill`: old slots of a job run again, and how far that is.
//!
//! All of them are claimed at once and stand in the queue, behind everybody else: Ctrl-C ends only the
//! wait, and the same command again goes on waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};

use clap::Args;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::error::CliError;
use super::output::{self, Named, OutputArgs, say};
use super::session::Session;
use super::table::Column;
use super::{exit_code, moment, reference, wait};
use crate::api::client::{ClientError, Listing, TaskRef, TasksOf};
use crate::api::resources::{BackfillBody, BackfillResource, BackfillSelect, OldSlotResource, TaskResource};
use crate::task::{Phase, TaskId, Trigger};

/// The most tasks that wait which are looked at, and the most of a job's.
const MOST: usize = 100_000;

/// Arguments of `backfill`.
#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// The first time, as in 2026-01-01T00:00:00Z, or a date or date and time in UTC
    #[arg(long, value_name = "TIME", value_parser = moment::in_utc, required_unless_present = "cancel")]
    from: Option<Timestamp>,
    /// The last time
    #[arg(long, value_name = "TIME", value_parser = moment::in_utc, required_unless_present = "cancel")]
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
        let slots = Listing { items: answer.slots, more: false };
        output::list(&slots, args.output.output, COLUMNS, session.now())?;
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

/// The ends that were seen, and whether each was a success: retention may remove a task before the last has ended.
type Ends = BTreeMap<TaskId, bool>;

/// Looks until all of `ids` have ended. A task that is no longer kept has. The service may be away for a while.
async fn progress(session: &Session, job: &str, ids: &BTreeSet<TaskId>) -> Result<Ends, CliError> {
    let (mut ends, mut shown, mut last_seen) = (Ends::new(), usize::MAX, session.clock.monotonic());
    loop {
        match tasks(session, job).await {
            Ok(tasks) => {
                last_seen = session.clock.monotonic();
                let ours = tasks.iter().filter(|task| ids.contains(&task.id));
                let (ended, active): (Vec<_>, Vec<_>) = ours.partition(|task| task.phase.is_terminal());
                ends.extend(ended.iter().map(|task| (task.id, task.phase == Phase::Succeeded)));
                let done = ids.len() - active.len();
                if done != shown {
                    draw(done, ids.len(), otherwise(&ends));
                    shown = done;
                }
                if done == ids.len() {
                    return Ok(ends);
                }
            }
            Err(error) if wait::may_pass(&error, last_seen, session) => {}
            Err(error) => return Err(error),
        }
        session.clock.sleep(wait::PAUSE).await;
    }
}

async fn tasks(session: &Session, job: &str) -> Result<Vec<TaskResource>, CliError> {
    Ok(session.client()?.tasks(&TasksOf::Job(job.to_owned()), None, MOST).await?.items)
}

fn otherwise(ends: &Ends) -> usize {
    ends.values().filter(|succeeded| !**succeeded).count()
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

fn told(ends: &Ends) -> u8 {
    let otherwise = otherwise(ends);
    say(&format!("the backfill has ended: {} succeeded, {otherwise} did not", ends.len() - otherwise));
    if otherwise > 0 { exit_code::FAILURE } else { exit_code::SUCCESS }
}

async fn cancel(args: &BackfillArgs, session: &Session) -> Result<u8, CliError> {
    let client = session.client()?;
    let job = client.job(&args.job).await?;
    let queue = client.queue(Some(&job.app), MOST).await?;
    let of_job =
        |task: &TaskResource| task.trigger == Trigger::Backfill && task.job.as_ref() == Some(&job.name);
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
