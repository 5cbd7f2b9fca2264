mod app;
mod former;
mod golden;

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::app::{Command, LogsOnTerminate};
use crate::clock::{ManualClock, SharedClock};
use crate::job::JobRef;
use crate::schedule::ScheduleKey;
use crate::task::{LogSize, Overrides, Phase, RunIdentity, Task, TaskId, TaskName, Trigger};

fn clock() -> SharedClock {
    Arc::new(ManualClock::new(at(1_800_000_000)))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn job() -> JobRef {
    "etl.nightly".parse().unwrap()
}

fn schedule() -> ScheduleKey {
    ScheduleKey::hashed("0 2 * * *", "UTC", "vixie")
}

fn task(id: u64) -> Task {
    let job = job();
    let identity = RunIdentity::Slot { schedule: &schedule(), slot: at(60 * id as i64), ordinal: 0 };
    Task {
        name: TaskName::of("tekcron", "default", &job.app, Some(&job.job), identity, 1),
        app: job.app,
        id: TaskId(id),
        display_name: "nightly".to_owned(),
        job: Some(job.job),
        schedule: Some(schedule()),
        scheduled: Some(at(60 * id as i64)),
        ordinal: 0,
        trigger: Trigger::Schedule,
        attempt: 1,
        first_attempt: None,
        request: None,
        overrides: Overrides { command: Some(Command::Shell("true".to_owned())), ..Overrides::default() },
        revision: None,
        image: None,
        generation: "g1".to_owned(),
        created: at(60 * id as i64),
        not_before: None,
        started: None,
        finished: None,
        phase: Phase::Pending,
        terminating: None,
        logs_on_terminate: LogsOnTerminate::Keep,
        reason: None,
        message: None,
        exit_code: None,
        log: LogSize::default(),
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let mut commit = Commit::new();
    let (first, mut second) = (task(1), task(2));
    commit.create_task(&first).create_task(&second);
    second.phase = Phase::Succeeded;
    commit.update_task(&second);
    commit.put_watermark(&job(), &schedule(), &Watermark { at: at(120), fingerprint: "f".to_owned() });
    commit.put_idempotency("key", &first.app, first.id, "hash", at(60));
    commit.put_previous_success(&job(), at(120));
    store.commit(commit).await.unwrap();
    drop(store);

    let store = Store::open(dir.path(), clock()).unwrap();
    assert_eq!(store.task(&first.app, first.id).unwrap(), Some(first.clone()));
    assert_eq!(store.task_named(&second.name).unwrap(), Some(second.clone()));
    assert_eq!(active(&store), std::slice::from_ref(&first));
    let newest: Result<Vec<_>, _> = store.tasks(&first.app, None).collect();
    assert_eq!(newest.unwrap(), [second.clone(), first.clone()]);
    let older: Result<Vec<_>, _> = store.tasks(&first.app, Some(TaskId(2))).collect();
    assert_eq!(older.unwrap(), std::slice::from_ref(&first));
    assert_eq!(store.counters().unwrap().get(&first.app), Some(&TaskId(2)));
    let watermarks: std::collections::BTreeMap<_, _> = store.watermarks().collect::<Result<_, _>>().unwrap();
    assert_eq!(watermarks[&(job(), schedule())].at, at(120));
    assert_eq!(store.previous_success(&job()).unwrap(), Some(at(120)));
    assert_eq!(store.previous_success(&"etl.other".parse().unwrap()).unwrap(), None);
    assert_eq!(store.idempotency("key").unwrap(), Some((first.app.clone(), first.id, "hash".to_owned())));

    assert_eq!(store.expire_idempotency(at(60 + 3600), SignedDuration::from_hours(24)).unwrap(), 0);
    assert_eq!(store.expire_idempotency(at(61 + 86_400), SignedDuration::from_hours(24)).unwrap(), 1);
    store.commit(Commit::new()).await.unwrap();
    assert_eq!(store.idempotency("key").unwrap(), None);
}

#[tokio::test]
async fn writes_that_change_nothing_are_left_out_and_counted_out_once() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let mut ended = task(1);
    let mut commit = Commit::new();
    commit.create_task(&ended);
    store.commit(commit.clone()).await.unwrap();
    store.commit(commit).await.unwrap();
    ended.phase = Phase::Succeeded;
    for _ in 0..2 {
        let mut commit = Commit::new();
        commit.update_task(&ended);
        store.commit(commit).await.unwrap();
    }
    drop(store);
    let store = reopen(dir.path());
    assert_eq!(store.task(&ended.app, ended.id).unwrap(), Some(ended));
    assert_eq!(active(&store), []);
}

/// A new store, and how many commits each of its syncs is for.
fn observed(dir: &Path, clock: SharedClock) -> (Store, std::sync::mpsc::Receiver<usize>) {
    let (seen, syncs) = std::sync::mpsc::channel();
    let observer = Box::new(move |stats: WriteStats| _ = seen.send(stats.commits));
    (Store::open_observed(dir, clock, observer).unwrap(), syncs)
}

fn create(id: u64) -> Commit {
    let mut commit = Commit::new();
    commit.create_task(&task(id));
    commit
}

#[tokio::test]
async fn what_nobody_waits_for_is_synced_with_what_somebody_does_or_at_the_end() {
    let dir = TempDir::new().unwrap();
    let (store, syncs) = observed(dir.path(), clock());
    (1..=3).for_each(|id| store.commit_later(create(id)));
    store.commit(create(4)).await.unwrap();
    store.commit_later(create(5));
    drop(store);
    assert_eq!(syncs.into_iter().collect::<Vec<_>>(), [4, 1]);
    assert_eq!(active(&reopen(dir.path())).len(), 5);
}

#[tokio::test]
async fn what_nobody_waits_for_is_synced_by_itself_when_it_has_waited_for_long() {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::new(at(1_800_000_000)));
    let (store, syncs) = observed(dir.path(), clock.clone());
    store.commit_later(create(1));
    while store.task(&job().app, TaskId(1)).unwrap().is_none() {
        std::thread::yield_now();
    }
    clock.advance(std::time::Duration::from_secs(6));
    store.commit_later(create(2));
    assert_eq!(syncs.recv(), Ok(2));
}

