//! Why a job is due at a time, or is not, and what became of it.

use serde_json::{Value, json};
use tekcron::api::resources::TaskResource;
use tekcron::task::Phase;

use crate::fake::{Fake, Reply, Run};
use crate::offline::Home;
use crate::sample::task;

const ETL: &str = r#"
[app]
name = "etl"
command = "sh etl.sh"

[[jobs]]
name = "nightly"
schedules = [{ cron = "30 2 * * *", timezone = "Europe/Paris", id = "k5f2" }]

[[jobs]]
name = "odd"
schedules = [{ cron = "0 6 13 * FRI", id = "odd" }, { cron = "@monthly", jitter = "1h" }]

[[jobs]]
name = "refill"
"#;

const MAIL: &str = "[app]\nname = \"mail\"\ncommand = \"sh mail.sh\"\n[[jobs]]\nname = \"refill\"\n";

fn home() -> Home {
    Home::with(&[("etl", ETL), ("mail", MAIL)])
}

#[tokio::test]
async fn people_see_each_field_with_its_values_and_what_the_clock_shows() {
    insta::assert_snapshot!(home().run(&["explain", "etl.odd", "2026-12-11T06:00"]).await);
}

#[tokio::test]
async fn a_time_that_the_clocks_never_show_or_show_twice_is_explained() {
    let gap = home().run(&["explain", "nightly", "2026-03-29T02:30"]).await;
    insta::assert_snapshot!(gap);
    let twice = home().run(&["explain", "nightly", "2026-10-25T02:30", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&twice.out).unwrap();
    assert_eq!((&found[0]["due"], &found[0]["at"]), (&json!(true), &json!("2026-10-25T00:30:00Z")));
    assert!(
        found[0]["clocks"][0]
            .as_str()
            .unwrap()
            .contains("twice: at 2026-10-25T00:30:00Z, and again at 2026-10-25T01:30:00Z"),
        "{twice}"
    );
    let second = home().run(&["explain", "nightly", "2026-10-25T01:30:00Z", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&second.out).unwrap();
    assert_eq!(found[0]["due"], false);
    assert!(found[0]["clocks"][0].as_str().unwrap().contains("for the second time"), "{second}");
}

#[tokio::test]
async fn without_a_time_the_next_slot_is_explained_and_it_is_due() {
    let run = home().run(&["explain", "etl.odd", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2, "{run}");
    for one in found.as_array().unwrap() {
        assert_eq!((&one["due"], &one["ledger"]), (&json!(true), &Value::Null), "{one}");
        assert!(
            one["before"].as_str() < one["at"].as_str() && one["at"].as_str() < one["after"].as_str(),
            "{one}"
        );
    }
    assert!(found[1]["starts"].as_str() > found[1]["at"].as_str(), "{run}");
}

const SETTINGS: &str = "[calendars.holidays]\ndates = [\"2026-12-24..2026-12-26\"]\n";

const BOUND: &str = r#"
[app]
name = "etl"
command = "sh etl.sh"

[[jobs]]
name = "nightly"
schedules = [{ cron = "H H(0-5) * * *", id = "h", exclude = ["holidays"] }]

[[jobs]]
name = "instants"
schedules = [{ cron = "@every 6h", id = "every" }, { cron = "@at 2026-12-25T12:00:00Z", id = "at" }]

[[jobs]]
name = "season"
schedule = "0 2 * * *"
from = "2026-12-01"
until = "2026-12-24"
exclude = ["holidays"]
"#;

fn bound() -> Home {
    let home = Home::with(&[("etl", BOUND)]);
    std::fs::write(home.0.path().join("config/tekcron.toml"), SETTINGS).unwrap();
    home
}

#[tokio::test]
async fn a_value_by_the_jobs_name_is_shown_with_what_it_stands_for_and_a_calendar_by_its_name() {
    insta::assert_snapshot!(bound().run(&["explain", "nightly", "2026-12-25T02:48"]).await);
}

#[tokio::test]
async fn instants_are_explained_in_words() {
    insta::assert_snapshot!(bound().run(&["explain", "instants", "2026-12-25T12:00"]).await);
}

#[tokio::test]
async fn bounds_say_so_and_neighbours_are_those_that_run() {
    let explain = async |time: &str| -> Value {
        let run = bound().run(&["explain", "season", time, "-o", "json"]).await;
        let mut found: Value = serde_json::from_str(&run.out).unwrap();
        found[0].take()
    };
    let early = explain("2026-11-30T02:00").await;
    assert_eq!((&early["due"], &early["excluded_by"]), (&json!(false), &Value::Null), "{early}");
    assert_eq!(early["bounds"], "`from` is 2026-12-01T00:00:00Z: it is before that");
    assert_eq!((&early["before"], &early["after"]), (&Value::Null, &json!("2026-12-01T02:00:00Z")));
    let excluded = explain("2026-12-24T02:00").await;
    assert_eq!((&excluded["due"], &excluded["bounds"]), (&json!(false), &Value::Null), "{excluded}");
    assert_eq!((&excluded["excluded_by"], &excluded["starts"]), (&json!("holidays"), &Value::Null));
    assert_eq!((&excluded["before"], &excluded["after"]), (&json!("2026-12-23T02:00:00Z"), &Value::Null));
    let late = explain("2026-12-27T02:00").await;
    assert_eq!(late["bounds"], "`until` is 2026-12-24T23:59:59.999999999Z: it is after that");
}

#[tokio::test]
async fn without_a_time_an_excluded_slot_is_passed_over() {
    let home = Home::with(&[(
        "etl",
        "[app]\nname = \"etl\"\ncommand = \"date\"\n[[jobs]]\nname = \"all\"\nschedule = \"0 0 1 1,2 *\"\nexclude = [\"januaries\"]\n",
    )]);
    let settings = "[calendars.januaries]\ncron = [\"* * * 1 *\"]\n";
    std::fs::write(home.0.path().join("config/tekcron.toml"), settings).unwrap();
    let run = home.run(&["explain", "all", "-o", "json"]).await;
    let found: Value = serde_json::from_str(&run.out).unwrap();
    let at = found[0]["at"].as_str().unwrap();
    assert!(at.ends_with("-02-01T00:00:00Z") && found[0]["due"] == true, "{run}");
    let after = found[0]["after"].as_str().unwrap();
    assert!(after.ends_with("-02-01T00:00:00Z") && after > at, "{run}");
}

#[tokio::test]
async fn a_job_by_hand_says_so() {
    let run = home().run(&["explain", "job/etl.refill"]).await;
    assert_eq!(run.to_string(), "etl.refill has no schedule: it runs by hand only\n[0]");
}

#[tokio::test]
async fn what_cannot_be_explained_is_told_with_the_nearest_name() {
    let home = home();
    for (args, code, said) in [
        (
            &["explain", "etl.nightyl"][..],
            1,
            "error: the job `etl.nightyl` does not exist\nhint: did you mean `etl.nightly`?\n",
        ),
        (
            &["explain", "refill"],
            1,
            "error: several Apps have a job `refill`: `etl.refill`, `mail.refill`\nhint: name the App too, as in `APP.JOB`\n",
        ),
        (
            &["explain", "nightly", "yesterday"],
            64,
            "error: expected a time such as `2026-03-29T00:30:00Z`, `2026-03-29T01:30` or `2026-03-29`, found `yesterday`\n",
        ),
        (
            &["explain", "nightly", "2300-01-01"],
            64,
            "error: expected a time up to the year 2100, where expressions end, found `2300-01-01`\n",
        ),
    ] {
        let run = home.run(args).await;
        assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (code, "", said), "{args:?}");
    }
}

const SLOTS: &str =
    "GET /v1/jobs/etl.nightly/slots?from=2026-11-23T01%3A30%3A00Z&to=2026-11-23T01%3A30%3A00Z&limit=1000";

const BEHIND: &str = "GET /v1/jobs/etl.nightly/slots?from=2026-11-23T01%3A30%3A00Z&limit=1000";

const READY: &str = "GET /readyz?verbose=";

fn row(outcome: &str, reason: Option<&str>, task: Option<u64>) -> Value {
    json!({
        "job": "etl.nightly", "schedule": "k5f2", "first": "2026-11-23T01:30:00Z", "last": "2026-11-23T01:30:00Z",
        "outcome": outcome, "reason": reason, "task": task,
    })
}

/// The service keeps no App and no job beside the files.
fn nothing_stored() -> [(&'static str, Reply); 2] {
    ["GET /v1/stored-apps?limit=1000", "GET /v1/stored-jobs?limit=1000"]
        .map(|line| (line, Reply::page::<Value>(&[], None)))
}

/// What is said of a slot that has passed, by a service that answers so.
async fn asked(script: Vec<(&str, Reply)>) -> Run {
    let fake = Fake::start(nothing_stored().into_iter().chain(script)).await;
    let mut command = fake.command(&["explain", "nightly", "2026-11-23T02:30"]);
    let home = home();
    command.current_dir(home.0.path());
    let run = Run::of(command).await;
    fake.requests();
    run
}

#[tokio::test]
async fn a_slot_that_has_passed_is_looked_up_in_the_ledger() {
    let other = json!({
        "job": "etl.nightly", "schedule": "other", "first": "2026-11-23T01:30:00Z", "last": "2026-11-23T01:30:00Z",
        "outcome": "missed", "reason": null, "task": null,
    });
    let found = [other, row("ran", None, Some(3))];
    let script = vec![(SLOTS, Reply::page(&found, None)), ("GET /v1/apps/etl/tasks/3", Reply::ok(&task(3)))];
    let run = asked(script).await;
    assert!(
        run.out
            .contains("Ledger:   ran as task 3\nTask:     etl-nightly-abcdefghij03 (succeeded, Completed)\n"),
        "{run}"
    );

    let skipped = row("skipped", Some("overlap with task 2"), None);
    let run = asked(vec![(SLOTS, Reply::page(&[skipped], None))]).await;
    assert!(run.out.contains("Ledger:   skipped: overlap with task 2\n"), "{run}");

    let gone = Reply::error(404, "not-found", "task 3 of App `etl` does not exist", None);
    let script =
        vec![(SLOTS, Reply::page(&[row("ran", None, Some(3))], None)), ("GET /v1/apps/etl/tasks/3", gone)];
    let run = asked(script).await;
    assert!(run.out.contains("Unknown:   task 3 is no more: retention removed it\n"), "{run}");

    let busy = Reply::error(429, "too-many-runs", "ask again later", None);
    let script =
        vec![(SLOTS, Reply::page(&[row("ran", None, Some(3))], None)), ("GET /v1/apps/etl/tasks/3", busy)];
    let run = asked(script).await;
    assert!(
        !run.out.contains("no more") && run.err.contains("the ledger was not read: ask again later"),
        "{run}"
    );

    let script = vec![
        (SLOTS, Reply::page::<Value>(&[], None)),
        (BEHIND, Reply::page(&[row("ran", None, None)], None)),
    ];
    let run = asked(script).await;
    assert!(run.out.contains("Unknown:   no row:"), "{run}");
}

#[tokio::test]
async fn what_keeps_a_slot_from_starting_is_told() {
    let mut paused = row("skipped", Some("paused"), None);
    paused["note"] = "by ann: the warehouse moves".into();
    let run = asked(vec![(SLOTS, Reply::page(&[paused], None))]).await;
    assert!(run.out.contains("Ledger:   skipped: paused by ann: the warehouse moves\n"), "{run}");

    let waiting = TaskResource { phase: Phase::Queued, ..task(3) };
    let entry = json!({
        "task": waiting, "blocked": "app", "behind": null, "group": null,
        "waits_for": "max_running = 1 of App etl: 1 run",
    });
    let run = asked(vec![
        (SLOTS, Reply::page(&[row("ran", None, Some(3))], None)),
        ("GET /v1/apps/etl/tasks/3", Reply::ok(&waiting)),
        ("GET /v1/queue?app=etl&limit=1000", Reply::page(&[entry], None)),
    ]);
    let run = run.await;
    assert!(run.out.contains("WaitsFor:   max_running = 1 of App etl: 1 run\n"), "{run}");

    let causes = |causes: &[&str]| Reply::ok(&json!({ "ready": true, "causes": causes }));
    let none = || Reply::page::<Value>(&[], None);
    let away = "creating PipelineRuns: connection refused (since 2026-11-23T01:00:00Z)";
    let run = asked(vec![(SLOTS, none()), (BEHIND, none()), (READY, causes(&[away]))]).await;
    assert!(run.out.contains(&format!("WaitsFor:   {away}\n")), "{run}");
    assert!(run.out.contains("Unknown:    no row yet: it is decided when tasks can start\n"), "{run}");
    let run = asked(vec![(SLOTS, none()), (BEHIND, none()), (READY, causes(&[]))]).await;
    assert!(run.out.contains("Unknown:   no row: the schedule was another then"), "{run}");
}

#[tokio::test]
async fn what_a_calendar_excluded_has_its_row_looked_up_too() {
    let skipped = row("skipped", Some("excluded by calendar"), None);
    let script = nothing_stored().into_iter().chain([(SLOTS, Reply::page(&[skipped], None))]);
    let fake = Fake::start(script).await;
    let home =
        Home::with(&[("etl", &ETL.replace("id = \"k5f2\"", "id = \"k5f2\", exclude = [\"mondays\"]"))]);
    let settings = "[calendars.mondays]\ncron = [\"* * * * MON\"]\n";
    std::fs::write(home.0.path().join("config/tekcron.toml"), settings).unwrap();
    let mut command = fake.command(&["explain", "nightly", "2026-11-23T02:30"]);
    command.current_dir(home.0.path());
    let run = Run::of(command).await;
    fake.requests();
    assert!(run.out.contains("it is not due at 2026-11-23T01:30:00Z"), "{run}");
    assert!(run.out.contains("by the calendar `mondays`\n"), "{run}");
    assert!(run.out.contains("skipped: excluded by calendar\n"), "{run}");
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_keeps_nobody_from_an_explanation() {
    let failed = Reply::error(503, "store-failed", "the disk failed", None);
    let run = asked(vec![(SLOTS, failed)]).await;
    assert_eq!(run.code, 0, "{run}");
    assert!(run.out.contains("it is due at 2026-11-23T01:30:00Z"), "{run}");
    assert!(run.err.starts_with("the ledger was not read: "), "{run}");
}
