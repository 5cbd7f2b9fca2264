//! From what is known of a job to what is wrong with it.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::fate::{Fate, LastSlot};
use super::terms::{Streak, Watch};
use crate::job::JobRef;
use crate::schedule::{Schedule, jitter};
use crate::task::{Phase, Task, TaskId, Trigger};

/// What a job may be guilty of. At most one of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreachKind {
    /// A slot has not started `late_after` its time.
    Late,
    /// There was no success for `max_since_success`.
    NoSuccess,
    /// A task has run for `max_runtime`.
    TooLong,
    /// So many runs in a row failed as `on_failure` says.
    Failing,
}

impl BreachKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Late, Self::NoSuccess, Self::TooLong, Self::Failing];

    /// The word that people and programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NoSuccess => "no-success",
            Self::TooLong => "too-long",
            Self::Failing => "failing",
        }
    }
}

impl fmt::Display for BreachKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that is not as a job promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What is wrong.
    pub kind: BreachKind,
    /// Since when: the moment at which the promise was broken.
    pub since: Timestamp,
    /// The task that it is about, where there is one.
    pub task: Option<TaskId>,
    /// The same in a sentence.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// What is known of a job at one moment.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Since when it is watched. What was due before is nobody's business.
    pub since: Timestamp,
    /// How its runs have ended.
    pub streak: Streak,
    /// Of each schedule the latest slot that should have started by now.
    pub slots: Vec<LastSlot>,
    /// Its tasks that have not ended, oldest first.
    pub active: Vec<Task>,
}

/// All that `job` breaks of what it promises, at most one of each kind.
pub fn breaches(
    job: &JobRef,
    schedules: &[Arc<Schedule>],
    watch: &Watch,
    facts: &Facts,
    now: Timestamp,
) -> Vec<Breach> {
    let late = watch.late_after.and_then(|late_after| late(job, schedules, late_after, facts, now));
    let no_success = watch.max_since_success.and_then(|most| no_success(job, most, facts, now));
    let too_long = watch.max_runtime.and_then(|most| too_long(job, most, facts, now));
    let failing =
        watch.on_failure.as_ref().and_then(|on_failure| failing(job, on_failure.after, facts.streak));
    [late, no_success, too_long, failing].into_iter().flatten().collect()
}

/// The earliest slot that is late.
fn late(
    job: &JobRef,
    schedules: &[Arc<Schedule>],
    late_after: SignedDuration,
    facts: &Facts,
    now: Timestamp,
) -> Option<Breach> {
    let waiting = facts.active.iter().filter_map(|task| {
        let due = due_of(job, schedules, task)?;
        let fate = Fate::Waiting { task: task.id, phase: task.phase };
        (due + late_after <= now).then_some(LastSlot { slot: task.scheduled?, due, fate })
    });
    let late = facts.slots.iter().copied().filter(|slot| is_late(slot, facts.streak)).chain(waiting);
    let first = late.filter(|slot| slot.due >= facts.since).min_by_key(|slot| slot.due)?;
    let slot = first.slot;
    let (task, what, hint) = match first.fate {
        Fate::Settled => return None,
        Fate::Undecided => (
            None,
            format!("the slot of {slot} has not been decided about"),
            "`tekcron tasks` shows whether the executor takes anything on, `/readyz?verbose` why not"
                .to_owned(),
        ),
        Fate::Waiting { task, phase } => (
            Some(task),
            format!("the slot of {slot} has not started: task {task} is {phase}"),
            format!("`tekcron task {} {task}` shows what it waits for", job.app),
        ),
        Fate::NeverStarted { task } => (
            Some(task),
            format!("the slot of {slot} never started: task {task} could not"),
            format!("`tekcron task {} {task}` shows why; `tekcron run-job {job}` makes up for it", job.app),
        ),
        Fate::Skipped { reason } => (
            None,
            format!("the slot of {slot} was skipped: {reason}"),
            format!("`tekcron run-job {job}` makes up for it"),
        ),
        Fate::Missed => (
            None,
            format!("the slot of {slot} was missed while tekcron was down"),
            format!("`tekcron run-job {job}` makes up for it; `catch_up = \"latest\"` would have"),
        ),
    };
    Some(Breach { kind: BreachKind::Late, since: first.due + late_after, task, what, hint })
}

