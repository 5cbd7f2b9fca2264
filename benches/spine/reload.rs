//! A configuration of many jobs, of which one in a hundred changes while the daemon serves.
//!
//! Each round rewrites one App of a hundred in place, with other times for all of its jobs, and asks for a reload. Other jobs are
//! due each second all the while: how late they are claimed is compared with the time in between.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tekcron::clock::SystemClock;
use tekcron::store::Store;
use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::demand::{Sleeper, answers};
use crate::http::request;
use crate::overload::lateness;
use crate::records::{self, JOBS};
use crate::report::{Row, Unit};
use crate::sample::{median, percentile};

const SIZES: [usize; 2] = [10_000, 100_000];
/// Seconds from the request to its answer.
const TARGET: f64 = 1.0;
/// Milliseconds of a slot that is due meanwhile.
const DELAY: f64 = 50.0;

pub(crate) fn run(scale: Scale) {
    for size in SIZES.into_iter().take(if scale.quick { 1 } else { 2 }) {
        let dir = TempDir::new().expect("a temporary directory");
        let (config, data) = (dir.path().join("config"), dir.path().join("data"));
        // The first App's are due each second, all others in July.
        let cron = |round: usize| {
            move |n: usize| match n / JOBS {
                0 => "* * * * * *".to_owned(),
                _ => format!("{} {} {} 7 *", (n + round) % 60, n / 60 % 24, 1 + n % 28),
            }
        };
        records::write_config(&config, size, "\"true\"", cron(0));
        let daemon = Daemon::start(&config, &data, &[("TEKCRON_MAX_CHILDREN", "1")]);
        let sleeper = Sleeper::start(&daemon, &data);
        let (mut calm, mut busy, mut took, mut unchanged) = (vec![], vec![], vec![], vec![]);
        for round in 1..=scale.rounds {
            let began = Timestamp::now();
            std::thread::sleep(Duration::from_secs(4));
            calm.push((began, Timestamp::now()));
            unchanged.push(reload(&daemon));
            let changed = dir.path().join(format!("changed-{round}"));
            records::write_config(&changed, size, "\"true\"", cron(round));
            change(&changed, &config, size / JOBS / 100);
            std::thread::sleep(Duration::from_secs(1));
            let began = Timestamp::now();
            took.push(reload(&daemon));
            std::thread::sleep(Duration::from_secs(1));
            busy.push((began, Timestamp::now()));
        }
        daemon.kill();
        sleeper.end();
        let store = Store::open(&data, Arc::new(SystemClock::new())).expect("the daemon has ended");
        let bound = Some(("the same files, unchanged", median(&mut unchanged)));
        let what = format!("reload, {size} jobs, one in a hundred changed");
        let result = median(&mut took);
        Row { what: &what, unit: Unit::Seconds, result, bound, target: Some(TARGET) }.print();
        let (mut calm, mut busy) = (lateness(&store, &calm), lateness(&store, &busy));
        for (what, percent) in [("median", 50.0), ("most", 100.0)] {
            let what = format!("reload, {size} jobs, lateness meanwhile, {what} of {} slots", busy.len());
            let bound = Some(("without", percentile(&mut calm, percent)));
            let result = percentile(&mut busy, percent);
            Row { what: &what, unit: Unit::Ms, result, bound, target: Some(DELAY) }.print();
        }
    }
}

/// Puts the last `apps` Apps of `from` into `to`, each at once.
fn change(from: &Path, to: &Path, apps: usize) {
    let mut files: Vec<_> = fs::read_dir(from.join("apps"))
        .expect("the directory is ours")
        .map(|file| file.expect("it is listed").file_name())
        .collect();
    files.sort();
    for file in files.iter().rev().take(apps) {
        fs::rename(from.join("apps").join(file), to.join("apps").join(file)).expect("the directory is ours");
    }
}

/// Seconds until a reload is answered.
fn reload(daemon: &Daemon) -> f64 {
    let request = request("POST", "/v1/reload", daemon.address(), &daemon.token(), "");
    let began = Instant::now();
    answers(daemon.address(), &request, 200, 1, Duration::from_nanos(1));
    began.elapsed().as_secs_f64()
}
