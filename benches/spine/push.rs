//! A push of 10,000 files, 200 MB: a new source, an unchanged one, and one of which a file has changed.
//!
//! By the command line, from its start to a revision that tasks can run on. What limits it, in the same run: as many bytes
//! hashed, written as one file that is synced, and written as as many files.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::Scale;
use crate::daemon::{BINARY, Daemon};
use crate::report::{Row, Unit};
use crate::sample::median;

const FILES: usize = 10_000;
const BYTES: usize = 20_000;
/// Seconds of a push of what is there.
const UNCHANGED: f64 = 2.0;
/// MiB at most, here and there.
const MEMORY: f64 = 64.0;

pub(crate) fn run(scale: Scale) {
    let files = if scale.quick { FILES / 10 } else { FILES };
    let dir = TempDir::new().expect("a temporary directory");
    let (config, data) = (dir.path().join("config"), dir.path().join("data"));
    fs::create_dir_all(&config).expect("the directory is ours");
    fs::write(config.join("tekcron.toml"), "").expect("the directory is ours");
    let daemon = Daemon::start(&config, &data, &[]);
    let idle = peak(daemon.pid()).expect("the daemon serves");
    let (mut first, mut unchanged, mut changed, mut bounds) = (vec![], vec![], vec![], vec![]);
    let mut client = 0.0_f64;
    for round in 0..scale.rounds.min(5) {
        let (tree, app) = (dir.path().join(format!("tree-{round}")), format!("app-{round}"));
        let all: Vec<u8> = (0..files).flat_map(|file| content(file, round)).collect();
        let hashed = timed(|| {
            std::hint::black_box(Sha256::digest(&all));
        });
        let written = timed(|| write(&dir.path().join("bound"), &all));
        let made = timed(|| make(&tree, files, round));
        bounds.push(hashed + written + made);
        let mut push = |samples: &mut Vec<f64>| {
            let (seconds, mib) = push(&data, &tree, &app);
            samples.push(seconds);
            client = client.max(mib);
        };
        push(&mut first);
        push(&mut unchanged);
        write(&tree.join("00/0"), &content(0, usize::MAX));
        push(&mut changed);
        fs::remove_dir_all(&tree).expect("the directory is ours");
    }
    let bytes = files * BYTES / 1_000_000;
    let what = |which: &str| format!("push, {files} files, {bytes} MB, {which}");
    let bound = Some(("hash once, write once as a file and once as files", median(&mut bounds)));
    for (which, samples, bound, target) in [
        ("new", &mut first, bound, None),
        ("one file changed", &mut changed, bound, None),
        ("unchanged", &mut unchanged, None, Some(UNCHANGED)),
    ] {
        Row { what: &what(which), unit: Unit::Seconds, result: median(samples), bound, target }.print();
    }
    let largest = peak(daemon.pid()).expect("the daemon serves");
    for (which, result, bound) in [
        ("memory of the daemon at its largest", largest, Some(("idle", idle))),
        ("memory of the command line at its largest", client, None),
    ] {
        Row { what: &what(which), unit: Unit::Mib, result, bound, target: Some(MEMORY) }.print();
    }
}

/// Of no two files and rounds alike.
fn content(file: usize, round: usize) -> Vec<u8> {
    let mut state = [file, round].iter().fold(0x9e37_79b9_u64, |state, part| {
        (state ^ *part as u64).wrapping_mul(0x100_0000_01b3).rotate_left(29)
    });
    let mut content = vec![0; BYTES];
    for bytes in content.chunks_mut(8) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.copy_from_slice(&state.to_le_bytes()[..bytes.len()]);
    }
    content
}

fn make(tree: &Path, files: usize, round: usize) {
    for directory in 0..100 {
        fs::create_dir_all(tree.join(format!("{directory:02}"))).expect("the directory is ours");
    }
    for file in 0..files {
        let path = tree.join(format!("{:02}/{file}", file % 100));
        fs::write(path, content(file, round)).expect("the disk has room");
    }
}

/// Seconds until the program says that the revision is ready, and its MiB of memory at its largest.
fn push(data: &Path, tree: &Path, app: &str) -> (f64, f64) {
    let began = Instant::now();
    let mut client = Command::new(BINARY)
        .arg("--data-dir")
        .arg(data)
        .args(["push", app, "--task", "--no-manifest", "-c", "true", "-p"])
        .arg(tree)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary is there");
    let mut largest = 0.0_f64;
    // It only grows: the last look is near enough to the end.
    while client.try_wait().expect("it is ours").is_none() {
        largest = largest.max(peak(client.id()).unwrap_or_default());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let ended = client.wait().expect("it is ours");
    assert!(ended.success(), "{ended}");
    (began.elapsed().as_secs_f64(), largest)
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("the directory is ours");
    file.write_all(bytes).and_then(|()| file.sync_all()).expect("the disk has room");
}

fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// MiB of memory of a process, at its largest so far; nothing where it has ended.
fn peak(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("it is a number") / 1024.0)
}
