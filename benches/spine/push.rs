//! A push of 10,000 files, 200 MB: a new source, an unchanged one, and one of which a file has changed.
//!
//! The daemon's side, over loopback, from the question whether a source is there to a revision that tasks can run on. What limits it is the
//! hash of as many bytes, and a file of them that is synced, in the same run.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::report::{Row, Unit};
use crate::sample::median;

const FILES: usize = 10_000;
const BYTES: usize = 20_000;
/// Seconds of a push of what is there.
const UNCHANGED: f64 = 2.0;
/// MiB of the daemon at its largest.
const MEMORY: f64 = 64.0;

pub(crate) fn run(scale: Scale) {
    let files = if scale.quick { FILES / 10 } else { FILES };
    let dir = TempDir::new().expect("a temporary directory");
    let (config, data) = (dir.path().join("config"), dir.path().join("data"));
    fs::create_dir_all(&config).expect("the directory is ours");
    fs::write(config.join("tekcron.toml"), "").expect("the directory is ours");
    let daemon = Daemon::start(&config, &data, &[]);
    let idle = peak(&daemon);
    let (mut first, mut unchanged, mut changed) = (vec![], vec![], vec![]);
    let (mut hashed, mut written) = (vec![], vec![]);
    for round in 0..scale.rounds.min(5) {
        let (tar, other) = (source(files, round, 0), source(files, round, 1));
        let app = format!("app-{round}");
        hashed.push(timed(|| {
            std::hint::black_box(Sha256::digest(&tar));
        }));
        written.push(timed(|| write(&dir.path().join("bound"), &tar)));
        first.push(push(&daemon, &app, &tar));
        unchanged.push(push(&daemon, &app, &tar));
        changed.push(push(&daemon, &app, &other));
    }
    let bound = median(&mut hashed) + 2.0 * median(&mut written);
    let bytes = files * BYTES / 1_000_000;
    let what = |which: &str| format!("push, daemon's side, {files} files, {bytes} MB, {which}");
    // Received and unpacked: the bytes are written twice, and hashed in between.
    let bound = Some(("hash once, write and sync twice", bound));
    for (which, samples, bound, target) in [
        ("new", &mut first, bound, None),
        ("unchanged", &mut unchanged, None, Some(UNCHANGED)),
        ("one file changed", &mut changed, bound, None),
    ] {
        Row { what: &what(which), unit: Unit::Seconds, result: median(samples), bound, target }.print();
    }
    let bound = Some(("idle", idle));
    let what = what("memory at its largest");
    Row { what: &what, unit: Unit::Mib, result: peak(&daemon), bound, target: Some(MEMORY) }.print();
}

/// Files of which no two rounds have one alike.
fn source(files: usize, round: usize, change: usize) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::with_capacity(files * (BYTES + 1024)));
    let mut content = vec![0; BYTES];
    for file in 0..files {
        let seed = [file, round, if file == 0 { change } else { 0 }];
        let mut state = seed
            .iter()
            .fold(0x9e37_79b9_u64, |state, part| (state ^ *part as u64).wrapping_mul(0x100_0000_01b3));
        for bytes in content.chunks_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bytes.copy_from_slice(&state.to_le_bytes()[..bytes.len()]);
        }
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(BYTES as u64);
        tar.append_data(&mut header, format!("src/{:02}/{file}", file % 100), &content[..])
            .expect("it is memory");
    }
    tar.into_inner().expect("it is memory")
}

/// Seconds until a revision of a source is ready.
fn push(daemon: &Daemon, app: &str, tar: &[u8]) -> f64 {
    // The client hashes, too, but that is not measured here.
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(tar));
    timed(|| {
        let path = format!("/v1/sources/{hash}");
        if ask(daemon, "GET", &path, b"")["complete"] != true {
            let answer = ask(daemon, "PUT", &path, tar);
            assert_eq!(answer["complete"], true, "{answer}");
        }
        let body = format!(r#"{{"source": "{hash}", "app": {{"command": "true"}}}}"#);
        let made = ask(daemon, "POST", &format!("/v1/apps/{app}/push"), body.as_bytes());
        let path = format!("/v1/apps/{app}/revisions/{}?wait=60", made["number"]);
        let made = ask(daemon, "GET", &path, b"");
        assert_eq!(made["state"], "ready", "{made}");
    })
}

fn ask(daemon: &Daemon, method: &str, path: &str, body: &[u8]) -> Value {
    let mut stream = TcpStream::connect(daemon.address()).expect("the daemon serves");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        daemon.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("the daemon serves");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the daemon answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("it is an answer");
    serde_json::from_str(body).expect("it is JSON")
}

fn write(path: &std::path::Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("the directory is ours");
    file.write_all(bytes).and_then(|()| file.sync_all()).expect("the disk has room");
}

fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// MiB of memory of the daemon, at its largest so far.
fn peak(daemon: &Daemon) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("the daemon serves");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("it is a number") / 1024.0
}