#[tokio::test]
async fn commits_in_no_hurry_wait_for_each_other_and_for_nobody_who_is() {
    let dir = TempDir::new().unwrap();
    let (store, syncs) = observed(dir.path(), clock());
    let (done, durable) = std::sync::mpsc::channel();
    for id in 1..=200 {
        let done = done.clone();
        store.commit_soon_then(create(id), move |result| done.send(result.map(|()| id)).unwrap());
    }
    store.commit(create(201)).await.unwrap();
    assert_eq!(durable.try_iter().collect::<Result<Vec<_>, _>>().unwrap(), (1..=200).collect::<Vec<_>>());
    drop(store);
    let syncs: Vec<_> = syncs.into_iter().collect();
    assert!(syncs.iter().sum::<usize>() == 201 && syncs.len() < 100, "{syncs:?}");
}

#[tokio::test]
async fn commits_too_large_to_share_a_batch_are_written_in_turn() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let (done, durable) = std::sync::mpsc::channel();
    for (number, ids) in [(0, 1..=400), (1, 300..=700), (2, 700..=700)] {
        let mut commit = Commit::new();
        for id in ids {
            commit.create_task(&Task { display_name: number.to_string(), ..task(id) });
        }
        let done = done.clone();
        store.commit_then(commit, move |result| done.send((number, result)).unwrap());
    }
    drop(done);
    let order: Vec<i32> =
        durable.into_iter().map(|(number, result)| result.map(|()| number).unwrap()).collect();
    assert_eq!(order, [0, 1, 2]);
    let called = |id| store.task(&job().app, TaskId(id)).unwrap().unwrap().display_name;
    assert_eq!([1, 300, 699, 700].map(called), ["0", "1", "1", "2"]);
}

