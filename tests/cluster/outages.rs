//! The daemon is killed, or the API server away.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::world::{Wire, World, name_of};

const EVERY_OTHER_SECOND: &str =
    "command = \"true\"\n[[jobs]]\nname = \"tick\"\nschedule = \"*/2 * * * * *\"\ncatch_up = \"all\"";

#[test]
#[ignore = "needs a cluster"]
fn a_daemon_that_is_killed_while_it_fires_loses_no_slot_and_doubles_none() {
    let Some(world) = World::new("killed", "", &[("often", EVERY_OTHER_SECOND)]) else { return };
    for round in 1..=4 {
        let daemon = world.serve();
        world.place.until("some more slots", || (tasks(&world, "often").len() >= 3 * round).then_some(()));
        daemon.kill();
    }
    world.place.write_app(
        "often",
        &format!(
            "[app]\nname = \"often\"\nimage = \"{}\"\n[[jobs]]\nname = \"tick\"\ncommand = \"true\"",
            std::env::var("TEKCRON_TEST_IMAGE").unwrap()
        ),
    );
    let _daemon = world.serve();
    let all = world.place.until("all have ended", || {
        let tasks = tasks(&world, "often");
        tasks.iter().all(|task| !task["finished"].is_null()).then_some(tasks)
    });
    let mut slots: Vec<&str> = all.iter().map(|task| task["scheduled"].as_str().unwrap()).collect();
    slots.sort_unstable();
    let times: Vec<i64> =
        slots.iter().map(|slot| slot.parse::<jiff::Timestamp>().unwrap().as_second()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 2), "{slots:?}");
    assert!(all.iter().all(|task| task["phase"] == "succeeded"), "{all:#?}");
    let runs: BTreeSet<String> = world.objects("PipelineRun").iter().map(name_of).collect();
    assert_eq!(runs, all.iter().map(|task| task["name"].as_str().unwrap().to_owned()).collect());
}

#[test]
#[ignore = "needs a cluster"]
fn an_api_server_that_is_away_for_a_while_loses_nothing() {
    let Some(world) = World::new("away", "", &[("often", EVERY_OTHER_SECOND)]) else { return };
    let wire = Wire::to_the_cluster(&world.place, &world);
    let world = world.with_env("KUBECONFIG", &wire.kubeconfig);
    let _daemon = world.serve();
    world.place.until("some slots ran", || (succeeded(&world, "often") >= 2).then_some(()));
    wire.cut();
    let before = tasks(&world, "often").len();
    // Twenty seconds, told by the slots that are claimed meanwhile.
    world.place.until("ten more are claimed", || (tasks(&world, "often").len() >= before + 10).then_some(()));
    wire.mend();
    world.place.until("all of them ran", || (succeeded(&world, "often") >= before + 10).then_some(()));
}

#[test]
#[ignore = "needs a cluster"]
fn what_is_due_while_the_api_server_is_away_for_long_is_a_matter_of_catch_up() {
    let job = "command = \"true\"\n[[jobs]]\nname = \"tick\"\nschedule = \"*/2 * * * * *\"";
    let Some(world) = World::new("long", "hold = \"10s\"", &[("often", job)]) else { return };
    let wire = Wire::to_the_cluster(&world.place, &world);
    let world = world.with_env("KUBECONFIG", &wire.kubeconfig);
    let daemon = world.serve();
    world.place.until("some slots ran", || (succeeded(&world, "often") >= 2).then_some(()));
    wire.cut();
    let before = tasks(&world, "often").len();
    // Three times as long as claims are held.
    assert!(daemon.lives_for(Duration::from_secs(30)));
    let claimed = tasks(&world, "often").len() - before;
    assert!((3..=8).contains(&claimed), "{claimed} were claimed meanwhile");
    wire.mend();
    let slots = world.place.until("the rest is skipped", || {
        let slots = rows(&world);
        slots.iter().any(|row| row["outcome"] == "skipped").then_some(slots)
    });
    let skipped = slots.iter().find(|row| row["outcome"] == "skipped").unwrap();
    assert_eq!(skipped["reason"], "cluster unreachable", "{skipped}");
    world.place.until("it goes on", || (succeeded(&world, "often") >= 4).then_some(()));
}

fn tasks(world: &World, app: &str) -> Vec<Value> {
    world.place.json(&["tasks", app, "--limit", "500"]).as_array().cloned().unwrap_or_default()
}

fn succeeded(world: &World, app: &str) -> usize {
    tasks(world, app).iter().filter(|task| task["phase"] == "succeeded").count()
}

fn rows(world: &World) -> Vec<Value> {
    let url = std::fs::read_to_string(world.place.path().join("data/address")).unwrap_or_default();
    let token = std::fs::read_to_string(world.place.path().join("data/token")).unwrap_or_default();
    let output = std::process::Command::new("curl")
        .args(["-s", "-H", &format!("Authorization: Bearer {}", token.trim())])
        .arg(format!("{}/v1/jobs/often.tick/slots?limit=200", url.trim()))
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    answer["items"].as_array().cloned().unwrap_or_default()
}
