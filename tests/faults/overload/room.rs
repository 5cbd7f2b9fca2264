//! Runs that have not ended, as large as they may be, until there is no room for one more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Answer, DESCRIPTORS, Overloaded, all_slots_ran, ask};

/// The largest body that is read.
const BODY: usize = 1 << 20;

/// The most bytes of tasks that have not ended.
const ROOM: usize = 128 << 20;

/// The most memory that the daemon may take for that and for listings of it, in KiB: it has them once, not once for
/// each that lists them.
const MOST_MEMORY: usize = 512 << 10;

/// How many of the largest it takes to fill it: slots that wait take little of it.
const FILLED: std::ops::RangeInclusive<usize> = ROOM / BODY - 4..=ROOM / BODY;

/// A run's body of exactly the most bytes: a long line, many words or a long variable, in turn.
fn largest(number: usize) -> String {
    let with = |padding: usize| {
        let text = "x".repeat(padding);
        let body = match number % 3 {
            0 => json!({ "command": format!("true {text}") }),
            1 => json!({ "command": ["true", text, "y".repeat(1000)] }),
            _ => json!({ "command": "true", "env": { "LARGE": text } }),
        };
        body.to_string()
    };
    let body = with(BODY - with(0).len());
    assert_eq!(body.len(), BODY);
    body
}

impl Overloaded {
    fn run(&self, body: &str) -> Answer {
        let request = self.request("POST /v1/apps/work/tasks", body);
        self.runtime.block_on(ask(self.address, &request)).unwrap()
    }

    /// The ids of all tasks that are listed.
    fn listed(&self) -> BTreeSet<u64> {
        let mut ids = BTreeSet::new();
        let mut next = Value::Null;
        loop {
            let cursor = next.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("/v1/apps/work/tasks?limit=1000{cursor}"));
            ids.extend(page["items"].as_array().unwrap().iter().map(|task| task["id"].as_u64().unwrap()));
            next = page["next"].clone();
            if next.is_null() {
                return ids;
            }
        }
    }
}

#[test]
#[ignore = "takes a minute"]
fn without_room_for_more_unfinished_runs_none_is_taken_by_hand_until_some_have_ended_and_slots_always_are() {
    let world = Overloaded::new(DESCRIPTORS);
    let before = world.memory();
    let mut acknowledged = BTreeSet::new();
    let refused = loop {
        let answer = world.run(&largest(acknowledged.len()));
        if answer.status != 201 {
            break answer;
        }
        let task: Value = serde_json::from_str(&answer.body).unwrap();
        acknowledged.insert(task["id"].as_u64().unwrap());
    };
    let filled = world.memory();
    let is_refusal = |answer: &Answer| answer.status == 429 && answer.is_polite();
    assert!(is_refusal(&refused), "{}\n{}", refused.head, refused.body);
    assert!(refused.body.contains("too-many-runs"), "{}", refused.body);
    assert!(FILLED.contains(&acknowledged.len()), "{} were taken", acknowledged.len());

    // Slots are taken as ever, and make no room.
    for _ in 0..3 {
        world.next_slot();
    }
    let small = r#"{"command": "true"}"#;
    assert!(is_refusal(&world.run(small)));
    let listed = world.listed();
    assert!(acknowledged.is_subset(&listed), "lost: {:?}", acknowledged.difference(&listed));

    // Many ask for all of them at once, and none of them has them all in memory.
    let lists = ["", "&phase=pending"]
        .map(|phase| world.request(&format!("GET /v1/apps/work/tasks?limit=1000{phase}"), ""));
    let answers = world.runtime.block_on(async {
        let all = (0..32).map(|number| ask(world.address, &lists[number % 2]));
        futures::future::join_all(all).await
    });
    for answer in answers.into_iter().flatten() {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let memory = world.memory();
    assert!(memory < MOST_MEMORY, "{} -> {} -> {} MiB", before >> 10, filled >> 10, memory >> 10);

    for id in &acknowledged {
        let request = world.request(&format!("POST /v1/apps/work/tasks/{id}/terminate"), "");
        let answer = world.runtime.block_on(ask(world.address, &request)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let result: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(result["task"]["phase"], "cancelled", "{}", answer.body);
    }
    let again = world.run(small);
    assert_eq!(again.status, 201, "{}", again.body);
    println!(
        "{} runs of 1 MiB taken, then 429; memory {} -> {} -> {} MiB",
        acknowledged.len(),
        before >> 10,
        filled >> 10,
        memory >> 10
    );
    let (_place, store) = world.store();
    all_slots_ran(&store);
}
