//! The slot ledger of a job.

use jiff::Timestamp;
use serde_json::{Value, json};
use tekcron::schedule::ScheduleKey;
use tekcron::store::{Commit, SkipReason, SlotOutcome, SlotRow};
use tekcron::task::TaskId;

use crate::world::World;

const SLOTS: &str = "/v1/jobs/etl.nightly/slots";

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
        let row = SlotRow { schedule: schedule.clone(), first: at(first), last: at(last), outcome };
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
