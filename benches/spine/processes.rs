//! N tasks of `/bin/true` due at one instant, through the real dispatcher, store, executor and binary:
//! when has the last one started?
//!
//! Beside it what limits it: a minimal supervisor (`minimal_shim.rs`) that syncs and spawns as often as
//! ours, and spawning `/bin/true` and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use tekcron::clock::SharedClock;
use tekcron::config::Config;
use tekcron::executor::local::{LocalExecutor, LocalSettings};
use tekcron::schedule::wheel::Wheel;
use tekcron::store::{Commit, Store};
use tekcron::task::{Dispatcher, Parts, Phase, Task};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::clock::MovedClock;
use crate::daemon::BINARY;
use crate::records;
use crate::report::{Row, Unit};
use crate::sample::median;
use crate::{Scale, machine};

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// Tasks at once: the default, and as many as supercronic would run.
const AT_ONCE: [usize; 2] = [64, 1_024];
/// How many of the syncs of a task the minimal supervisor makes.
const SYNCS: [&str; 3] = ["all", "one", "none"];
/// Seconds to the last of 1,000.
const TARGET: f64 = 0.87;

/// Ours, the minimal supervisor with all, one and no syncs, and `/bin/true` alone.
const KINDS: usize = 5;

/// What the rounds of one size gave.
#[derive(Default)]
struct Samples {
    /// Seconds until the last one had started.
    last: [Vec<f64>; KINDS],
    /// Milliseconds of CPU of the processes of one task. Unlike time, this does not depend on who else
    /// is at work.
    cpu: [Vec<f64>; KINDS],
    /// The same of the daemon's part: dispatcher, store and executor, here in this process.
    daemon: Vec<f64>,
    lost: usize,
}

pub(crate) fn run(scale: Scale) {
    let dir = TempDir::new().expect("a temporary directory");
    let shim = minimal_shim(dir.path()).expect("rustc builds the minimal supervisor");
    for size in SIZES.into_iter().take(if scale.quick { 2 } else { 3 }) {
        let config_dir = dir.path().join(format!("config-{size}"));
        records::write_config(&config_dir, size, "[\"/bin/true\"]", |_| "0 0 * * *".to_owned());
        let config = records::load_config(&config_dir, &dir.path().join("data"));
        for at_once in AT_ONCE.into_iter().take(if size > 1_000 { 1 } else { 2 }) {
            let mut samples = Samples::default();
            for round in 0..if size > 1_000 { 1 } else { scale.rounds.min(3) } {
                // Removed at the end only: where files were removed just now, ext4 is slow to make new ones.
                let place = dir.path().join(format!("{size}-{at_once}-{round}"));
                std::fs::create_dir(&place).expect("the directory is ours");
                samples.round(&config, &shim, &place, size, at_once);
            }
            samples.print(size, at_once);
        }
    }
}

impl Samples {
    fn round(&mut self, config: &Arc<Config>, shim: &Path, place: &Path, size: usize, at_once: usize) {
        let mut lost = 0;
        for kind in 0..KINDS {
            let before = [machine::cpu_of_children(), machine::cpu_of_this()];
            let last = match kind {
                0 => {
                    let (last, missing) = burst(config, &place.join("ours"), size, at_once);
                    lost = missing;
                    last
                }
                1..=3 => minimal_shims(shim, &place.join(SYNCS[kind - 1]), SYNCS[kind - 1], size, at_once),
                _ => spawn_all(size, at_once, |_| {
                    let mut command = Command::new("/bin/true");
                    command.stdin(Stdio::null());
                    command
                }),
            };
            self.last[kind].push(last);
            let [children, this] =
                [machine::cpu_of_children() - before[0], machine::cpu_of_this() - before[1]];
            self.cpu[kind].push(children * 1e3 / size as f64);
            if kind == 0 {
                self.daemon.push(this * 1e3 / size as f64);
            }
        }
        self.lost += lost;
    }

    fn print(mut self, size: usize, at_once: usize) {
        let what = |what: &str| format!("processes, {size} due at once, {at_once} at a time, {what}");
        let [ours, all, one, none, bare] = self.last.each_mut().map(|samples| median(samples));
        let row = |name: &str, unit, result, bound, target| {
            Row { what: &what(name), unit, result, bound: Some(bound), target }.print();
        };
        let target = (size == 1_000).then_some(TARGET);
        row("last started", Unit::Seconds, ours, ("minimal shim, same syncs", all), target);
        row("minimal shim, same syncs", Unit::Seconds, all, ("one sync", one), None);
        row("minimal shim, one sync", Unit::Seconds, one, ("no sync", none), None);
        row("minimal shim, no sync", Unit::Seconds, none, ("bare posix_spawn", bare), None);
        let [ours, all, _, none, bare] = self.cpu.each_mut().map(|samples| median(samples));
        row("CPU of one", Unit::Ms, ours, ("minimal shim, same syncs", all), None);
        row("CPU of one minimal shim, same syncs", Unit::Ms, all, ("no sync", none), None);
        row("CPU of one minimal shim, no sync", Unit::Ms, none, ("bare posix_spawn", bare), None);
        row(
            "CPU of one, less its command",
            Unit::Ms,
            ours - bare,
            ("minimal shim, same syncs", all - bare),
            None,
        );
        let daemon = median(&mut self.daemon);
        row("CPU of the daemon for one", Unit::Ms, daemon, ("bare posix_spawn", bare), None);
        let lost = what("lost");
        Row { what: &lost, unit: Unit::Lost, result: self.lost as f64, bound: None, target: Some(0.0) }
            .print();
    }
}

