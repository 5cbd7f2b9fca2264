//! More of everything than is taken on: runs, slow clients, half-open connections, large bodies, followers.
//!
//! The one place for tasks is taken by one that sleeps, so that every other is claimed and waits: what is
//! seen is the service, and not ten thousand processes.

mod followers;
mod room;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use rustix::process::{Resource, getrlimit};
use serde_json::Value;
use tekcron::clock::SystemClock;
use tekcron::job::JobRef;
use tekcron::store::{SlotOutcome, Store};
use tekcron::task::{TaskId, Trigger};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::harness::{Daemon, Place, text};

/// What the daemon may have: a quarter of them are connections.
const DESCRIPTORS: usize = 2048;
const CONNECTIONS: usize = DESCRIPTORS / 4;

const RUNS: usize = 10_000;

/// The most memory that it may ever take, in KiB: of this 64 MiB are for bodies and 128 MiB for tasks.
const MOST_MEMORY: usize = 400 << 10;

const APP: &str = r#"
[app]
name = "work"
command = "true"

[[jobs]]
name = "one"
schedule = "* * * * * *"

[[jobs]]
name = "two"
schedule = "* * * * * *"

[[jobs]]
name = "three"
schedule = "* * * * * *"
"#;

struct Overloaded {
    place: Place,
    daemon: Daemon,
    address: SocketAddr,
    token: String,
    runtime: Runtime,
    /// The id of the task that sleeps.
    sleeper: String,
}

