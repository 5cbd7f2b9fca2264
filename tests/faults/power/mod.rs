//! The power goes: every moment of a run again, on a disk that keeps what was synced and any part of the
//! rest. What was acknowledged before that moment is there, nothing reads back wrong, and it opens.

mod disk;
pub(crate) mod trace;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use jiff::Timestamp;
use tekcron::clock::SystemClock;
use tekcron::store::{Commit, SlotRow, Store};
use tekcron::task::{Task, TaskId};
use tempfile::TempDir;

use self::disk::{Disk, Luck};
use self::trace::{Call, Event, What};
use crate::harness::Place;
use crate::kills::number;

const APP: &str = r#"
[app]
name = "work"
command = "true"

[[jobs]]
name = "each"
schedule = "* * * * * *"
catch_up = "all"
"#;

/// Two lives of a daemon, the first of which was killed.
struct Run {
    place: Place,
    lives: Vec<Vec<Event>>,
}

/// What somebody was told of a task, by its name: that it is there, and its end where it has ended.
type Told = BTreeMap<String, Option<String>>;

/// What a store holds.
struct Held {
    tasks: BTreeMap<u64, Task>,
    slots: Vec<SlotRow>,
}

fn record(runs: usize) -> Option<Run> {
    if !trace::can_trace() {
        return None;
    }
    let place = Place::with(&[("work", APP)]);
    let logs = TempDir::new().unwrap();
    // Longer than what sled keeps in its own file, once a few of them stand in one page.
    let long = format!("true {}", "x".repeat(100_000));
    let mut lives = Vec::new();
    for life in 0..2 {
        let log = logs.path().join(life.to_string());
        let daemon = trace::traced(&place, &log, &[]);
        assert!(daemon.line().is_some(), "{}", place.log());
        for run in 0..runs {
            let command = if run % 4 == 3 { &long } else { "true" };
            place.ok(&["run-task", "work", "-c", command, "--wait"]);
        }
        match life {
            0 => daemon.kill(),
            _ => assert!(daemon.terminate().success(), "{}", place.log()),
        }
        lives.push(trace::events(&place, &log));
    }
    Some(Run { place, lives })
}

/// Cuts the power at every `stride`th moment, each with several kinds of luck.
fn cut_everywhere(run: &Run, stride: usize, random: u64) {
    let root = run.place.path();
    let truth = held(&open(&root.join("data")).unwrap());
    let mut disk = Disk::new(root);
    let mut told = Told::new();
    let (mut moments, mut cuts, mut failures) = (0, 0, Vec::new());
    for (life, events) in run.lives.iter().enumerate() {
        for (index, event) in events.iter().enumerate() {
            let told_more = hear(event, root, &mut told);
            if !disk.takes(event) && !told_more {
                continue;
            }
            moments += 1;
            if moments % stride != 0 {
                continue;
            }
            let lucks = [Luck::Nothing, Luck::Everything].into_iter();
            for luck in lucks.chain((0..random).map(|number| Luck::Some(number + 1 + 97 * moments as u64))) {
                cuts += 1;
                let dir = scratch();
                disk.after_power_cut(luck, dir.path());
                if let Err(what) = look(&dir.path().join("data"), &told, &truth, cuts % 8 == 0) {
                    failures.push(format!("life {life}, event {index}, {luck:?}: {what}"));
                }
            }
        }
        disk.killed();
    }
    assert!(told.len() > 4, "only {told:?}");
    println!(
        "{moments} moments, {cuts} power cuts, {} tasks told of: {} failures",
        told.len(),
        failures.len()
    );
    let first: Vec<_> = failures.iter().take(12).collect();
    assert!(failures.is_empty(), "{} of {cuts}, among them {first:#?}", failures.len());
}

/// In memory where there is such a place, so that nothing here waits for a disk.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What is told by `event` that outlives a power cut: an answer about one task, and a task's directory,
/// which is only made for a claim that is on disk.
fn hear(event: &Event, root: &Path, told: &mut Told) -> bool {
    let What::Began(call) = &event.what else { return false };
    let (name, end) = match call {
        Call::Rename { to, .. } if to.parent() == Some(&root.join("data/tasks")) => {
            (to.file_name().unwrap().to_string_lossy().into_owned(), None)
        }
        Call::Tell { bytes } => {
            let Some(task) = answer(bytes) else { return false };
            let phase = task["phase"].as_str().unwrap();
            let has_ended = !["queued", "pending", "submitted", "running"].contains(&phase);
            (task["name"].as_str().unwrap().to_owned(), has_ended.then(|| phase.to_owned()))
        }
        _ => return false,
    };
    let before = told.entry(name).or_default();
    *before = end.or(before.take());
    true
}