#[tokio::test]
async fn a_removed_task_leaves_its_slot_and_never_gives_its_id_back() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let task = task(7);
    let row = SlotRow {
        schedule: schedule(),
        first: at(420),
        last: at(420),
        outcome: SlotOutcome::Ran { task: task.id },
        claim: Some(SlotClaim { due: at(421), at: at(423) }),
        note: None,
    };
    let mut commit = Commit::new();
    commit.create_task(&task).put_slot(&job(), &row);
    store.commit(commit).await.unwrap();
    let mut commit = Commit::new();
    commit.remove_task(&task);
    store.commit(commit).await.unwrap();

    assert_eq!(store.task(&task.app, task.id).unwrap(), None);
    assert_eq!(store.task_named(&task.name).unwrap(), None);
    assert_eq!(store.slots(&job(), None, at(0)..=at(1000)).unwrap(), std::slice::from_ref(&row));
    assert_eq!(store.newest_slot(&job(), &schedule()).unwrap(), Some(row));
    assert_eq!(store.counters().unwrap()[&task.app], TaskId(7));
}

#[tokio::test]
async fn a_task_is_found_by_its_name_whatever_its_app_and_job_are_called() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let long = "a".repeat(63);
    let mut commit = Commit::new();
    let mut tasks = Vec::new();
    for (app, jobs) in [
        ("etl", ["nightly-x", "nightly"]),
        ("etl-nightly", ["x", "y"]),
        (long.as_str(), ["a", "b"]),
        (&long[1..], ["a", "b"]),
        (&long[..36], ["a", "b"]),
    ] {
        for (id, job) in (1..).zip(jobs) {
            let job: JobRef = format!("{app}.{job}").parse().unwrap();
            let identity = RunIdentity::Request("r");
            let name = TaskName::of("tekcron", "default", &job.app, Some(&job.job), identity, 1);
            tasks.push(Task { name, app: job.app, job: Some(job.job), id: TaskId(id), ..task(1) });
        }
    }
    for task in &tasks {
        commit.create_task(task);
    }
    store.commit(commit).await.unwrap();
    for task in &tasks {
        assert_eq!(store.task_named(&task.name).unwrap().as_ref(), Some(task));
    }
    for absent in
        ["etl-nightly-x-abcdefghijkl", "etl", "none-abcdefghijkl", &format!("{}-abcdefghijkl", &long[..36])]
    {
        assert_eq!(store.task_named(&absent.parse().unwrap()).unwrap(), None, "{absent}");
    }
}

#[tokio::test]
async fn a_slot_has_run_where_a_row_of_its_own_names_a_task() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let row = |first, last, outcome| SlotRow {
        schedule: schedule(),
        first: at(first),
        last: at(last),
        outcome,
        claim: None,
        note: None,
    };
    let mut commit = Commit::new();
    commit.put_slot(&job(), &row(60, 600, SlotOutcome::Missed));
    commit.put_slot(&job(), &row(660, 660, SlotOutcome::CaughtUp { task: TaskId(1) }));
    store.commit(commit).await.unwrap();
    for (second, expected) in [(0, false), (60, false), (600, false), (660, true), (720, false)] {
        assert_eq!(store.has_run(&job(), &schedule(), at(second)).unwrap(), expected, "{second}");
    }
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let dir = TempDir::new().unwrap();
    let _first = Store::open(dir.path(), clock()).unwrap();
    assert!(matches!(Store::open(dir.path(), clock()), Err(StoreError::InUse { .. })));
}

#[test]
fn a_store_of_a_newer_format_is_left_alone() {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path(), clock()).unwrap());
    let tree = sled_in(&dir.path().join("store"));
    tree.insert(key::meta("format"), &9u32.to_be_bytes()[..]).unwrap();
    drop(tree);
    let found = Store::open(dir.path(), clock());
    assert!(matches!(found, Err(StoreError::Format { found: 9, .. })), "{found:?}");
}

#[test]
fn a_store_with_a_damaged_file_refuses_to_open() {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path(), clock()).unwrap());
    for file in ["conf", "db"] {
        let path = dir.path().join("store").join(file);
        let sound = std::fs::read(&path).unwrap();
        std::fs::write(&path, "garbage").unwrap();
        let found = Store::open(dir.path(), clock());
        assert!(matches!(found, Err(StoreError::Unreadable { .. })), "{file}: {found:?}");
        std::fs::write(&path, sound).unwrap();
    }
}

