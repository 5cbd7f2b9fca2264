//! Slots under overload, beside the same daemon without.
//!
//! Twenty schedules are due each second. Clients ask for more runs than are taken on, others hold half of
//! all connections and take no answer. The only place for tasks is taken, as in [`crate::demand`]: what is
//! measured is when a slot is claimed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use tekcron::clock::SystemClock;
use tekcron::store::Store;
use tekcron::task::Trigger;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::Scale;
use crate::daemon::Daemon;
use crate::demand::Sleeper;
use crate::http::{Client, request};
use crate::records;
use crate::report::{Row, Unit};
use crate::sample::percentile;

const SCHEDULES: usize = 20;
const ASKING: usize = 200;
const HOLDING: usize = 500;
/// Of a slot under overload.
const P99: f64 = 50.0;

pub(crate) fn run(scale: Scale) {
    let dir = TempDir::new().expect("a temporary directory");
    let (config, data) = (dir.path().join("config"), dir.path().join("data"));
    records::write_config(&config, SCHEDULES, "\"true\"", |_| "* * * * * *".to_owned());
    let daemon = Daemon::start(&config, &data, &[("TEKCRON_MAX_CHILDREN", "1")]);
    let sleeper = Sleeper::start(&daemon, &data);
    let length = Duration::from_secs(if scale.quick { 5 } else { 20 });
    let (mut calm, mut busy, mut counts) = (Vec::new(), Vec::new(), [0, 0]);
    for _ in 0..scale.rounds.min(3) {
        let began = Timestamp::now();
        std::thread::sleep(length);
        let middle = Timestamp::now();
        let [acknowledged, refused] = overload(&daemon, length);
        counts = [counts[0] + acknowledged, counts[1] + refused];
        calm.push((began, middle));
        busy.push((middle, Timestamp::now()));
    }
    // In this order: it would begin to execute what waits.
    daemon.kill();
    sleeper.end();
    let store = Store::open(&data, Arc::new(SystemClock::new())).expect("the daemon has ended");
    let (mut calm, mut busy) = (lateness(&store, &calm), lateness(&store, &busy));
    for (what, percent, target) in [("median", 50.0, None), ("p99", 99.0, Some(P99)), ("most", 100.0, None)] {
        let bound = Some(("without", percentile(&mut calm, percent)));
        let what = format!("lateness under overload, {what} of {} slots", busy.len());
        Row { what: &what, unit: Unit::Ms, result: percentile(&mut busy, percent), bound, target }.print();
    }
    let seconds = length.as_secs_f64() * scale.rounds.min(3) as f64;
    for (what, count) in [("acknowledged", counts[0]), ("refused", counts[1])] {
        let what = format!("overload, runs {what}");
        Row {
            what: &what,
            unit: Unit::PerSecond,
            result: f64::from(count) / seconds,
            bound: None,
            target: None,
        }
        .print();
    }
}

/// Milliseconds from each slot that was due in one of `times` to its claim.
pub(crate) fn lateness(store: &Store, times: &[(Timestamp, Timestamp)]) -> Vec<f64> {
    let within = |slot: Timestamp| times.iter().any(|(from, to)| *from <= slot && slot < *to);
    let tasks = store.tasks(&records::app(0), None).map(|task| task.expect("the store is whole"));
    tasks
        .filter(|task| task.trigger == Trigger::Schedule)
        .filter_map(|task| Some((task.scheduled.filter(|slot| within(*slot))?, task.created)))
        .map(|(slot, claimed)| claimed.duration_since(slot).as_secs_f64() * 1e3)
        .collect()
}

/// How many runs were acknowledged, and how many were not taken on.
fn overload(daemon: &Daemon, length: Duration) -> [u32; 2] {
    let (address, token) = (daemon.address(), daemon.token());
    let path = format!("/v1/apps/{}/tasks", records::app(0));
    let run = request("POST", &path, address, &token, r#"{"command": "true"}"#);
    let list = request("GET", "/v1/tasks?limit=1000", address, &token, "");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut held = Vec::new();
        for number in 0..HOLDING {
            if let Ok(mut stream) = TcpStream::connect(address).await {
                let begun = if number % 2 == 0 { &list[..] } else { &list[..20] };
                // One that was refused holds nothing.
                let _ = stream.write_all(begun).await;
                held.push(stream);
            }
        }
        let until = Instant::now() + length;
        let counts = join_all((0..ASKING).map(|_| ask_until(address, &run, until))).await;
        drop(held);
        counts.into_iter().fold([0, 0], |[a, b], [c, d]| [a + c, b + d])
    })
}

async fn ask_until(address: SocketAddr, run: &[u8], until: Instant) -> [u32; 2] {
    let mut counts = [0, 0];
    while Instant::now() < until {
        let Ok(mut client) = Client::connect(address).await else { continue };
        while let Ok((status, _)) = client.send(run).await {
            counts[usize::from(status != 201)] += 1;
            if status != 201 || Instant::now() >= until {
                break;
            }
        }
    }
    counts
}