fn answer(bytes: &[u8]) -> Option<serde_json::Value> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let value: serde_json::Value = serde_json::from_slice(&bytes[head + 4..]).ok()?;
    (value["name"].is_string() && value["phase"].is_string() && value["id"].is_number()).then_some(value)
}

fn open(data: &Path) -> Result<Store, String> {
    Store::open(data, Arc::new(SystemClock::new())).map_err(|error| error.to_string())
}

fn held(store: &Store) -> Held {
    let tasks = store.tasks(&"work".parse().unwrap(), None).map(|task| {
        let task = task.unwrap();
        (task.id.0, task)
    });
    let slots = store.slots(&"work.each".parse().unwrap(), None, Timestamp::MIN..=Timestamp::MAX).unwrap();
    store.watermarks().collect::<Result<Vec<_>, _>>().unwrap();
    Held { tasks: tasks.collect(), slots }
}

fn look(data: &Path, told: &Told, truth: &Held, go_on: bool) -> Result<(), String> {
    let store = open(data)?;
    let now = held(&store);
    for (name, end) in told {
        let task = store.task_named(&name.parse().unwrap()).map_err(|error| error.to_string())?;
        let task = task.ok_or_else(|| format!("the task `{name}` is lost"))?;
        let phase = task.phase.as_str();
        if end.as_ref().is_some_and(|end| end != phase) {
            return Err(format!("the task `{name}` is {phase}, and was told to be {end:?}"));
        }
    }
    same(&now, truth)?;
    let active = store.active_tasks().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    if active.len() != now.tasks.values().filter(|task| !task.phase.is_terminal()).count() {
        return Err("the index of active tasks is wrong".to_owned());
    }
    let counter = store.counters().map_err(|error| error.to_string())?.into_values().max();
    if counter < now.tasks.keys().max().map(|id| TaskId(*id)) {
        return Err(format!("the counter is {counter:?}"));
    }
    if go_on { goes_on(data, store) } else { Ok(()) }
}

/// Whether nothing reads back other than it was, as far as it had come.
fn same(now: &Held, truth: &Held) -> Result<(), String> {
    for (id, task) in &now.tasks {
        let known = truth.tasks.get(id).map(|known| Task {
            not_before: task.not_before,
            started: task.started,
            finished: task.finished,
            phase: task.phase,
            reason: task.reason.clone(),
            message: task.message.clone(),
            exit_code: task.exit_code,
            log: task.log,
            ..known.clone()
        });
        if known.as_ref() != Some(task) {
            return Err(format!("the task {id} reads back wrong: {task:.300?}"));
        }
    }
    let is_known = |row: &SlotRow| {
        truth.slots.iter().any(|known| {
            (known.first..=known.last).contains(&row.first)
                && known.last >= row.last
                && known.outcome == row.outcome
        })
    };
    match now.slots.iter().find(|row| !is_known(row)) {
        Some(row) => Err(format!("a slot reads back wrong: {row:?}")),
        None => Ok(()),
    }
}

/// Whether what is acknowledged after the power cut is there the next time.
fn goes_on(data: &Path, store: Store) -> Result<(), String> {
    let (send, done) = channel();
    let mut commit = Commit::new();
    commit.put_counter(&"work".parse().unwrap(), TaskId(1_000_000));
    store.commit_then(commit, move |result| send.send(result).unwrap());
    done.recv().unwrap().map_err(|error| format!("it does not go on: {error}"))?;
    drop(store);
    let counters = open(data).map_err(|error| format!("the second time: {error}"))?.counters().unwrap();
    match counters.into_values().max() {
        Some(TaskId(1_000_000)) => Ok(()),
        other => Err(format!("after the power cut this was acknowledged, and lost: {other:?}")),
    }
}

#[test]
fn a_power_cut_at_many_moments_loses_nothing_acknowledged_and_opens() {
    let Some(run) = record(4) else { return };
    cut_everywhere(&run, 5, 1);
}

/// `FAULTS_RUNS` and `FAULTS_LUCK` change how long it takes.
#[test]
#[ignore = "takes some minutes"]
fn a_power_cut_at_every_moment_loses_nothing_acknowledged_and_opens() {
    let Some(run) = record(number("FAULTS_RUNS", 16) as usize) else { return };
    cut_everywhere(&run, 1, number("FAULTS_LUCK", 4));
}
