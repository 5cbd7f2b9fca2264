//! A long history: the newest tasks of an App at the API, bytes on disk, starting over after SIGKILL,
//! and an acknowledgement on a store that is not new.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tekcron::clock::SystemClock;
use tekcron::store::{ClosedStore, Commit, Store, StoreError};
use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::demand::{Sleeper, answers, post_runs, store_commits};
use crate::durable::commit_all;
use crate::http::request;
use crate::machine;
use crate::records::{self, Claim, JOBS, SLOTS_PER_COMMIT, app};
use crate::report::{Row, Unit};
use crate::sample::{median, ms, percentile};

const RECORDS: [usize; 2] = [50_000, 500_000];
const APPS: usize = 100;
const PAGE: usize = 50;
/// Milliseconds at the API: the median, and p99.
const NEWEST: [f64; 2] = [1.0, 1.5];
/// Seconds to ready after SIGKILL.
const RECOVERY: f64 = 2.0;
/// How often every record is replaced by a newer one.
const TURNOVERS: usize = 10;

/// A directory with a configuration, and data of `size` records; the store is still open.
pub(crate) fn filled(size: usize) -> (TempDir, Store) {
    let dir = TempDir::new().expect("a temporary directory");
    write_config(&dir.path().join("config"));
    let store = Store::open(&dir.path().join("data"), Arc::new(SystemClock::new())).expect("a new store");
    fill(&store, 0, size / APPS);
    (dir, store)
}

pub(crate) fn run(scale: Scale) {
    for size in RECORDS.into_iter().take(if scale.quick { 1 } else { 2 }) {
        let (dir, store) = filled(size);
        let (config, data) = (dir.path().join("config"), dir.path().join("data"));
        let logical = Claim::new(0, 0, 1).ended().size() as f64;
        let mut reads = read_newest(&store, 300);
        drop(store);
        at_rest(size, logical, &data);
        let store = Store::open(&data, Arc::new(SystemClock::new())).expect("the store");
        let mut next_id = 10_000_000;
        let mut bound = vec![];
        for _ in 0..scale.rounds {
            bound.push(store_commits(&store, 1, Duration::from_millis(500), &mut next_id));
        }
        drop(store);
        let serve = || Daemon::start(&config, &data, &[("TEKCRON_MAX_CHILDREN", "1")]);
        let daemon = serve();
        // It outlives its daemon, so that none of them starts what is only asked for.
        let sleeper = Sleeper::start(&daemon, &data);
        daemon.kill();
        recovery(&serve, &data, size, scale);
        pages(serve(), size, &mut reads, median(&mut bound), scale);
        sleeper.end();
    }
    turnovers(if scale.quick { 2_000 } else { 20_000 });
}

/// Apps without schedules that keep all they have.
fn write_config(config: &Path) {
    records::write_config(config, APPS * JOBS, "\"sleep 600\"", |n| format!("{} 0 1 7 *", n % 60));
    for number in 0..APPS {
        let file = config.join(format!("apps/{}.toml", app(number)));
        let text = std::fs::read_to_string(&file).expect("it was written");
        std::fs::write(&file, text.replacen("[app]\n", "[app]\nkeep = 100000\n", 1)).expect("it was written");
    }
}

/// Tasks `first + 1` to `first + count` of each App, ended.
fn fill(store: &Store, first: usize, count: usize) {
    for id in (first + 1..=first + count).collect::<Vec<_>>().chunks(SLOTS_PER_COMMIT) {
        let commits = (0..APPS).map(|number| {
            let mut commit = Commit::new();
            id.iter().for_each(|id| Claim::new(number, id % JOBS, *id as u64).ended().write(&mut commit));
            commit
        });
        commit_all(store, commits.collect());
    }
}

/// The bound: milliseconds of reading them in the same process.
fn read_newest(store: &Store, times: usize) -> Vec<f64> {
    let read = |number: usize| {
        let began = Instant::now();
        let newest = store.tasks(&app(number * 7 % APPS), None).take(PAGE);
        assert_eq!(newest.filter_map(Result::ok).count(), PAGE);
        ms(began.elapsed())
    };
    (0..times).map(read).collect()
}

fn at_rest(size: usize, logical: f64, data: &Path) {
    let bytes = machine::bytes_on_disk(&data.join("store")) / size as f64;
    Row {
        what: &format!("history, {size} records, on disk for each"),
        unit: Unit::Bytes,
        result: bytes,
        bound: Some(("keys and values", logical)),
        target: None,
    }
    .print();
}

