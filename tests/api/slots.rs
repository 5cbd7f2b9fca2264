//! The slot ledger of a job.

use jiff::Timestamp;
use serde_json::{Value, json};
use tekcron::schedule::ScheduleKey;
use tekcron::store::{Commit, SkipReason, SlotClaim, SlotOutcome, SlotRow};
use tekcron::task::TaskId;

use crate::world::World;

const SLOTS: &str = "/v1/jobs/etl.nightly/slots";

/// 4 January 1970, 03:00 in London.
const SUNDAY: i64 = 3 * 86_400 + 2 * 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn world() -> World {
    let world = World::new();
    let (a, b) = (ScheduleKey::hashed("a", "UTC", "vixie"), ScheduleKey::hashed("b", "UTC", "vixie"));
    let ran = |task| SlotOutcome::Ran { task: TaskId(task) };
    let skipped = SlotOutcome::Skipped { reason: SkipReason::Overlap { task: TaskId(1) } };
    let mut commit = Commit::new();
    for (schedule, first, last, outcome) in [
        (&a, 60, 60, ran(1)),
        (&b, 60, 60, skipped),
        (&a, 120, 300, SlotOutcome::Missed),
        (&b, 180, 180, SlotOutcome::CaughtUp { task: TaskId(2) }),
        (&a, 360, 360, ran(3)),
    ] {
        let row = SlotRow {
            schedule: schedule.clone(),
            first: at(first),
            last: at(last),
            outcome,
            claim: None,
            note: None,
        };
        commit.put_slot(&"etl.nightly".parse().unwrap(), &row);
    }
    world.store.commit(commit).await.unwrap();
    world
}

#[tokio::test]
async fn rows_of_all_schedules_come_oldest_first_in_words() {
    let world = world().await;
    let page = world.get(SLOTS).await.json();
    let rows = page["items"].as_array().unwrap();
    let firsts: Vec<_> = rows.iter().map(|row| row["first"].as_str().unwrap()).collect();
    assert!(firsts.is_sorted());
    let of = |first: &str, outcome: &str| {
        rows.iter().find(|row| row["first"] == first && row["outcome"] == outcome)
    };
    let skipped = of("1970-01-01T00:01:00Z", "skipped").unwrap();
    assert_eq!((&skipped["reason"], &skipped["task"]), (&json!("overlap with task 1"), &Value::Null));
    assert_eq!(of("1970-01-01T00:01:00Z", "ran").unwrap()["task"], 1);
    let missed = of("1970-01-01T00:02:00Z", "missed").unwrap();
    assert_eq!((&missed["last"], &missed["job"]), (&json!("1970-01-01T00:05:00Z"), &json!("etl.nightly")));
    assert_eq!(of("1970-01-01T00:03:00Z", "caught-up").unwrap()["task"], 2);
    world.end().await;
}

#[tokio::test]
async fn pages_hold_each_row_once_also_where_two_begin_alike() {
    let world = world().await;
    let whole = world.get(SLOTS).await.json()["items"].as_array().unwrap().clone();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{SLOTS}?limit=1{cursor}")).await.json();
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found.len(), 5);
    assert_eq!(found, whole);
    world.end().await;
}

#[tokio::test]
async fn the_newest_come_first_where_that_is_asked_for_page_by_page() {
    let world = world().await;
    let mut expected = world.get(SLOTS).await.json()["items"].as_array().unwrap().clone();
    expected.reverse();
    for limit in [1, 2, 5] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{SLOTS}?order=newest&limit={limit}{cursor}")).await.json();
            found.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expected, "{limit}");
    }
    let range = "from=1970-01-01T00:02:30Z&to=1970-01-01T00:03:00Z&order=newest";
    let page = world.get(&format!("{SLOTS}?{range}")).await.json();
    let outcomes: Vec<_> = page["items"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["caught-up", "missed"]);
    world.get(&format!("{SLOTS}?order=new")).await.expect(400, "bad-request", "`oldest`, `newest`", "");
    world.end().await;
}

