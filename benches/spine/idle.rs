//! Many schedules, none of them due: time to ready, memory, processor time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::machine;
use crate::records;
use crate::report::{Row, Unit};
use crate::sample::median;

const SIZES: [usize; 2] = [10_000, 100_000];
/// Seconds to ready.
const READY: [f64; 2] = [0.3, 3.0];
/// MiB.
const RESIDENT: [f64; 2] = [30.0, 100.0];
/// Seconds of CPU a minute.
const CPU: f64 = 0.05;

pub(crate) fn run(scale: Scale) {
    let sizes = SIZES.into_iter().zip(READY).zip(RESIDENT);
    for ((size, ready), resident) in sizes.take(if scale.quick { 1 } else { 2 }) {
        let dir = TempDir::new().expect("a temporary directory");
        let config = dir.path().join("config");
        // Every minute of July is some schedule's, and none is due while this runs.
        records::write_config(&config, size, "\"true\"", |n| {
            format!("{} {} {} 7 *", n % 60, n / 60 % 24, 1 + n % 28)
        });
        let (mut new, mut again, mut parse) = (vec![], vec![], vec![]);
        let (mut memory, mut anonymous) = (vec![], vec![]);
        for round in 0..scale.rounds_of(size) {
            let data = dir.path().join(format!("data-{round}"));
            parse.push(parse_toml(&config));
            let daemon = Daemon::start(&config, &data, &[]);
            new.push(daemon.ready_after.as_secs_f64());
            std::thread::sleep(Duration::from_secs(2));
            daemon.kill();
            let daemon = Daemon::start(&config, &data, &[]);
            again.push(daemon.ready_after.as_secs_f64());
            std::thread::sleep(Duration::from_millis(500));
            let [all, no_file] = machine::resident(daemon.pid());
            memory.push(all);
            anonymous.push(no_file);
        }
        let bound = median(&mut parse);
        let row = |what: &str, unit, result, bound, target| {
            Row {
                what: &format!("idle, {size} schedules, {what}"),
                unit,
                result,
                bound,
                target: Some(target),
            }
            .print();
        };
        let parsed = Some(("reading and parsing the TOML", bound));
        row("ready, first start", Unit::Seconds, median(&mut new), parsed, ready);
        row("ready, later start", Unit::Seconds, median(&mut again), parsed, ready);
        // Pages of the binary are among the first and not among the second.
        row("resident", Unit::Mib, median(&mut memory), None, resident);
        row("resident and no file", Unit::Mib, median(&mut anonymous), None, resident);
        let cpu = cpu_a_minute(&config, &dir.path().join("data-0"), scale);
        row("CPU a minute", Unit::Seconds, cpu, None, CPU);
    }
}

/// The bound of being ready.
fn parse_toml(config: &Path) -> f64 {
    let began = Instant::now();
    for file in fs::read_dir(config.join("apps")).expect("the directory is ours") {
        let text = fs::read_to_string(file.expect("it is listed").path()).expect("the file is ours");
        std::hint::black_box(toml::from_str::<toml::Table>(&text).expect("it is TOML"));
    }
    began.elapsed().as_secs_f64()
}

/// After the first chores: files that are new to it are read again until they have kept still for a while.
fn cpu_a_minute(config: &Path, data: &Path, scale: Scale) -> f64 {
    let daemon = Daemon::start(config, data, &[]);
    std::thread::sleep(Duration::from_secs(20));
    let (seconds, before) = (if scale.quick { 15 } else { 60 }, machine::cpu(daemon.pid()));
    std::thread::sleep(Duration::from_secs(seconds));
    (machine::cpu(daemon.pid()) - before) * 60.0 / seconds as f64
}
