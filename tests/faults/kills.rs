//! SIGKILL at random moments, a thousand times.

use std::time::Duration;

use crate::account::settle;
use crate::harness::Place;
use crate::world;

/// A sequence that differs from run to run and is printed, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

pub(crate) fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// `FAULTS_KILLS`, `FAULTS_BURST` and `FAULTS_SEED` change what it does.
#[test]
#[ignore = "takes a quarter of an hour"]
fn killed_a_thousand_times_at_random_moments_it_loses_and_doubles_nothing() {
    let kills = number("FAULTS_KILLS", 1000);
    let burst = number("FAULTS_BURST", 500) as usize;
    let seed = number("FAULTS_SEED", u64::from(std::process::id()));
    println!("seed {seed}");
    let mut random = Random(seed);
    // Few are kept, so that retention has much to do.
    let app = world::app(burst, 120);
    let place = Place::with(&[("tick", &app)]);
    let mut by_hand = Vec::new();
    for round in 0..kills {
        let daemon = place.spawn(&[]);
        // One in four goes before it is ready, one in eight sees the sweep of what has ended.
        let most = match random.below(8) {
            0 | 1 => 150,
            2 => 4000,
            _ => 900,
        };
        let moment = Duration::from_millis(random.below(most));
        if random.below(8) == 0 {
            daemon.line();
            let name = format!("hand-{round}");
            let line = format!(r#"echo "{name} - 1" >> "$TEKCRON_STATE_DIR/runs""#);
            let mut asked =
                place.command(&["run-task", "tick", "--name", &name, "-c", &line]).spawn().unwrap();
            assert!(daemon.lives_for(moment), "round {round}: it ended by itself\n{}", place.log());
            daemon.kill();
            if asked.wait().unwrap().success() {
                by_hand.push(name);
            }
        } else {
            assert!(daemon.lives_for(moment), "round {round}: it ended by itself\n{}", place.log());
            daemon.kill();
        }
        if round % 50 == 49 {
            println!("{} kills", round + 1);
        }
    }
    let daemon = place.serve();
    let account = settle(&place, daemon, &app, &by_hand);
    println!("{kills} kills, {burst} due at once, seed {seed}: {account:#?}");
}