#[tokio::test]
async fn rows_of_one_outcome_are_found_among_all_and_an_unknown_one_is_refused() {
    let world = world().await;
    for (outcome, count) in [("ran", 2), ("caught-up", 1), ("skipped", 1), ("missed", 1)] {
        for order in ["oldest", "newest"] {
            let page = world.get(&format!("{SLOTS}?outcome={outcome}&order={order}")).await.json();
            let rows = page["items"].as_array().unwrap();
            assert!(rows.iter().all(|row| row["outcome"] == outcome), "{page}");
            assert_eq!((rows.len(), &page["next"]), (count, &Value::Null), "{outcome}");
        }
    }
    let wrong = world.get(&format!("{SLOTS}?outcome=mised")).await;
    wrong.expect(400, "bad-request", "expected one of `ran`", "");
    world.end().await;
}

#[tokio::test]
async fn lateness_is_that_of_the_start_and_after_retention_that_of_the_claim() {
    let world = World::new();
    let key = world.service.config.load().job(&"backup.weekly".parse().unwrap()).unwrap().1.schedules[0]
        .key
        .clone();
    let task = |id, started| {
        let mut task = crate::sample::task("backup", id, world.now());
        task.job = Some("weekly".parse().unwrap());
        task.started = started;
        task
    };
    world.record(&[task(1, Some(at(93))), task(2, None)]).await;
    let mut commit = Commit::new();
    let claim = Some(SlotClaim { due: at(90), at: at(91) });
    for (first, last, outcome, claim) in [
        (60, 60, SlotOutcome::Ran { task: TaskId(1) }, claim),
        (61, 61, SlotOutcome::Ran { task: TaskId(2) }, claim),
        (62, 62, SlotOutcome::CaughtUp { task: TaskId(3) }, claim),
        (63, 63, SlotOutcome::Ran { task: TaskId(4) }, None),
        // Sundays.
        (SUNDAY, SUNDAY + 3 * 7 * 86_400, SlotOutcome::Missed, None),
    ] {
        let row =
            SlotRow { schedule: key.clone(), first: at(first), last: at(last), outcome, claim, note: None };
        commit.put_slot(&"backup.weekly".parse().unwrap(), &row);
    }
    world.store.commit(commit).await.unwrap();
    let page = world.get("/v1/jobs/backup.weekly/slots").await.json();
    let told = |index: usize| {
        let row = &page["items"][index];
        (row["actual"].as_str().map(str::to_owned), row["lateness_ms"].as_i64(), row["slots"].as_u64())
    };
    assert_eq!(told(0), (Some("1970-01-01T00:01:33Z".to_owned()), Some(3_000), Some(1)));
    assert_eq!(told(1), (None, None, Some(1)), "it has not started");
    assert_eq!(told(2), (Some("1970-01-01T00:01:31Z".to_owned()), Some(1_000), Some(1)));
    assert_eq!(told(3), (None, None, Some(1)), "a row of the first format");
    assert_eq!(told(4), (None, None, Some(4)));
    world.end().await;
}

#[tokio::test]
async fn only_rows_that_hold_a_time_of_the_range_come_and_a_cursor_keeps_to_it() {
    let world = world().await;
    let range = "from=1970-01-01T00:02:30Z&to=1970-01-01T00:03:00Z";
    let page = world.get(&format!("{SLOTS}?{range}&limit=1")).await.json();
    assert_eq!(page["items"][0]["outcome"], "missed");
    let cursor = page["next"].as_str().unwrap();
    let page = world.get(&format!("{SLOTS}?{range}&cursor={cursor}")).await.json();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &Value::Null));
    let other = world.get(&format!("{SLOTS}?cursor={cursor}")).await;
    other.expect(400, "bad-request", "another query", "");
    world.end().await;
}

#[tokio::test]
async fn times_beyond_all_that_there_are_bound_nothing() {
    let world = world().await;
    let rows = async |query: &str| {
        world.get(&format!("{SLOTS}?{query}")).await.json()["items"].as_array().unwrap().len()
    };
    assert_eq!(rows("from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z").await, 5);
    assert_eq!(rows("from=9999-12-31T23:59:59Z").await, 0);
    assert_eq!(rows("to=-009999-01-01T00:00:00Z").await, 0);
    let wrong = ["9999-12-31", "9999-12-31T23:59:59", "9999-13-01T00:00:00Z", "10000-01-01T00:00:00Z"];
    for wrong in wrong {
        let answer = world.get(&format!("{SLOTS}?to={wrong}")).await;
        answer.expect(400, "bad-request", "`to`: expected a time", "");
    }
    world.end().await;
}
