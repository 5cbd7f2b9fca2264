//! The wheel alone: how late are N timers of one instant when they are handed over?

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use jiff::Timestamp;
use tekcron::clock::SystemClock;
use tekcron::schedule::wheel::{TimerId, Wheel};

use crate::Scale;
use crate::report::{Row, Unit};
use crate::sample::{median, percentile};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// For p99, in milliseconds.
const TARGETS: [f64; 3] = [2.0, 5.0, 20.0];

/// Time to arm them all.
const LEAD: Duration = Duration::from_millis(500);

pub(crate) fn run(scale: Scale) {
    for (size, target) in SIZES.into_iter().zip(TARGETS) {
        let (mut wheel, mut heap) = ([vec![], vec![]], [vec![], vec![]]);
        for _ in 0..scale.rounds {
            for (late, percentiles) in [(of_wheel(size), &mut wheel), (of_heap(size), &mut heap)] {
                let mut late = late;
                percentiles[0].push(percentile(&mut late, 50.0));
                percentiles[1].push(percentile(&mut late, 99.0));
            }
        }
        for (index, name) in ["p50", "p99"].into_iter().enumerate() {
            Row {
                what: &format!("wheel, {size} due at once, {name} late"),
                unit: Unit::Ms,
                result: median(&mut wheel[index]),
                bound: Some(("bare heap", median(&mut heap[index]))),
                target: (index == 1).then_some(target),
            }
            .print();
        }
    }
}

fn late(due: Timestamp) -> f64 {
    Timestamp::now().duration_since(due).as_secs_f64() * 1e3
}

/// When each id of a batch has arrived at whoever receives it.
fn of_wheel(size: usize) -> Vec<f64> {
    let (wheel, mut wakes) = Wheel::start(Arc::new(SystemClock::new())).expect("there is a thread");
    let due = Timestamp::now() + LEAD;
    wheel.arm((0..size as u64).map(|id| (TimerId(id), due)).collect());
    let mut seen = Vec::with_capacity(size);
    while seen.len() < size {
        let wake = wakes.blocking_recv().expect("the wheel turns");
        seen.extend(wake.due.into_iter().map(|id| {
            std::hint::black_box(id);
            late(due)
        }));
    }
    seen
}

/// The same by a heap and a channel, and nothing else.
fn of_heap(size: usize) -> Vec<f64> {
    let due = Timestamp::now() + LEAD;
    let mut heap: BinaryHeap<_> = (0..size as u64).map(|id| Reverse((due, id))).collect();
    let (send, receive) = channel();
    let thread = std::thread::spawn(move || {
        let wait = Duration::try_from(due.duration_since(Timestamp::now()));
        std::thread::sleep(wait.unwrap_or_default());
        while let Some(Reverse((due, id))) = heap.pop() {
            send.send((due, id)).expect("somebody receives");
        }
    });
    let seen = receive.into_iter().map(|(due, _)| late(due)).collect();
    thread.join().expect("it does not panic");
    seen
}
