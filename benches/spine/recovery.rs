//! Starting over after SIGKILL on a long history: the store alone, sled alone, and the real daemon; where
//! the history was written in one life, and where a life has begun since.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::demand::post_runs;
use crate::history::{compaction, filled};
use crate::report::{Row, Unit};
use crate::sample::median;

const RECORDS: [usize; 2] = [50_000, 500_000];
/// Seconds to ready.
const READY: f64 = 2.0;

pub(crate) fn run(scale: Scale) {
    for size in RECORDS.into_iter().take(if scale.quick { 1 } else { 2 }) {
        let (dir, store) = filled(size);
        drop(store);
        let (config, data) = (dir.path().join("config"), dir.path().join("data"));
        one_life(size, &dir, &config, &data, scale);
        later(size, "killed later", &config, &data, scale);
        compaction(&format!("recovery, {size} records"), size, &data);
        later(size, "killed after a compaction", &config, &data, scale);
    }
}

/// Everything was written since sled was opened last, so that all of its log is read.
fn one_life(size: usize, dir: &TempDir, config: &Path, data: &Path, scale: Scale) {
    let (mut ready, mut sled) = (vec![], vec![]);
    for round in 0..scale.rounds.min(3) {
        for alone in [true, false] {
            let copy = dir.path().join(format!("copy-{round}-{alone}"));
            copy_dir(data, &copy);
            if alone {
                sled.push(sled_alone(&copy));
            } else {
                let daemon = Daemon::start(config, &copy, &[("TEKCRON_LOG", "info")]);
                ready.push(daemon.ready_after.as_secs_f64());
                daemon.kill();
                show_log(config);
            }
            std::fs::remove_dir_all(&copy).expect("it is ours");
        }
    }
    print(&format!("recovery, {size} records written in the life that was killed"), &mut ready, &mut sled);
}

/// Killed while it acknowledges, in a life that began with a long history.
fn later(size: usize, when: &str, config: &Path, data: &Path, scale: Scale) {
    let (mut ready, mut sled) = (vec![], vec![]);
    for _ in 0..scale.rounds {
        let daemon = Daemon::start(config, data, &[("TEKCRON_MAX_CHILDREN", "1"), ("TEKCRON_LOG", "info")]);
        post_runs(&daemon, 1, Duration::from_millis(200));
        daemon.kill();
        sled.push(sled_alone(data));
        let daemon = Daemon::start(config, data, &[("TEKCRON_MAX_CHILDREN", "1"), ("TEKCRON_LOG", "info")]);
        ready.push(daemon.ready_after.as_secs_f64());
        daemon.kill();
        show_log(config);
    }
    print(&format!("recovery, {size} records, {when}"), &mut ready, &mut sled);
}

fn print(what: &str, ready: &mut [f64], sled: &mut [f64]) {
    Row {
        what,
        unit: Unit::Seconds,
        result: median(ready),
        bound: Some(("sled opens and closes", median(sled))),
        target: Some(READY),
    }
    .print();
}

fn sled_alone(data: &Path) -> f64 {
    let began = Instant::now();
    let tree = sled::Config::new().path(data.join("store")).mode(sled::Mode::LowSpace).open();
    drop(tree.expect("it is sled's"));
    began.elapsed().as_secs_f64()
}

fn show_log(config: &Path) {
    let log = std::fs::read_to_string(config.with_extension("log")).unwrap_or_default();
    log.lines().filter(|line| line.contains("store")).for_each(|line| eprintln!("{line}"));
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the directory is ours");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("it has one").is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("there is room")),
        }
    }
}