fn pages(daemon: Daemon, size: usize, reads: &mut [f64], store_rate: f64, scale: Scale) {
    let (mut newest, mut acknowledged) = (vec![], vec![]);
    let length = Duration::from_secs(if scale.quick { 1 } else { 3 });
    for round in 0..scale.rounds {
        let path = format!("/v1/apps/{}/tasks?limit={PAGE}", app(10 + round));
        let request = request("GET", &path, daemon.address(), &daemon.token(), "");
        newest.push(answers(daemon.address(), &request, 200, 1, length));
        acknowledged.push(post_runs(&daemon, 1, length).len() as f64 / length.as_secs_f64());
    }
    daemon.kill();
    for (index, (percent, target)) in [50.0, 99.0].into_iter().zip(NEWEST).enumerate() {
        let mut rounds: Vec<f64> = newest.iter_mut().map(|round| percentile(round, percent)).collect();
        Row {
            what: &format!("history, {size} records, newest {PAGE} of an App, {}", ["p50", "p99"][index]),
            unit: Unit::Ms,
            result: median(&mut rounds),
            bound: Some(("the store, in process", percentile(reads, percent))),
            target: Some(target),
        }
        .print();
    }
    Row {
        what: &format!("history, {size} records, runs by hand, 1 client"),
        unit: Unit::PerSecond,
        result: median(&mut acknowledged),
        bound: Some(("store, same rows", store_rate)),
        target: Some(0.7 * store_rate),
    }
    .print();
}

/// Killed while it acknowledges; what waits grows by what one client asks for in a fifth of a second.
fn recovery(serve: &impl Fn() -> Daemon, data: &Path, size: usize, scale: Scale) {
    let (mut ready, mut open) = (vec![], vec![]);
    for _ in 0..scale.rounds {
        let began = Instant::now();
        drop(Store::open(data, Arc::new(SystemClock::new())).expect("the store"));
        open.push(began.elapsed().as_secs_f64());
        let daemon = serve();
        post_runs(&daemon, 1, Duration::from_millis(200));
        daemon.kill();
        let daemon = serve();
        ready.push(daemon.ready_after.as_secs_f64());
        daemon.kill();
    }
    Row {
        what: &format!("history, {size} records, ready after SIGKILL"),
        unit: Unit::Seconds,
        result: median(&mut ready),
        bound: Some(("opening the store, cleanly closed, and closing it", median(&mut open))),
        target: Some(RECOVERY),
    }
    .print();
}

/// Every record is forgotten when a newer one has come, again and again; rows of slots stay.
fn turnovers(size: usize) {
    let dir = TempDir::new().expect("a temporary directory");
    let store = Store::open(dir.path(), Arc::new(SystemClock::new())).expect("a new store");
    let each = size / APPS;
    fill(&store, 0, each);
    for turn in 1..=TURNOVERS {
        fill(&store, turn * each, each);
        let forgotten = (0..APPS).map(|number| {
            let mut commit = Commit::new();
            let old = (turn - 1) * each + 1..=turn * each;
            for id in old {
                commit.remove_task(&Claim::new(number, id % JOBS, id as u64).task);
            }
            commit
        });
        commit_all(&store, forgotten.collect());
    }
    drop(store);
    let what = format!("history, {size} records after {TURNOVERS} turnovers");
    compaction(&what, size, dir.path());
}

/// What a store takes for each record before and after a compaction, and how long that takes.
pub(crate) fn compaction(what: &str, size: usize, data: &Path) {
    let closed = || loop {
        // sled lets go of its file a moment after it was closed.
        match ClosedStore::lock(data) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            locked => break locked.expect("the store is there"),
        }
    };
    let live = closed().verify().expect("the store is whole").bytes as f64 / size as f64;
    let row = |what: &str, unit, result, bound| Row { what, unit, result, bound, target: None }.print();
    let each = |bytes: u64| bytes as f64 / size as f64;
    let began = Instant::now();
    let compacted = closed().compact().expect("there is room");
    let pause = began.elapsed().as_secs_f64();
    let bound = Some(("keys and values", live));
    row(&format!("{what}, on disk for each"), Unit::Bytes, each(compacted.before), bound);
    row(&format!("{what}, on disk for each, compacted"), Unit::Bytes, each(compacted.after), bound);
    let began = Instant::now();
    append_and_sync(data, compacted.after);
    let bound = Some(("as many bytes appended and synced", began.elapsed().as_secs_f64()));
    row(&format!("{what}, pause of the compaction"), Unit::Seconds, pause, bound);
}

fn append_and_sync(data: &Path, bytes: u64) {
    let path = data.join("raw");
    let mut file = std::fs::File::create(&path).expect("the directory is ours");
    let block = vec![7; 1 << 20];
    for _ in 0..bytes >> 20 {
        file.write_all(&block).expect("there is room");
    }
    file.sync_all().expect("the disk works");
    std::fs::remove_file(path).expect("it is ours");
}
