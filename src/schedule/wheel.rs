//! The bucket wheel: the one timed loop.
//!
//! It holds, for each timer, when to look at it next, wakes at that instant and hands over all that
//! are due as one batch. A [`Wake`] is a hint: what is really due is computed by whoever receives
//! it, from schedules, watermarks and the wall clock. It runs on a thread of its own, so that a busy
//! program does not delay it, never sleeps longer than [`LONGEST_SLEEP`], and reads the wall clock
//! anew after every sleep.

use std::collections::{BTreeMap, HashMap};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use crate::clock::SharedClock;

/// A step of the wall clock is noticed within this time.
pub const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Names a timer; what it stands for is its owner's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

/// Look again: timers are due, or [`LONGEST_SLEEP`] is over, and the wall clock may have been stepped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// The timers that are due, each no longer armed.
    pub due: Vec<TimerId>,
}

/// The sending end of the wheel. The wheel stops when it is dropped.
#[derive(Debug)]
pub struct Wheel {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    Arm(Vec<(TimerId, Timestamp)>),
    Disarm(Vec<TimerId>),
}

impl Wheel {
    /// Starts the wheel. Wakes arrive at the receiver.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(clock: SharedClock) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Wake>)> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let (wakes, outbox) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("wheel".to_owned())
            .spawn(move || runtime.block_on(turn(&clock, inbox, &wakes)))?;
        Ok((Self { commands: Some(commands), thread: Some(thread) }, outbox))
    }

    /// Sets when each timer is due, in place of what was set before. A time that has passed is due
    /// at once.
    pub fn arm(&self, timers: Vec<(TimerId, Timestamp)>) {
        self.send(Command::Arm(timers));
    }

    /// Forgets timers.
    pub fn disarm(&self, timers: Vec<TimerId>) {
        self.send(Command::Disarm(timers));
    }

    fn send(&self, command: Command) {
        // A wheel that is gone has ended the daemon.
        let _ = self.commands.as_ref().map(|commands| commands.send(command));
    }
}

impl Drop for Wheel {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

async fn turn(
    clock: &SharedClock,
    mut commands: mpsc::UnboundedReceiver<Command>,
    wakes: &mpsc::UnboundedSender<Wake>,
) {
    let mut buckets = Buckets::default();
    loop {
        let next = buckets.next();
        let until_next = next.map_or(LONGEST_SLEEP, |next| positive(next.duration_since(clock.now())));
        let slept = tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Arm(timers)) => {
                    buckets.arm(timers);
                    false
                }
                Some(Command::Disarm(timers)) => {
                    buckets.disarm(&timers);
                    false
                }
                None => return,
            },
            () = clock.sleep(until_next.min(LONGEST_SLEEP)) => true,
        };
        let due = buckets.take_due(clock.now());
        if (slept || !due.is_empty()) && wakes.send(Wake { due }).is_err() {
            return;
        }
        // Nobody waits for this any more.
        buckets.forget_taken();
    }
}

fn positive(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}

/// Timers by instant. A bucket whose timers are all still wanted is handed over as it is, whatever its size;
/// what is remembered of each of them is forgotten later, of many at once.
#[derive(Debug, Default)]
struct Buckets {
    buckets: BTreeMap<Timestamp, Bucket>,
    /// Where each timer was put last. The bucket may have been taken since.
    armed: HashMap<TimerId, Place>,
    /// How many timers are armed.
    live: usize,
    /// How many buckets there have been.
    made: u64,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Tells it from earlier buckets of its instant.
    number: u64,
    timers: Vec<TimerId>,
    /// How many of the timers have been moved or disarmed since they were put here.
    stale: usize,
}

/// A bucket, which may be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    at: Timestamp,
    bucket: u64,
}

impl Buckets {
    fn arm(&mut self, timers: Vec<(TimerId, Timestamp)>) {
        for (timer, at) in timers {
            let made = &mut self.made;
            let bucket = self.buckets.entry(at).or_insert_with(|| {
                *made += 1;
                // Most have one timer.
                Bucket { number: *made, timers: Vec::with_capacity(1), stale: 0 }
            });
            let place = Place { at, bucket: bucket.number };
            let before = self.armed.insert(timer, place);
            if before != Some(place) {
                bucket.timers.push(timer);
                self.live += 1;
                self.leave(before);
            }
        }
    }

    fn disarm(&mut self, timers: &[TimerId]) {
        for timer in timers {
            let before = self.armed.remove(timer);
            self.leave(before);
        }
    }

    /// A timer is no longer wanted where it was.
    fn leave(&mut self, before: Option<Place>) {
        let bucket = before.and_then(|before| {
            self.buckets.get_mut(&before.at).filter(|bucket| bucket.number == before.bucket)
        });
        if let Some(bucket) = bucket {
            bucket.stale += 1;
            self.live -= 1;
        }
    }