/// Where a store with one task was, and is closed.
async fn with_one_task() -> TempDir {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let mut commit = Commit::new();
    commit.create_task(&task(1));
    store.commit(commit).await.unwrap();
    drop(store);
    wait_until_closed(dir.path());
    dir
}

/// Stored state of every released format must load: this is format 1, written down.
#[test]
fn records_of_format_1_still_load() {
    let expected = task(1);
    let golden = include_str!("../../../tests/fixtures/records/task-v1.hex");
    let bytes = data_encoding::HEXLOWER.decode(golden.trim().as_bytes()).unwrap();
    assert_eq!(record::decode_task(&key::task(&expected.app, expected.id), &bytes).unwrap(), expected);
    assert_eq!(data_encoding::HEXLOWER.encode(&record::encode_task(&expected)), golden.trim());
}

/// Rows of before claims were written down, and of since.
#[test]
fn slots_of_every_format_load_and_are_written_in_the_newest_that_they_need() {
    let bytes = |golden: &str| data_encoding::HEXLOWER.decode(golden.trim().as_bytes()).unwrap();
    let at_key = key::slot(&job(), &schedule(), at(60));
    let skipped = SlotOutcome::Skipped { reason: SkipReason::Overlap { task: TaskId(7) } };
    let former = SlotRow {
        schedule: schedule(),
        first: at(60),
        last: at(600),
        outcome: skipped,
        claim: None,
        note: None,
    };
    let v1 = bytes(include_str!("../../../tests/fixtures/records/slot-v1.hex"));
    assert_eq!(record::decode_slot(&at_key, &v1).unwrap(), former);
    assert_eq!(record::decode_slot(&at_key, &record::encode_slot(&former)).unwrap(), former);

    let claimed = at(90) + jiff::SignedDuration::from_millis(250);
    let row = SlotRow {
        schedule: schedule(),
        first: at(60),
        last: at(60),
        outcome: SlotOutcome::Ran { task: TaskId(7) },
        claim: Some(SlotClaim { due: at(90), at: claimed }),
        note: None,
    };
    let v2 = bytes(include_str!("../../../tests/fixtures/records/slot-v2.hex"));
    assert_eq!(record::decode_slot(&at_key, &v2).unwrap(), row);
    assert_eq!(record::encode_slot(&row), v2);

    let outcome = SlotOutcome::Skipped { reason: SkipReason::Paused };
    let noted = SlotRow { outcome, note: Some("by ann: the warehouse moves".to_owned()), ..former };
    let v3 = bytes(include_str!("../../../tests/fixtures/records/slot-v3.hex"));
    assert_eq!(record::decode_slot(&at_key, &v3).unwrap(), noted);
    assert_eq!(record::encode_slot(&noted), v3);
}

#[tokio::test]
async fn a_snapshot_that_was_cut_off_does_not_keep_the_store_from_opening() {
    let dir = with_one_task().await;
    let unfinished = dir.path().join("store/snap.FFFFFFFFFFFFFFFF.generating");
    std::fs::write(&unfinished, "half of it").unwrap();
    let store = reopen(dir.path());
    assert_eq!(store.task(&job().app, TaskId(1)).unwrap(), Some(task(1)));
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_begun_again() {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path(), clock()).unwrap());
    // As if it had been killed before it could note the format.
    std::fs::remove_file(dir.path().join("store/format")).unwrap();
    drop(reopen(dir.path()));
    assert!(dir.path().join("store/format").exists());
}

