//! Pausing, resuming, and skipping the next slots of a job.

use std::time::Duration;

use serde_json::{Value, json};

use tekcron::config::Config;
use tempfile::TempDir;

use crate::sample;
use crate::world::World;

const JOB: &str = "/v1/jobs/backup.weekly";

#[tokio::test]
async fn a_paused_job_says_so_and_its_slots_are_listed_while_the_pause_goes_on() {
    let world = World::new();
    let next = world.get(JOB).await.json()["next"].clone();
    assert_eq!(next, "2026-01-04T03:00:00Z");
    let body = r#"{"by": "alice", "note": "moving", "until": "2026-01-12T00:00:00Z"}"#;
    let paused = world.post(&format!("{JOB}/pause"), body).await.json();
    assert_eq!((&paused["paused"]["by"], &paused["paused"]["note"]), (&json!("alice"), &json!("moving")));
    assert_eq!(
        (&paused["next"], &paused["schedules"][0]["next"]),
        (&json!("2026-01-18T03:00:00Z"), &paused["next"])
    );
    let slots = format!("{JOB}/slots");
    assert_eq!(world.get(&slots).await.json()["items"], json!([]));
    world.clock.advance(Duration::from_secs(11 * 86_400 + 3600));
    // Whether the pause has been written down by now or not, it is the same row.
    for order in ["oldest", "newest"] {
        let page = world.get(&format!("{slots}?order={order}&outcome=skipped")).await.json();
        let rows = page["items"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{page}");
        let row = &rows[0];
        assert_eq!(
            (&row["first"], &row["last"]),
            (&json!("2026-01-04T03:00:00Z"), &json!("2026-01-11T03:00:00Z"))
        );
        assert_eq!((&row["reason"], &row["slots"]), (&json!("paused"), &json!(2)));
    }
    assert_eq!(world.get(JOB).await.json()["paused"], Value::Null, "it has ended by itself");
    world.end().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_to_do() {
    let world = World::new();
    let post = async |verb: &str, body: &str| world.post(&format!("{JOB}/{verb}"), body).await;
    post("resume", "").await.expect(409, "not-paused", "not paused", "tekcron job");
    post("pause", r#"{"until": "2025-01-01T00:00:00Z"}"#).await.expect(
        400,
        "bad-request",
        "after now",
        "leave it out",
    );
    post("pause", r#"{"until": "soon"}"#).await.expect(400, "bad-request", "`until`: expected a time", "");
    post("pause", r#"{"note": "a\nb"}"#).await.expect(400, "bad-request", "`note`: expected a line", "");
    post("skip-next", r#"{"count": 0}"#).await.expect(
        400,
        "bad-request",
        "expected 1 to 1000",
        "tekcron pause",
    );
    post("resume", r#"{"catch_up": "last"}"#).await.expect(
        400,
        "bad-request",
        "`catch_up`: expected one of",
        "",
    );
    let by_hand = world.post("/v1/jobs/etl.nightly/skip-next", "").await;
    by_hand.expect(409, "no-schedule", "has no schedule", "tekcron run-job");
    assert_eq!(world.get(JOB).await.json()["paused"], Value::Null);
    post("pause", "").await;
    post("skip-next", "").await.expect(409, "paused", "is paused", "tekcron resume");
    assert_eq!(world.get(JOB).await.json()["skip_next"], 0);
    world.end().await;
}

#[tokio::test]
async fn skipped_ahead_a_job_says_how_many_and_what_comes_after_them() {
    let world = World::new();
    let skipping = world.post(&format!("{JOB}/skip-next"), r#"{"count": 2}"#).await.json();
    assert_eq!((&skipping["skip_next"], &skipping["next"]), (&json!(2), &json!("2026-01-18T03:00:00Z")));
    let listed = world.get("/v1/jobs?app=backup").await.json();
    assert!(listed["items"].as_array().unwrap().contains(&skipping), "{listed}");
    world.end().await;
}

#[tokio::test]
async fn what_a_calendar_excludes_is_not_next_and_in_a_pause_it_is_paused_before_and_after_its_end() {
    let off = "[calendars.off]\ndates = [\"2026-01-04\", \"2026-01-18\"]";
    let app = "[app]\nname = \"backup\"\ncommand = \"true\"\n[[jobs]]\nname = \"weekly\"\n\
               schedule = \"0 3 * * SUN\"\nexclude = [\"off\"]";
    let dir = TempDir::new().unwrap();
    let apps = Config::from_toml(off, &[app]).unwrap().apps;
    let config = Config { apps, ..sample::config(dir.path()) };
    let world = World::with_config(dir, config);
    assert_eq!(world.get(JOB).await.json()["next"], "2026-01-11T03:00:00Z");
    let skipping = world.post(&format!("{JOB}/skip-next"), "").await.json();
    assert_eq!(skipping["next"], "2026-01-25T03:00:00Z");
    assert_eq!(skipping["schedules"][0]["next"], skipping["next"]);
    let until = r#"{"until": "2026-01-18T00:00:00Z"}"#;
    let paused = world.post(&format!("{JOB}/pause"), until).await.json();
    assert_eq!(paused["paused"]["until"], "2026-01-18T00:00:00Z");

    // No wheel turns while the clock only steps: the pause is reckoned, and then written down.
    world.clock.step(jiff::SignedDuration::from_hours(9 * 24));
    let slots = format!("{JOB}/slots");
    let reckoned = world.get(&slots).await.json()["items"].clone();
    let row = &reckoned.as_array().unwrap()[0];
    assert_eq!(
        (&row["first"], &row["last"]),
        (&json!("2026-01-04T03:00:00Z"), &json!("2026-01-04T03:00:00Z"))
    );
    assert_eq!(row["reason"], "paused");
    let resumed = world.post(&format!("{JOB}/resume"), "").await;
    assert_eq!(resumed.json()["job"]["paused"], Value::Null);
    assert_eq!(world.get(&slots).await.json()["items"], reckoned);
    world.end().await;
}

#[tokio::test]
async fn a_paused_job_that_gets_a_schedule_by_command_is_shown_as_paused() {
    let world = World::new();
    assert_eq!(world.post("/v1/apps/etl/jobs", r#"{"name": "made", "command": "true"}"#).await.status, 201);
    assert_eq!(world.post("/v1/jobs/etl.made/pause", "").await.status, 200);
    let scheduled = world.post("/v1/jobs/etl.made/schedules", r#"{"cron": "0 2 * * *"}"#).await;
    assert_eq!(scheduled.status, 201, "{scheduled:?}");
    let job = scheduled.json();
    assert!(job["paused"].is_object() && job["next"].is_null(), "{job}");
    world.end().await;
}

#[tokio::test]
async fn the_slots_of_a_pause_are_listed_for_a_schedule_with_bounds_too() {
    let world = World::new();
    let job = r#"{"name": "made", "command": "true", "schedule": "0 3 * * SUN", "until": "2027-01-01"}"#;
    assert_eq!(world.post("/v1/apps/etl/jobs", job).await.status, 201);
    assert_eq!(world.post("/v1/jobs/etl.made/pause", "").await.status, 200);
    world.clock.advance(Duration::from_secs(8 * 86_400));
    let rows = world.get("/v1/jobs/etl.made/slots").await.json()["items"].clone();
    assert_eq!(rows[0]["reason"], "paused", "{rows}");
    world.end().await;
}