/// Seconds to the start of the last task, and how many did not succeed.
fn burst(config: &Arc<Config>, data: &Path, size: usize, at_once: usize) -> (f64, usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let lead = Duration::from_millis(1_000 + size as u64 / 6);
    // What a shim writes down is real time.
    let due = Timestamp::now() + lead;
    let clock: SharedClock = Arc::new(MovedClock::before_midnight(lead));
    let store = Store::open(data, Arc::clone(&clock)).expect("a new store");
    let settings =
        LocalSettings { data_dir: data.to_owned(), max_children: at_once, shim: PathBuf::from(BINARY) };
    let executor = LocalExecutor::open(settings, Arc::clone(&clock)).expect("an executor");
    let (wheel, wakes) = Wheel::start(Arc::clone(&clock)).expect("there is a thread");
    let config = Arc::clone(config);
    let parts = Parts { store: store.clone(), executor, clock, wheel, wakes, config };
    let (dispatcher, handle, _finished) = Dispatcher::recover(parts).expect("the store can be read");
    let stop = CancellationToken::new();
    let running = runtime.spawn(dispatcher.run(stop.clone().cancelled_owned()));
    runtime.block_on(store.commit(Commit::new())).expect("the store writes");
    let mut ended = handle.ended();
    let all = async { while *ended.borrow_and_update() < size as u64 && ended.changed().await.is_ok() {} };
    let patience = Duration::from_secs(60) + Duration::from_millis(20) * size as u32;
    // What has not ended by then is lost.
    let _ = runtime.block_on(async { tokio::time::timeout(patience, all).await });
    stop.cancel();
    runtime.block_on(running).expect("it does not panic").expect("the store writes");
    let apps = (0..size.div_ceil(records::JOBS)).map(records::app);
    let tasks: Vec<Task> = apps.flat_map(|app| store.tasks(&app, None)).filter_map(Result::ok).collect();
    let succeeded = tasks.iter().filter(|task| task.phase == Phase::Succeeded).count();
    let last = tasks.iter().filter_map(|task| task.started).max().unwrap_or(Timestamp::MAX);
    (last.duration_since(due).as_secs_f64(), size - succeeded)
}

/// Builds the minimal supervisor; none where there is no compiler.
fn minimal_shim(dir: &Path) -> Option<PathBuf> {
    let shim = dir.join("minimal-shim");
    let built = Command::new("rustc")
        .args(["--edition", "2024", "-O", "-C", "panic=abort", "-C", "strip=symbols"])
        .args(["-C", "target-feature=+crt-static", "-o"])
        .arg(&shim)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/spine/minimal_shim.rs"))
        .status();
    built.is_ok_and(|status| status.success()).then_some(shim)
}

/// The bound: seconds until the last of `size` minimal supervisors has started its `/bin/true`.
fn minimal_shims(shim: &Path, dir: &Path, syncs: &str, size: usize, at_once: usize) -> f64 {
    std::fs::create_dir(dir).expect("the place is new");
    let began = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_nanos();
    spawn_all(size, at_once, |number| {
        let mut command = Command::new(shim);
        command.arg(dir.join(number.to_string())).arg(syncs).stdin(Stdio::null());
        command
    });
    let started = (0..size).map(|number| {
        let text = std::fs::read_to_string(dir.join(number.to_string()).join("record"));
        let text = text.expect("it has started");
        text[..text.find(' ').unwrap_or_default()].parse::<u128>().expect("it is a time")
    });
    started.max().map_or(f64::NAN, |last| (last - began) as f64 / 1e9)
}

/// Starts `size` processes, `at_once` at a time, and waits for all. Seconds until the last one was spawned.
fn spawn_all(size: usize, at_once: usize, command: impl Fn(usize) -> Command + Sync) -> f64 {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let work = || {
        let mut last = Duration::ZERO;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= size {
                return last;
            }
            let mut child = command(number).spawn().expect("it is there");
            last = began.elapsed();
            assert!(child.wait().expect("it is ours").success());
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.min(size)).map(|_| scope.spawn(work)).collect();
        let lasts = workers.into_iter().map(|worker| worker.join().expect("it does not panic"));
        lasts.max().unwrap_or_default().as_secs_f64()
    })
}