#[tokio::test]
async fn an_emptied_store_is_refused() {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path(), clock()).unwrap());
    for file in ["db", "conf"] {
        std::fs::write(dir.path().join("store").join(file), "").unwrap();
    }
    assert!(matches!(Store::open(dir.path(), clock()), Err(StoreError::Unreadable { .. })));
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_missed_by_the_mark() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let commit = |id| {
        let mut commit = Commit::new();
        commit.create_task(&task(id));
        store.commit(commit)
    };
    commit(1).await.unwrap();
    let earlier = std::fs::read(dir.path().join("store/db")).unwrap();
    commit(2).await.unwrap();
    drop(store);
    wait_until_closed(dir.path());
    std::fs::write(dir.path().join("store/db"), earlier).unwrap();
    let refused = Store::open(dir.path(), clock()).unwrap_err().to_string();
    assert!(refused.contains("of 2 groups of commits that were acknowledged, 1 are missing"), "{refused}");
}

/// sled syncs none of the files in which it keeps what is large: a power cut may take one whose place in the
/// log is on disk already.
#[tokio::test]
async fn a_group_that_lacks_a_file_is_left_out_where_nobody_was_told_of_it_and_refused_where_somebody_was() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    let large = Overrides { command: Some(Command::Shell("x".repeat(200_000))), ..Overrides::default() };
    for (id, overrides) in [(1, Overrides::default()), (2, large), (3, Overrides::default())] {
        let mut commit = Commit::new();
        commit.create_task(&Task { overrides, ..task(id) });
        store.commit(commit).await.unwrap();
    }
    drop(store);
    wait_until_closed(dir.path());
    let blobs: Vec<_> = std::fs::read_dir(dir.path().join("store/blobs")).unwrap().collect();
    assert!(!blobs.is_empty());
    for blob in blobs {
        std::fs::remove_file(blob.unwrap().path()).unwrap();
    }
    let db = || std::fs::read(dir.path().join("store/db")).unwrap();
    let before = db();
    assert!(matches!(Store::open(dir.path(), clock()), Err(StoreError::Unreadable { .. })));
    assert!(db() == before, "refusing changed it");
    drop(super::mark::Mark::open(&dir.path().join("store"), 1).unwrap());
    let store = reopen(dir.path());
    let tasks: Vec<_> = store.tasks(&job().app, None).map(|task| task.unwrap().id).collect();
    assert_eq!(tasks, [TaskId(1)]);
    let mut commit = Commit::new();
    commit.create_task(&task(4));
    store.commit(commit).await.unwrap();
    drop(store);
    assert_eq!(active(&reopen(dir.path())).len(), 2);
}

#[tokio::test]
async fn a_record_that_was_lost_or_changed_is_missed_by_the_tally() {
    for change in [None, Some(b"other")] {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), clock()).unwrap();
        for id in 1..=2 {
            let mut commit = Commit::new();
            commit.create_task(&task(id));
            store.commit(commit).await.unwrap();
        }
        drop(store);
        wait_until_closed(dir.path());
        let tree = sled_in(&dir.path().join("store"));
        let at = key::active(&job().app, TaskId(1));
        match change {
            None => tree.remove(at).unwrap(),
            Some(value) => tree.insert(at, value).unwrap(),
        };
        drop(tree);
        wait_until_closed(dir.path());
        let refused = Store::open(dir.path(), clock()).unwrap_err().to_string();
        assert!(refused.contains("`db` is damaged: of 5 records"), "{refused}");
    }
}

/// sled's own threads may hold its lock for a moment after the last handle has gone.
fn wait_until_closed(dir: &std::path::Path) {
    let lock = std::fs::File::open(dir.join("store/db")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
}

/// Opens sled, as tests do that others run beside: a process that another test starts has the lock of the one before until
/// it executes its program.
pub(in crate::store) fn open_sled(config: &sled::Config) -> sled::Result<sled::Db> {
    let locked = |opened: &sled::Result<_>| matches!(opened, Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock"));
    let mut opened = config.open();
    for _ in 0..1_000_000 {
        if !locked(&opened) {
            break;
        }
        std::thread::yield_now();
        opened = config.open();
    }
    opened
}

fn sled_in(dir: &std::path::Path) -> sled::Db {
    open_sled(&sled::Config::new().path(dir)).unwrap()
}

fn active(store: &Store) -> Vec<Task> {
    store.active_tasks().collect::<Result<_, _>>().unwrap()
}

fn reopen(dir: &std::path::Path) -> Store {
    loop {
        match Store::open(dir, clock()) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}
