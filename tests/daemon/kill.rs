//! The real binary, killed again and again: every slot accounted for, none doubled, none lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tekcron::clock::{Clock, SystemClock};
use tekcron::config::{self, SettingsOverrides};
use tekcron::job::JobRef;
use tekcron::store::{SlotOutcome, Store};
use tekcron::task::Phase;

use crate::harness::Place;

const KILLS: u32 = 30;

const APP: &str = r#"
[app]
name = "tick"
state = true
command = 'echo "$TEKCRON_JOB $TEKCRON_SCHEDULED_TIME $TEKCRON_TASK_ID" >> "$TEKCRON_STATE_DIR/runs"'

[[jobs]]
name = "all"
schedule = "* * * * * *"
catch_up = "all"

[[jobs]]
name = "latest"
schedule = "* * * * * *"
catch_up = "latest"

[[jobs]]
name = "none"
schedule = "*/2 * * * * *"
catch_up = "none"
"#;

/// A sequence that differs from run to run and is printed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn killed_thirty_times_while_firing_every_second_it_loses_and_doubles_nothing() {
    let place = Place::with(&[("tick", APP)]);
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random(seed);
    for round in 0..KILLS {
        let daemon = place.spawn(&[]);
        let lived = daemon.lives_for(Duration::from_millis(50 + random.below(1500)));
        assert!(lived, "round {round}: it ended by itself\n{}", place.log());
        daemon.kill();
        if round == KILLS / 2 {
            // The other times it is back sooner than the next slot, as a rule.
            let (_hold, nobody_watches) = channel::<()>();
            let _ = nobody_watches.recv_timeout(Duration::from_secs(3));
        }
    }
    let daemon = place.spawn(&[]);
    assert!(daemon.lives_for(Duration::from_secs(4)), "{}", place.log());
    let stopped = SystemClock::new().now();
    assert!(daemon.terminate().success(), "it ends in order");
    check(place.path(), stopped);
}

/// Tasks claimed in the last moments may be in flight still: the next start would take them up.
const LAST_MOMENTS: SignedDuration = SignedDuration::from_secs(3);

fn check(dir: &Path, stopped: Timestamp) {
    let overrides = SettingsOverrides::default();
    let config = config::load(&dir.join("config"), &overrides).unwrap();
    let store = Store::open(&dir.join("data"), Arc::new(SystemClock::new())).unwrap();
    let runs = fs::read_to_string(dir.join("data/state/tick/runs")).unwrap();
    let mut executed: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in runs.lines() {
        let mut words = line.split(' ').map(str::to_owned);
        let (job, slot) = (words.next().unwrap(), words.next().unwrap());
        *executed.entry((job, slot)).or_default() += 1;
    }
    let doubled: Vec<_> = executed.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "executed twice: {doubled:?}");
    let watermarks: BTreeMap<_, _> = store.watermarks().collect::<Result<_, _>>().unwrap();
    for (app, job) in config.jobs() {
        let job_ref = JobRef::new(app.name.clone(), job.name.clone());
        let schedule = &job.schedules[0];
        let watermark = watermarks[&(job_ref.clone(), schedule.key.clone())].at;
        let rows = store.slots(&job_ref, Some(&schedule.key), Timestamp::MIN..=Timestamp::MAX).unwrap();
        assert!(!rows.is_empty(), "{job_ref}: no slot at all");
        let mut expected = Some(rows[0].first);
        for row in &rows {
            assert_eq!(Some(row.first), expected, "{job_ref}: a slot has no row, or two");
            expected = schedule.recurrence.next_after(row.last);
            let Some(id) = row.outcome.task() else { continue };
            let task = store.task(&app.name, id).unwrap().unwrap();
            let slot = (job.name.to_string(), row.first.to_string());
            let ran = executed.remove(&slot).is_some();
            if task.created < stopped - LAST_MOMENTS {
                assert_eq!(task.phase, Phase::Succeeded, "{job_ref} {}: {:?}", row.first, task);
                assert!(ran, "{job_ref}: slot {} did not execute", row.first);
            }
        }
        let next = expected.unwrap();
        assert!(next > watermark, "{job_ref}: the watermark {watermark} is past {next}, which has no row");
        let caught_up = rows.iter().any(|row| matches!(row.outcome, SlotOutcome::CaughtUp { .. }));
        assert_eq!(caught_up, job.name.as_str() != "none", "{job_ref}");
    }
    assert!(executed.is_empty(), "executions that belong to no slot: {executed:?}");
}
