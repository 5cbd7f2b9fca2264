//! N schedules due at one instant, through the real dispatcher and store, to an executor that takes
//! everything: when is the last claim on disk, and for how long was another writer held up?

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tekcron::app::AppName;
use tekcron::clock::{SharedClock, SystemClock};
use tekcron::config::Config;
use tekcron::schedule::wheel::Wheel;
use tekcron::store::{Commit, Store};
use tekcron::task::{Dispatcher, Parts, TaskId};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::Scale;
use crate::clock::MovedClock;
use crate::records::{self, Claim, JOBS, app};
use crate::report::{Row, Unit};
use crate::sample::{median, ms};
use crate::syncs;
use crate::takes_all::TakesAll;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// For the last claim, in milliseconds.
const TARGETS: [f64; 3] = [50.0, 600.0, 6_000.0];
/// For the other writer, in milliseconds.
const HELD_UP: f64 = 50.0;

/// Milliseconds from the instant that all are due at.
#[derive(Default)]
struct Burst {
    /// To the last claim on disk.
    claimed: Vec<f64>,
    /// To the last task with the executor.
    taken: Vec<f64>,
    /// The longest commit of another writer.
    held_up: Vec<f64>,
}

pub(crate) fn run(scale: Scale) {
    syncs::note();
    for (size, target) in SIZES.into_iter().zip(TARGETS).take(if scale.quick { 2 } else { 3 }) {
        let dir = TempDir::new().expect("a temporary directory");
        let config_dir = dir.path().join("config");
        records::write_config(&config_dir, size, "\"true\"", |_| "0 0 * * *".to_owned());
        let config = records::load_config(&config_dir, &dir.path().join("data"));
        let claims = records::claims(size);
        let (mut ours, mut bound, mut raw) = (Burst::default(), vec![], vec![]);
        for _ in 0..scale.rounds_of(size) {
            burst(&config, size, &mut ours);
            bound.push(group_commit(&claims));
            raw.push(append_and_sync(&claims));
        }
        let (claimed, bound) = (median(&mut ours.claimed), median(&mut bound));
        let row = |what: &str, result, bound, target| {
            let what = &format!("durable, {size} due at once, {what}");
            Row { what, unit: Unit::Ms, result, bound, target }.print();
        };
        row("last claim on disk", claimed, Some(("store, same commits", bound)), Some(target));
        row("the same commits in the store", bound, Some(("append and fdatasync", median(&mut raw))), None);
        row("last task at the executor", median(&mut ours.taken), None, None);
        row("other writer held up, longest", median(&mut ours.held_up), None, Some(HELD_UP));
    }
}

/// One burst on a new store.
fn burst(config: &Arc<Config>, size: usize, into: &mut Burst) {
    let data = TempDir::new().expect("a temporary directory");
    let lead = Duration::from_millis(1_000 + size as u64 / 6);
    let moved = Arc::new(MovedClock::before_midnight(lead));
    let (due, clock): (Instant, SharedClock) = (moved.midnight(), moved);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let store = Store::open(data.path(), Arc::clone(&clock)).expect("a new store");
    let executor = Arc::new(TakesAll::default());
    let (wheel, wakes) = Wheel::start(Arc::clone(&clock)).expect("there is a thread");
    let parts = Parts {
        store: store.clone(),
        executor: executor.clone(),
        clock,
        wheel,
        wakes,
        config: Arc::clone(config),
    };
    let (dispatcher, _handle, _finished) = Dispatcher::recover(parts).expect("the store can be read");
    let stop = CancellationToken::new();
    let running = runtime.spawn(dispatcher.run(stop.clone().cancelled_owned()));
    runtime.block_on(store.commit(Commit::new())).expect("the store writes");
    let Some(rest) = due.checked_duration_since(Instant::now() + Duration::from_millis(50)) else {
        eprintln!("durable: {size} schedules were not ready in time; this round does not count");
        stop.cancel();
        return;
    };
    std::thread::sleep(rest);
    watch(&runtime, &store, &executor, size, due, into);
    stop.cancel();
    runtime.block_on(running).expect("it does not panic").expect("the store writes");
}

/// Looks until the last claim is there, on disk, and with the executor; another writer commits meanwhile.
fn watch(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    executor: &TakesAll,
    size: usize,
    due: Instant,
    into: &mut Burst,
) {
    let last = (app((size - 1) / JOBS), TaskId(((size - 1) % JOBS) as u64 + 1));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_again_and_again(runtime, store, &last, &over));
        let look = || std::thread::sleep(Duration::from_micros(200));
        while store.task(&last.0, last.1).expect("the store can be read").is_none() {
            look();
        }
        // It can be seen before it is synced.
        let seen = Instant::now();
        while syncs::first_after(seen).is_none() || executor.taken() < size {
            look();
        }
        over.store(true, Ordering::Release);
        let claimed = syncs::first_after(seen).expect("it was just there");
        into.claimed.push(ms(claimed.duration_since(due)));
        into.taken.push(ms(executor.last().expect("there was one").duration_since(due)));
        into.held_up.push(ms(writer.join().expect("it does not panic")));
    });
}

/// Another writer. Returns how long it was held up at most.
fn write_again_and_again(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    task: &(AppName, TaskId),
    over: &AtomicBool,
) -> Duration {
    let mut longest = Duration::ZERO;
    for number in 0.. {
        let mut commit = Commit::new();
        commit.put_idempotency(&format!("other-{number}"), &task.0, task.1, "other", Timestamp::now());
        let began = Instant::now();
        runtime.block_on(store.commit(commit)).expect("the store writes");
        longest = longest.max(began.elapsed());
        if over.load(Ordering::Acquire) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    longest
}

/// The bound: the same rows in the same commits, ready made.
fn group_commit(claims: &[Claim]) -> f64 {
    let data = TempDir::new().expect("a temporary directory");
    let store = Store::open(data.path(), Arc::new(SystemClock::new())).expect("a new store");
    let commits = records::commits(claims);
    let began = Instant::now();
    commit_all(&store, commits);
    ms(began.elapsed())
}

/// Writes them, and returns when the last one is on disk.
pub(crate) fn commit_all(store: &Store, commits: Vec<Commit>) {
    let (done, last) = std::sync::mpsc::channel();
    for commit in commits {
        let done = done.clone();
        store.commit_then(commit, move |durable| done.send(durable).expect("somebody waits"));
    }
    drop(done);
    last.into_iter().for_each(|durable| durable.expect("the store writes"));
}

/// The bound of the bound: as many bytes at the end of a file, with a sync where a commit ends.
fn append_and_sync(claims: &[Claim]) -> f64 {
    let data = TempDir::new().expect("a temporary directory");
    let mut file = new_file(data.path());
    let began = Instant::now();
    for claims in claims.chunks(records::SLOTS_PER_COMMIT) {
        let bytes = vec![7; claims.iter().map(Claim::size).sum()];
        file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the file is ours");
    }
    ms(began.elapsed())
}

/// A file to append to.
pub(crate) fn new_file(dir: &Path) -> File {
    File::create_new(dir.join("raw")).expect("the directory is ours")
}