/// What was answered.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Overloaded {
    /// A daemon that may have so many `descriptors`.
    fn new(descriptors: usize) -> Self {
        let place = Place::with(&[("work", APP)]);
        let serve = place.command(&["--config", "config", "serve", "--listen", "127.0.0.1:0"]);
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--nofile={descriptors}:{descriptors}")).arg(serve.get_program());
        limited.args(serve.get_args()).current_dir(place.path()).env("TEKCRON_MAX_CHILDREN", "1");
        let log = fs::File::create(place.path().join("log")).unwrap();
        let daemon = Daemon::started(limited.stderr(log));
        assert!(daemon.line().is_some(), "{}", place.log());
        let sleeper = place.json(&["run-task", "work", "-c", "sleep 600"]);
        let sleeper = sleeper.as_array().map_or(&sleeper, |tasks| &tasks[0])["id"].to_string();
        let read = |name: &str| fs::read_to_string(place.path().join("data").join(name)).unwrap();
        let address = read("address").trim().trim_start_matches("http://").parse().unwrap();
        let token = read("token").trim().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { place, daemon, address, token, runtime, sleeper }
    }

    fn request(&self, line: &str, body: &str) -> Vec<u8> {
        let (token, length) = (&self.token, body.len());
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    /// What `GET path` answers, which must be an answer.
    fn get(&self, path: &str) -> Value {
        let answer = self.runtime.block_on(ask(self.address, &self.request(&format!("GET {path}"), "")));
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The newest slot of a job that has a task.
    fn newest_slot(&self) -> String {
        let task = &self.get("/v1/jobs/work.one/tasks?limit=1")["items"][0];
        task["scheduled"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns when a slot has been claimed that was not yet due when this was called, or only just.
    fn next_slot(&self) {
        let before = self.newest_slot();
        self.place.until("another slot", || (self.newest_slot() > before).then_some(()));
    }

    /// The most memory that the daemon has had so far, in KiB.
    fn memory(&self) -> usize {
        let pid = self.daemon.pid().as_raw_pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Ends it as no machine would warn of, and looks into what is on disk.
    fn store(self) -> (Place, Store) {
        let Self { place, daemon, sleeper, .. } = self;
        // Else it would sleep on.
        place.ok(&["terminate-task", "work", &sleeper]);
        place.until("the end of the one that sleeps", || {
            let task = place.json(&["task", "work", &sleeper]);
            let task = task.as_array().map_or(&task, |tasks| &tasks[0]);
            (task["phase"] == "cancelled").then_some(())
        });
        daemon.kill();
        let store = Store::open(&place.path().join("data"), Arc::new(SystemClock::new())).unwrap();
        (place, store)
    }
}

/// Sends `request` on a connection of its own; none where it was not even answered.
async fn ask(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    // Who has been refused already need not take all of it.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Answer::of(&bytes)
}

impl Answer {
    fn of(bytes: &[u8]) -> Option<Self> {
        let answer = text(bytes);
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_lowercase(), body: body.to_owned() })
    }

    /// Whether this is a refusal that says what to do.
    fn is_polite(&self) -> bool {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let comes_back = matches!(self.status, 429 | 503) && self.head.contains("\r\nretry-after: ");
        comes_back && body["error"]["code"].is_string() && body["error"]["hint"].is_string()
    }
}

/// Slots from their due time to their claim, in milliseconds, in order.
fn lateness(store: &Store) -> Vec<i64> {
    let app = "work".parse().unwrap();
    let tasks = store.tasks(&app, None).map(Result::unwrap);
    let scheduled = tasks.filter(|task| task.trigger == Trigger::Schedule);
    let mut late: Vec<_> = scheduled
        .map(|task| (task.created.as_microsecond() - task.scheduled.unwrap().as_microsecond()) / 1000)
        .collect();
    late.sort_unstable();
    late
}

/// Every slot of every schedule from the first on has its row, and ran.
fn all_slots_ran(store: &Store) -> usize {
    let mut slots = 0;
    for job in ["one", "two", "three"] {
        let job = JobRef::new("work".parse().unwrap(), job.parse().unwrap());
        let key = store.slot_schedules(&job).unwrap().remove(0);
        let rows = store.slots(&job, Some(&key), Timestamp::MIN..=Timestamp::MAX).unwrap();
        for (before, row) in rows.iter().zip(&rows[1..]) {
            assert_eq!(row.first.as_second() - before.last.as_second(), 1, "{job}: a slot has no row");
        }
        for row in &rows {
            assert!(matches!(row.outcome, SlotOutcome::Ran { .. }), "{job}: {row:?}");
        }
        slots += rows.len();
    }
    slots
}

#[test]
fn under_more_than_it_takes_on_nothing_acknowledged_is_lost_and_every_slot_runs() {
    let world = Overloaded::new(DESCRIPTORS);
    let address = world.address;
    let run = world.request("POST /v1/apps/work/tasks", r#"{"command": "true"}"#);
    let large = world.request("POST /v1/apps/work/tasks", &"x".repeat(10 << 20));
    let follow = world.request(&format!("GET /v1/apps/work/tasks/{}/logs?follow=true", world.sleeper), "");
    let list = world.request("GET /v1/tasks?limit=1000", "");
    let before = world.memory();
    let (acknowledged, refused) = world.runtime.block_on(async {
        // Held from here on: some that never say what they want, some that never take what they asked for.
        let mut held = Vec::new();
        for number in 0..CONNECTIONS / 2 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let begun: &[u8] = if number % 2 == 0 { b"GET /v1/tasks HTT" } else { &list };
            stream.write_all(begun).await.unwrap();
            held.push(stream);
        }
        let runs = stream::iter(0..RUNS).map(|_| ask(address, &run)).buffer_unordered(CONNECTIONS * 2);
        let bodies = stream::iter(0..64).map(|_| ask(address, &large)).buffer_unordered(16);
        let (runs, bodies): (Vec<_>, Vec<_>) = futures::join!(runs.collect(), bodies.collect());
        for answer in bodies.into_iter().flatten() {
            assert!(answer.status == 413 || answer.is_polite(), "{}\n{}", answer.head, answer.body);
        }
        let mut acknowledged = BTreeSet::new();
        let mut refused = 0;
        for answer in runs.into_iter().flatten() {
            if answer.status == 201 {
                let task: Value = serde_json::from_str(&answer.body).unwrap();
                acknowledged.insert(TaskId(task["id"].as_u64().unwrap()));
            } else {
                assert!(answer.is_polite(), "{}\n{}", answer.head, answer.body);
                refused += 1;
            }
        }
        (acknowledged, refused)
    });
    // As many followers as this machine lets one process have, which is not a hundred thousand.
    let may = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let followers = usize::try_from(may / 4).unwrap_or(usize::MAX).min(4 * CONNECTIONS);
    let (following, turned_away) = world.runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..followers {
            // The system's queue is full: who comes now is not let in.
            let connected =
                tokio::time::timeout(std::time::Duration::from_secs(5), TcpStream::connect(address));
            let Ok(Ok(mut stream)) = connected.await else { break };
            let _ = stream.write_all(&follow).await;
            streams.push(stream);
        }
        // Its end is the end of all that follow.
        let live = ask(address, &world.request("GET /livez", "")).await.unwrap();
        assert_eq!((live.status, live.body.as_str()), (200, "ok\n"));
        let mut counts = (0, 0);
        // Nobody leaves before all are counted: a place that is left is taken by the next.
        for stream in &mut streams {
            let mut head = [0; 12];
            if stream.read_exact(&mut head).await.is_ok() {
                match &head[9..] {
                    b"200" => counts.0 += 1,
                    b"503" => counts.1 += 1,
                    other => panic!("{}", text(other)),
                }
            }
        }
        counts
    });
    let memory = world.memory();
    assert!(memory < MOST_MEMORY, "{memory} KiB");
    assert!(following > 0 && following <= CONNECTIONS / 2, "{following} of {followers} follow");
    assert!(turned_away > 0, "{following} of {followers} follow, and nobody else was answered");
    let (_place, store) = world.store();
    let found: BTreeSet<_> =
        store.tasks(&"work".parse().unwrap(), None).map(|task| task.unwrap().id).collect();
    assert!(acknowledged.is_subset(&found), "lost: {:?}", acknowledged.difference(&found));
    assert!(!acknowledged.is_empty());
    let slots = all_slots_ran(&store);
    let late = lateness(&store);
    println!(
        "{} runs acknowledged, {refused} refused, {following} of {followers} followers let in (this process may \
         have {may} descriptors), {turned_away} told to come back; memory {} -> {} MiB; {slots} slots, late by \
         {} ms (median), {} ms (p99), {} ms (most)",
        acknowledged.len(),
        before >> 10,
        memory >> 10,
        late[late.len() / 2],
        late[late.len() * 99 / 100],
        late[late.len() - 1],
    );
}
