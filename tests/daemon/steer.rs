//! Pausing, resuming and skipping by command, and over a kill.

use serde_json::Value;

use crate::harness::{Place, text};

const APP: &str = r#"
[app]
name = "etl"
command = "true"

[[jobs]]
name = "tick"
schedule = "* * * * * *"

[[jobs]]
name = "yearly"
schedule = "0 0 1 1 *"

[[jobs]]
name = "byhand"
"#;

/// What a verb that must succeed said to people.
fn said(place: &Place, args: &[&str]) -> String {
    let output = place.run(args);
    assert!(output.status.success(), "{args:?}: {}\n{}", output.status, text(&output.stderr));
    text(&output.stderr)
}

fn refused(place: &Place, args: &[&str]) -> String {
    let output = place.run(args);
    assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

/// The rows of the ledger that are paused.
fn paused(place: &Place) -> Vec<Value> {
    let rows = place.json(&["slots", "tick"]);
    rows.as_array().unwrap().iter().filter(|row| row["reason"] == "paused").cloned().collect()
}

#[test]
fn killed_in_a_pause_the_pause_is_one_range_and_resumed_with_latest_one_of_it_runs() {
    let place = Place::with(&[("etl", APP)]);
    let daemon = place.serve();
    said(&place, &["pause", "tick", "--note", "moving"]);
    place.until("two slots of the pause", || paused(&place).first()?["slots"].as_u64().filter(|n| *n >= 2));
    let before = paused(&place);
    daemon.kill();

    let _daemon = place.serve();
    assert_eq!(place.json(&["job", "tick"])["paused"]["note"], "moving");
    let last = before[0]["last"].as_str().unwrap();
    place.until("it goes on", || paused(&place)[0]["last"].as_str().filter(|now| *now > last).map(drop));
    let after = paused(&place);
    assert_eq!((after.len(), &after[0]["first"]), (1, &before[0]["first"]), "{after:?}");
    let told = said(&place, &["resume", "tick", "--catch-up", "latest"]);
    assert!(told.contains("`etl.tick` is no longer paused; 1 slot of the pause is caught up"), "{told}");
    let rows = place.json(&["slots", "tick"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["outcome"] == "caught-up").count(), 1, "{rows:?}");
    let range = rows.iter().position(|row| row["reason"] == "paused").unwrap();
    assert_eq!((&rows[range]["first"], paused(&place).len()), (&before[0]["first"], 1), "{rows:?}");
    // The newest come first.
    assert_eq!(rows[range - 1]["outcome"], "caught-up", "it lies right behind the others: {rows:?}");
    assert!(rows.iter().all(|row| row["outcome"] != "missed"), "{rows:?}");
}

#[test]
fn the_verbs_say_what_they_did_and_refuse_what_makes_no_sense() {
    let place = Place::with(&[("etl", APP)]);
    let _daemon = place.serve();
    let next = place.json(&["job", "yearly"])["next"].clone();
    let skipping = said(&place, &["skip-next", "yearly", "2"]);
    assert!(
        skipping.contains("the 2 next slots are skipped of job `etl.yearly`; it runs next at "),
        "{skipping}"
    );
    assert_eq!(place.json(&["job", "yearly"])["skip_next"], 2);
    assert!(place.json(&["job", "yearly"])["next"].as_str() > next.as_str());

    let told = said(&place, &["pause", "yearly", "--until", "2100-01-01"]);
    assert!(told.contains("`etl.yearly` is paused until 2100-01-01T00:00:00Z"), "{told}");
    for (args, words) in [
        (&["pause", "yearly", "--until", "2020-01-01"][..], "after now"),
        (&["pause", "nobody"], "does not exist"),
        (&["resume", "byhand"], "not paused"),
        (&["resume", "yearly", "--catch-up", "last"], "did you mean `latest`?"),
        (&["skip-next", "yearly"], "is paused"),
        (&["skip-next", "byhand"], "has no schedule"),
        (&["skip-next", "yearly", "-1"], "-1"),
    ] {
        let why = refused(&place, args);
        assert!(why.contains(words), "{args:?}: {why}");
    }
    assert_eq!(place.json(&["job", "yearly"])["paused"]["until"], "2100-01-01T00:00:00Z");
    assert!(said(&place, &["resume", "yearly"]).contains("job `etl.yearly` is no longer paused\n"));
    assert_eq!(place.json(&["job", "yearly"])["paused"], Value::Null);
}
