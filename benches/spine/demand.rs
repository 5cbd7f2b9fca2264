//! Runs by hand over HTTP: acknowledged is durable.
//!
//! The daemon is the real one. Its only place for tasks is taken by one that sleeps, so that all
//! others are claimed and wait: what is measured is the acknowledgement.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use futures::future::join_all;
use rustix::process::{Flock, FlockType, Signal, fcntl_getlk, kill_process};
use tekcron::clock::SystemClock;
use tekcron::store::{Commit, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::Scale;
use crate::daemon::Daemon;
use crate::durable::new_file;
use crate::http::{Client, request};
use crate::records::{self, Claim};
use crate::report::{Row, Unit};
use crate::sample::{median, ms, percentile};

const CLIENTS: usize = 64;
const BODY: &str = r#"{"command": "sh etl.sh --country FR"}"#;
/// Of the store's own rate, with one client.
const SHARE: f64 = 0.7;
/// A second, with [`CLIENTS`].
const MANY: f64 = 12_000.0;

pub(crate) fn run(scale: Scale) {
    let dir = TempDir::new().expect("a temporary directory");
    let config = dir.path().join("config");
    records::write_config(&config, 1, "\"sleep 600\"", |_| "0 0 1 7 *".to_owned());
    let (echo, echo_address) = echo();
    let store = Store::open(&dir.path().join("bound"), Arc::new(SystemClock::new())).expect("a new store");
    let mut raw_file = new_file(dir.path());
    let (mut rows, mut next_id) = (vec![vec![]; 7], 1);
    let length = Duration::from_millis(if scale.quick { 500 } else { 2_000 });
    for round in 0..scale.rounds {
        // One of its own a round: no daemon takes on all that is asked for here.
        let data = dir.path().join(format!("data{round}"));
        let daemon = Daemon::start(&config, &data, &[("TEKCRON_MAX_CHILDREN", "1")]);
        let sleeper = Sleeper::start(&daemon, &data);
        let mut latencies = post_runs(&daemon, 1, length);
        rows[0].push(latencies.len() as f64 / length.as_secs_f64());
        rows[6].push(percentile(&mut latencies, 99.0));
        rows[1].push(store_commits(&store, 1, length, &mut next_id));
        rows[2].push(appends(&mut raw_file, length));
        rows[3].push(post_runs(&daemon, CLIENTS, length).len() as f64 / length.as_secs_f64());
        rows[4].push(store_commits(&store, CLIENTS, length, &mut next_id));
        let bare = request("POST", "/", echo_address, "none", BODY);
        rows[5].push(answers(echo_address, &bare, 200, CLIENTS, length).len() as f64 / length.as_secs_f64());
        // In this order: it would begin to execute what waits.
        daemon.kill();
        sleeper.end();
    }
    drop(echo);
    let medians: Vec<f64> = rows.iter_mut().map(|samples| median(samples)).collect();
    let row = |what: &str, result, bound, target| {
        Row { what: &format!("on demand, {what}"), unit: Unit::PerSecond, result, bound, target }.print();
    };
    row("1 client", medians[0], Some(("store, same rows", medians[1])), Some(SHARE * medians[1]));
    row("1 writer of the store", medians[1], Some(("append and fdatasync", medians[2])), None);
    row("64 clients", medians[3], Some(("store, same rows", medians[4])), Some(MANY));
    row("64 clients, again", medians[3], Some(("axum echo", medians[5])), None);
    Row { what: "on demand, 1 client, p99", unit: Unit::Ms, result: medians[6], bound: None, target: None }
        .print();
}

/// Milliseconds of each acknowledged run that `clients` asked for within `length`.
pub(crate) fn post_runs(daemon: &Daemon, clients: usize, length: Duration) -> Vec<f64> {
    let address = daemon.address();
    let path = format!("/v1/apps/{}/tasks", records::app(0));
    let request = request("POST", &path, address, &daemon.token(), BODY);
    answers(address, &request, 201, clients, length)
}

/// Milliseconds of each answer that `clients` got within `length`.
pub(crate) fn answers(
    address: SocketAddr,
    request: &[u8],
    expected: u16,
    clients: usize,
    length: Duration,
) -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asked = runtime.block_on(join_all((0..clients).map(|_| async {
        let mut client = Client::connect(address).await.expect("somebody listens");
        let (mut took, until) = (Vec::new(), Instant::now() + length);
        loop {
            let began = Instant::now();
            let (status, body) = client.send(request).await.expect("it answers");
            assert_eq!(status, expected, "{}", String::from_utf8_lossy(body));
            took.push(ms(began.elapsed()));
            if Instant::now() >= until {
                return took;
            }
        }
    })));
    asked.concat()
}

/// The bound: commits of the same rows a second, `writers` at a time.
pub(crate) fn store_commits(store: &Store, writers: usize, length: Duration, next_id: &mut u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let next = std::cell::Cell::new(*next_id);
    let written = runtime.block_on(join_all((0..writers).map(|_| async {
        let (mut written, until) = (0, Instant::now() + length);
        while Instant::now() < until {
            let id = next.replace(next.get() + 1);
            let mut commit = Commit::new();
            commit.create_task(&Claim::new(0, 0, id).task);
            store.commit(commit).await.expect("the store writes");
            written += 1;
        }
        written
    })));
    *next_id = next.get();
    written.into_iter().sum::<u32>() as f64 / length.as_secs_f64()
}

/// The bound of the bound: as many bytes at the end of a file, and a sync, one after the other.
fn appends(file: &mut fs::File, length: Duration) -> f64 {
    let bytes = vec![7; Claim::new(0, 0, 1).size()];
    let (mut written, until) = (0, Instant::now() + length);
    while Instant::now() < until {
        file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the file is ours");
        written += 1;
    }
    f64::from(written) / length.as_secs_f64()
}

/// The other bound: a server that does nothing.
fn echo() -> (Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let router = Router::new().route("/", post(|body: String| async { body }));
    runtime.spawn(async move { axum::serve(listener, router).await });
    (runtime, address)
}

/// The task that takes the only place.
pub(crate) struct Sleeper {
    dir: std::path::PathBuf,
}

impl Sleeper {
    /// Starts it and waits until it runs.
    pub(crate) fn start(daemon: &Daemon, data: &Path) -> Self {
        let path = format!("/v1/apps/{}/tasks", records::app(0));
        let request =
            request("POST", &path, daemon.address(), &daemon.token(), r#"{"command": "sleep 600"}"#);
        answers(daemon.address(), &request, 201, 1, Duration::from_nanos(1));
        loop {
            let tasks = fs::read_dir(data.join("tasks")).expect("the daemon is ready").filter_map(Result::ok);
            let records = tasks.map(|task| task.path().join("record"));
            let started = records.filter(|record| {
                // A slot's task may have had the place before.
                fs::read_to_string(record)
                    .is_ok_and(|record| record.contains("sleep 600") && record.contains("\n{\"started\":"))
            });
            let started = started.filter_map(|record| record.parent().map(Path::to_owned)).next();
            if let Some(dir) = started {
                return Self { dir };
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as the daemon would.
    pub(crate) fn end(self) {
        let asked = fs::write(self.dir.join("terminate"), "");
        let record = fs::File::open(self.dir.join("record"));
        let told = record.and_then(|record| {
            let lock = fcntl_getlk(record, &Flock::from(FlockType::WriteLock))?;
            let shim = lock.and_then(|lock| lock.pid).ok_or(std::io::ErrorKind::NotFound)?;
            Ok(kill_process(shim, Signal::USR1)?)
        });
        asked.and(told).expect("its supervisor lives");
    }
}
