//! A deep ledger: the newest slots of one job among those of many, at the API.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tekcron::clock::SystemClock;
use tekcron::job::JobRef;
use tekcron::schedule::ScheduleKey;
use tekcron::store::{Commit, SlotClaim, SlotOutcome, SlotRow, Store};
use tekcron::task::TaskId;
use tempfile::TempDir;

use crate::Scale;
use crate::daemon::Daemon;
use crate::demand::answers;
use crate::durable::commit_all;
use crate::http::{Client, request};
use crate::records::{self, Claim, app};
use crate::report::{Row, Unit};
use crate::sample::{median, ms, percentile};

/// Rows of all jobs together.
const ROWS: [u64; 2] = [1_000_000, 10_000_000];
const JOBS: u64 = 100;
/// Tasks of the App that are still on record, as many as retention keeps.
const KEPT: u64 = 500;
const PAGE: usize = 1000;
/// Milliseconds at the API.
const TARGET: f64 = 10.0;
const ROWS_PER_COMMIT: u64 = 2_000;

pub(crate) fn run(scale: Scale) {
    for rows in ROWS.into_iter().take(if scale.quick { 1 } else { 2 }) {
        let dir = TempDir::new().expect("a temporary directory");
        let (config, data) = (dir.path().join("config"), dir.path().join("data"));
        records::write_config(&config, JOBS as usize, "\"true\"", |_| "0 0 1 7 *".to_owned());
        let mut reads = fill(&data, rows);
        let daemon = Daemon::start(&config, &data, &[("TEKCRON_KEEP_SLOTS", "36500d")]);
        assert_eq!(rows_answered(&daemon), PAGE, "retention took rows, or the API does not know them");
        let length = Duration::from_secs(if scale.quick { 1 } else { 3 });
        let mut rounds: Vec<Vec<f64>> = (0..scale.rounds as u64)
            .map(|round| answers(daemon.address(), &newest(&daemon, 7 * round % JOBS), 200, 1, length))
            .collect();
        daemon.kill();
        for percent in [50.0, 99.0] {
            let mut of_rounds: Vec<f64> = rounds.iter_mut().map(|round| percentile(round, percent)).collect();
            Row {
                what: &format!("ledger, {rows} rows of {JOBS} jobs, newest {PAGE} of one, p{percent:.0}"),
                unit: Unit::Ms,
                result: median(&mut of_rounds),
                bound: Some(("the store, in process", percentile(&mut reads, percent))),
                target: Some(TARGET),
            }
            .print();
        }
    }
}

/// The request that is measured.
fn newest(daemon: &Daemon, number: u64) -> Vec<u8> {
    let path = format!("/v1/jobs/{}/slots?order=newest&limit={PAGE}", job(number));
    request("GET", &path, daemon.address(), &daemon.token(), "")
}

fn rows_answered(daemon: &Daemon) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut client = Client::connect(daemon.address()).await.expect("the daemon listens");
        let (_, body) = client.send(&newest(daemon, 0)).await.expect("the daemon answers");
        let page: serde_json::Value = serde_json::from_slice(body).expect("the answer is JSON");
        page["items"].as_array().map_or(0, Vec::len)
    })
}

fn job(number: u64) -> JobRef {
    format!("{}.job-{number:03}", app(0)).parse().expect("it is a job")
}

/// Fills a store, and gives the milliseconds of reading a page of rows in this process.
fn fill(data: &Path, rows: u64) -> Vec<f64> {
    let store = Store::open(data, Arc::new(SystemClock::new())).expect("a new store");
    let (each, schedule) = (rows / JOBS, ScheduleKey::hashed("* * * * *", "UTC", "vixie"));
    let mut id = 0;
    for number in 0..JOBS {
        let job = job(number);
        for begin in (0..each).step_by(ROWS_PER_COMMIT as usize) {
            let mut commit = Commit::new();
            for index in begin..each.min(begin + ROWS_PER_COMMIT) {
                id += 1;
                let at = Timestamp::from_second(1_700_000_000 + 60 * index as i64).expect("it is a time");
                let claim = Some(SlotClaim { due: at, at: at + SignedDuration::from_millis(3) });
                let outcome = SlotOutcome::Ran { task: TaskId(id) };
                let row =
                    SlotRow { schedule: schedule.clone(), first: at, last: at, outcome, claim, note: None };
                commit.put_slot(&job, &row);
            }
            store.commit_later(commit);
        }
    }
    let mut commit = Commit::new();
    (id - KEPT..id).for_each(|id| {
        let claim = Claim::new(0, 0, id + 1).ended();
        commit.create_task(&claim.task);
    });
    commit_all(&store, vec![commit]);
    let read = |number: u64| {
        let began = Instant::now();
        let newest = store.slots_of(&job(number), &schedule, Timestamp::MIN..=Timestamp::MAX).rev();
        assert_eq!(newest.take(PAGE).filter_map(Result::ok).count(), PAGE);
        ms(began.elapsed())
    };
    (0..300).map(|number| read(number * 7 % JOBS)).collect()
}
