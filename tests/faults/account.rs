//! The account after a run: every slot one row, every claim one run, every run's end known.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use jiff::Timestamp;
use tekcron::clock::SystemClock;
use tekcron::config::{self, SettingsOverrides};
use tekcron::job::JobRef;
use tekcron::store::{SlotOutcome, SlotRow, Store};
use tekcron::task::{Phase, Task};

use crate::harness::{Daemon, Place};
use crate::world::quiet;

/// What was counted, for people.
#[expect(dead_code, reason = "it is printed")]
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) slots: usize,
    pub(crate) ran: usize,
    pub(crate) caught_up: usize,
    pub(crate) skipped: usize,
    pub(crate) missed: usize,
    pub(crate) by_hand: usize,
    pub(crate) runs: usize,
    pub(crate) kept: usize,
}

/// Job, nominal time and attempt of a run; a run by hand has its name as job.
type Run = (String, String, u32);

/// The rows of each job, which were whole when they were read.
type Ledger = BTreeMap<JobRef, Vec<SlotRow>>;

/// Ends `daemon` in order, and holds all that it and those before it did against each other. `by_hand`
/// are the names of runs that were acknowledged.
pub(crate) fn settle(place: &Place, daemon: Daemon, app: &str, by_hand: &[String]) -> Account {
    assert!(daemon.terminate().success(), "it did not end in order\n{}", place.log());
    let ledger = ledger(place);
    place.write_app("tick", &quiet(app));
    let daemon = place.serve();
    place.until("the end of every task", || all_ended(place).then_some(()));
    assert!(daemon.terminate().success());
    hold_against(place, &ledger, by_hand)
}

pub(crate) fn all_ended(place: &Place) -> bool {
    let tasks = place.json(&["tasks", "tick"]);
    let open = ["queued", "pending", "submitted", "running"];
    tasks.as_array().unwrap().iter().all(|task| !open.contains(&task["phase"].as_str().unwrap()))
}

fn open_store(place: &Place) -> Store {
    Store::open(&place.path().join("data"), Arc::new(SystemClock::new())).unwrap()
}

/// Every slot from a schedule's first to its watermark has its row, and one only.
fn ledger(place: &Place) -> Ledger {
    let config = config::load(&place.path().join("config"), &SettingsOverrides::default()).unwrap();
    let store = open_store(place);
    let watermarks: BTreeMap<_, _> = store.watermarks().collect::<Result<_, _>>().unwrap();
    let mut ledger = Ledger::new();
    for (app, job) in config.jobs() {
        let job_ref = JobRef::new(app.name.clone(), job.name.clone());
        let schedule = &job.schedules[0];
        let watermark = watermarks[&(job_ref.clone(), schedule.key.clone())].at;
        let rows = store.slots(&job_ref, Some(&schedule.key), Timestamp::MIN..=Timestamp::MAX).unwrap();
        let mut expected = rows.first().map(|row| row.first);
        for row in &rows {
            assert_eq!(Some(row.first), expected, "{job_ref}: a slot has no row, or two");
            expected = schedule.recurrence.next_after(row.last);
        }
        let next = expected.unwrap_or(Timestamp::MAX);
        assert!(next > watermark, "{job_ref}: the watermark {watermark} is past {next}, which has no row");
        ledger.insert(job_ref, rows);
    }
    ledger
}

fn hold_against(place: &Place, ledger: &Ledger, by_hand: &[String]) -> Account {
    let store = open_store(place);
    let mut runs = runs(place);
    let app = "tick".parse().unwrap();
    let tasks: Vec<Task> = store.tasks(&app, None).map(Result::unwrap).collect();
    let mut account = Account { runs: runs.len(), kept: tasks.len(), ..Account::default() };
    for task in &tasks {
        assert!(task.phase.is_terminal(), "its end is not known: {task:?}");
        let expected = if may_fail(task) { Phase::Failed } else { Phase::Succeeded };
        assert_eq!(task.phase, expected, "{task:?}");
    }
    assert!(store.active_tasks().next().is_none());
    let swept = tasks.len() >= keep(place);
    for (job, rows) in ledger {
        for row in rows {
            account.count(row);
            let Some(id) = row.outcome.task() else { continue };
            let name = job.job.to_string();
            let kept = tasks.iter().any(|task| task.id == id);
            // The newest of a job is never swept; where runs are tried again that is another one.
            let protected =
                name != "again" && rows.iter().filter_map(|row| row.outcome.task()).max() == Some(id);
            assert!(kept || swept && !protected, "{job}: task {id} is lost");
            for attempt in 1..=(if name == "again" { 2 } else { 1 }) {
                take(&mut runs, (name.clone(), row.first.to_string(), attempt));
            }
            if name == "long" {
                take(&mut runs, ("ended".to_owned(), row.first.to_string(), 1));
            }
        }
    }
    for name in by_hand {
        take(&mut runs, (name.clone(), "-".to_owned(), 1));
        account.by_hand += 1;
    }
    // A run by hand whose acknowledgement did not arrive may have run.
    runs.retain(|(_, slot, _), _| slot != "-");
    assert!(runs.is_empty(), "runs that belong to no slot: {runs:?}");
    account
}

fn keep(place: &Place) -> usize {
    let config = config::load(&place.path().join("config"), &SettingsOverrides::default()).unwrap();
    config.apps.values().next().unwrap().retention.keep.try_into().unwrap()
}

fn may_fail(task: &Task) -> bool {
    task.job.as_ref().is_some_and(|job| job.as_str() == "again") && task.attempt == 1
}

/// The lines that runs left, each of which must be there once.
fn runs(place: &Place) -> BTreeMap<Run, u32> {
    let lines = fs::read_to_string(place.path().join("data/state/tick/runs")).unwrap_or_default();
    let mut runs = BTreeMap::new();
    for line in lines.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let run = (words[0].to_owned(), words[1].to_owned(), words[2].parse().unwrap());
        *runs.entry(run).or_default() += 1;
    }
    let doubled: Vec<_> = runs.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "ran twice: {doubled:?}");
    runs
}

fn take(runs: &mut BTreeMap<Run, u32>, run: Run) {
    assert!(runs.remove(&run).is_some(), "it did not run: {run:?}");
}

impl Account {
    fn count(&mut self, row: &SlotRow) {
        self.slots += 1;
        match row.outcome {
            SlotOutcome::Ran { .. } => self.ran += 1,
            SlotOutcome::CaughtUp { .. } => self.caught_up += 1,
            SlotOutcome::Skipped { .. } => self.skipped += 1,
            SlotOutcome::Missed => self.missed += 1,
        }
    }
}