/// A later success makes up for what cannot start any more.
fn is_late(slot: &LastSlot, streak: Streak) -> bool {
    match slot.fate {
        Fate::Settled => false,
        Fate::Undecided | Fate::Waiting { .. } => true,
        Fate::NeverStarted { .. } | Fate::Skipped { .. } | Fate::Missed => {
            streak.last_success.is_none_or(|success| success < slot.due)
        }
    }
}

/// When the slot of a first attempt that has not started was due.
fn due_of(job: &JobRef, schedules: &[Arc<Schedule>], task: &Task) -> Option<Timestamp> {
    let first = task.started.is_none() && task.attempt == 1 && task.trigger != Trigger::Backfill;
    let slot = task.scheduled.filter(|_| first)?;
    let key = task.schedule.as_ref()?;
    let schedule = schedules.iter().find(|schedule| schedule.key == *key)?;
    Some(slot + jitter(schedule, job, slot))
}

fn no_success(job: &JobRef, most: SignedDuration, facts: &Facts, now: Timestamp) -> Option<Breach> {
    let since = facts.streak.last_success.unwrap_or(facts.since).checked_add(most).ok()?;
    let what = match facts.streak.last_success {
        Some(success) => {
            format!("the last success was at {success}, and {most:#} is the longest without one")
        }
        None => {
            format!("there was no success since {}, and {most:#} is the longest without one", facts.since)
        }
    };
    let hint =
        format!("`tekcron job-history {job}` shows how its runs ended, `tekcron run-job {job}` runs it now");
    (since <= now).then_some(Breach { kind: BreachKind::NoSuccess, since, task: None, what, hint })
}

/// The task that has run for longest.
fn too_long(job: &JobRef, most: SignedDuration, facts: &Facts, now: Timestamp) -> Option<Breach> {
    let (started, task) = started(&facts.active).min_by_key(|(started, _)| *started)?;
    let since = started.checked_add(most).ok().filter(|since| *since <= now)?;
    let id = task.id;
    Some(Breach {
        kind: BreachKind::TooLong,
        since,
        task: Some(id),
        what: format!("task {id} runs since {started}, and {most:#} is the longest a run may take"),
        hint: format!(
            "`tekcron logs {} --task {id}` shows what it does, `tekcron terminate-task {} {id}` ends it",
            job.app, job.app
        ),
    })
}

fn failing(job: &JobRef, after: u32, streak: Streak) -> Option<Breach> {
    let since = streak.failing_since.filter(|_| streak.failures >= after)?;
    let what = match streak.failures {
        1 => "its last run failed".to_owned(),
        failures => format!("its last {failures} runs failed"),
    };
    let hint = format!("`tekcron job-history {job}` shows how they ended");
    Some(Breach { kind: BreachKind::Failing, since, task: None, what, hint })
}

fn started(active: &[Task]) -> impl Iterator<Item = (Timestamp, &Task)> {
    let running = active.iter().filter(|task| task.phase == Phase::Running);
    running.filter_map(|task| Some((task.started?, task)))
}

/// The first moment after `now` at which time alone may break a promise: nothing else need be looked at before.
pub fn next_look(
    job: &JobRef,
    schedules: &[Arc<Schedule>],
    watch: &Watch,
    facts: &Facts,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut moments = Vec::new();
    if let Some(late_after) = watch.late_after {
        for schedule in schedules {
            moments.push(next_lateness(schedule, job, late_after, now));
        }
        moments.extend(
            facts.active.iter().map(|task| due_of(job, schedules, task)?.checked_add(late_after).ok()),
        );
    }
    if let Some(most) = watch.max_since_success {
        moments.push(facts.streak.last_success.unwrap_or(facts.since).checked_add(most).ok());
    }
    if let Some(most) = watch.max_runtime {
        moments.extend(started(&facts.active).map(|(started, _)| started.checked_add(most).ok()));
    }
    moments.into_iter().flatten().filter(|moment| *moment > now).min()
}

/// When the next slot of a schedule will be late, should it not have started.
fn next_lateness(
    schedule: &Schedule,
    job: &JobRef,
    late_after: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    let from = now.checked_sub(late_after).ok()?;
    let first = schedule.last_until(from).or_else(|| schedule.next_after(from));
    let slots = std::iter::successors(first, |slot| schedule.next_after(*slot));
    slots
        .filter_map(|slot| (slot + jitter(schedule, job, slot)).checked_add(late_after).ok())
        .find(|moment| *moment > now)
}

#[cfg(test)]
pub(super) mod tests;