    fn next(&self) -> Option<Timestamp> {
        self.buckets.first_key_value().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Timestamp) -> Vec<TimerId> {
        let mut due = Vec::new();
        while let Some(bucket) = self.buckets.first_entry().filter(|bucket| *bucket.key() <= now) {
            let (at, Bucket { number, mut timers, stale }) = bucket.remove_entry();
            if stale > 0 {
                let place = Place { at, bucket: number };
                // Forgotten at once: a timer that left and came back stands here twice.
                timers.retain(|timer| match self.armed.get(timer) == Some(&place) {
                    true => self.armed.remove(timer).is_some(),
                    false => false,
                });
            }
            self.live -= timers.len();
            match due.is_empty() {
                true => due = timers,
                false => due.append(&mut timers),
            }
        }
        due
    }

    /// Forgets the timers of buckets that were taken, where they are the most of what is remembered.
    fn forget_taken(&mut self) {
        if self.armed.len() / 2 > self.live {
            let buckets = &self.buckets;
            let is_armed = |place: &Place| buckets.get(&place.at).is_some_and(|b| b.number == place.bucket);
            self.armed.retain(|_, place| is_armed(place));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_bucket_is_handed_over_whole_and_once() {
        let mut buckets = Buckets::default();
        buckets.arm((0..1000).map(|id| (TimerId(id), at(10))).collect());
        assert_eq!(buckets.take_due(at(9)), []);
        assert_eq!(buckets.take_due(at(11)).len(), 1000);
        assert_eq!(buckets.take_due(at(12)), []);
    }

    #[test]
    fn a_timer_moved_or_disarmed_is_not_due_at_its_old_instant() {
        let mut buckets = Buckets::default();
        buckets.arm(vec![(TimerId(1), at(10)), (TimerId(2), at(10)), (TimerId(3), at(10))]);
        buckets.arm(vec![(TimerId(1), at(20)), (TimerId(3), at(20)), (TimerId(3), at(10))]);
        buckets.disarm(&[TimerId(2)]);
        assert_eq!(buckets.take_due(at(15)), [TimerId(3)]);
        assert_eq!(buckets.take_due(at(25)), [TimerId(1)]);
    }

    #[test]
    fn a_timer_is_armed_again_for_the_instant_it_was_taken_at() {
        let mut buckets = Buckets::default();
        for _ in 0..3 {
            buckets.arm(vec![(TimerId(1), at(10)), (TimerId(1), at(10))]);
            assert_eq!(buckets.take_due(at(10)), [TimerId(1)]);
        }
        buckets.disarm(&[TimerId(1)]);
        buckets.arm(vec![(TimerId(2), at(10))]);
        assert_eq!(buckets.take_due(at(10)), [TimerId(2)]);
    }

    #[test]
    fn what_was_taken_is_forgotten_and_what_is_armed_is_not() {
        let mut buckets = Buckets::default();
        buckets.arm((0..1000).map(|id| (TimerId(id), at(10))).collect());
        buckets.arm(vec![
            (TimerId(7), at(20)),
            (TimerId(5000), at(20)),
            (TimerId(8), at(20)),
            (TimerId(8), at(10)),
        ]);
        assert_eq!(buckets.take_due(at(10)).len(), 999);
        buckets.forget_taken();
        assert_eq!(buckets.armed.len(), 2);
        assert_eq!(buckets.take_due(at(20)), [TimerId(7), TimerId(5000)]);
        buckets.forget_taken();
        assert!(buckets.armed.is_empty() && buckets.live == 0 && buckets.buckets.is_empty());
    }

    /// Lets the wheel go to sleep before the clock moves.
    fn until_asleep(clock: &ManualClock) {
        while clock.sleepers() == 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_wakes_when_the_bucket_is_due_and_not_before() {
        let clock = Arc::new(ManualClock::new(at(0)));
        let (wheel, mut wakes) = Wheel::start(clock.clone()).unwrap();
        wheel.arm(vec![(TimerId(7), at(3))]);
        let mut wake = None;
        while wake.is_none() {
            until_asleep(&clock);
            clock.advance(Duration::from_secs(1));
            wake = wakes.try_recv().ok().filter(|wake| !wake.due.is_empty());
        }
        assert!(clock.now() >= at(3));
        assert_eq!(wake.map(|wake| wake.due), Some(vec![TimerId(7)]));
    }

    #[test]
    fn it_wakes_now_and_then_with_nothing_due() {
        let clock = Arc::new(ManualClock::new(at(0)));
        let (_wheel, mut wakes) = Wheel::start(clock.clone()).unwrap();
        until_asleep(&clock);
        clock.advance(LONGEST_SLEEP);
        assert_eq!(wakes.blocking_recv(), Some(Wake { due: vec![] }));
    }
}
