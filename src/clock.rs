//! Where time enters: the wall clock, a monotonic clock, and sleeping.
//!
//! Loops hold a [`SharedClock`]; pure code takes `now` as an argument. Nothing else in the program
//! may read time (`clippy.toml` forbids it). [`ManualClock`] is the hand-driven twin for tests.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::sync::oneshot;

/// A clock that any loop may share.
pub type SharedClock = Arc<dyn Clock>;

/// Wall time, monotonic time, and a way to wait.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The wall clock, UTC. It may be stepped in either direction between two calls.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary origin. Never goes back, and stands still while the machine sleeps,
    /// so that wall time running ahead of it betrays a step or a suspend.
    fn monotonic(&self) -> Duration;

    /// Completes when the monotonic clock has advanced by `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// The same for who waits beside thousands of others: up to some milliseconds late, and without a descriptor.
    fn rest(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleep(duration)
    }
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is this call.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    #[expect(clippy::new_without_default, reason = "reading the time is not a default")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        async move {
            // tokio's own timer is up to a millisecond late.
            if precise_sleep(duration).await.is_err() {
                tokio::time::sleep(duration).await;
            }
        }
        .boxed()
    }

    fn rest(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

async fn precise_sleep(duration: Duration) -> std::io::Result<()> {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let at_least_one = duration.max(Duration::from_nanos(1));
    let once = Timespec::try_from(at_least_one).map_err(std::io::Error::other)?;
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: none, it_value: once })?;
    crate::readiness::readable(timer).await
}

/// A clock that moves only when told to, and wakes every sleeper that is due before
/// [`ManualClock::advance`] returns.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<ManualState>,
}

#[derive(Debug)]
struct ManualState {
    now: Timestamp,
    monotonic: Duration,
    sequence: u64,
    sleepers: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        let state = ManualState { now, monotonic: Duration::ZERO, sequence: 0, sleepers: BTreeMap::new() };
        Self { state: Mutex::new(state) }
    }

    /// Lets `duration` pass on both clocks.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.now += duration;
        state.monotonic += duration;
        let still_asleep = (state.monotonic, u64::MAX);
        let later = state.sleepers.split_off(&still_asleep);
        for (_, sleeper) in std::mem::replace(&mut state.sleepers, later) {
            // A sleeper that no longer waits has dropped its end.
            let _ = sleeper.send(());
        }
    }

    /// Moves the wall clock alone, as an operator, NTP or a suspend does.
    pub fn step(&self, by: SignedDuration) {
        self.lock().now += by;
    }

    /// How many sleepers wait.
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.values().filter(|sleeper| !sleeper.is_closed()).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        if duration.is_zero() {
            return futures::future::ready(()).boxed();
        }
        let (wake, woken) = oneshot::channel();
        state.sequence += 1;
        let key = (state.monotonic + duration, state.sequence);
        state.sleepers.insert(key, wake);
        // A clock dropped with sleepers in it never wakes them.
        async move {
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advance_wakes_those_who_are_due_and_nobody_else() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let mut early = clock.sleep(Duration::from_secs(1));
        let mut late = clock.sleep(Duration::from_secs(3));
        clock.advance(Duration::from_secs(2));
        assert_eq!((&mut early).now_or_never(), Some(()));
        assert_eq!((&mut late).now_or_never(), None);
        assert_eq!(clock.now(), Timestamp::from_second(2).unwrap());
    }

    #[tokio::test]
    async fn the_system_clock_sleeps_at_least_as_long_as_asked() {
        let clock = SystemClock::new();
        let before = clock.monotonic();
        clock.sleep(Duration::from_millis(2)).await;
        assert!(clock.monotonic() - before >= Duration::from_millis(2));
    }

    #[test]
    fn a_step_moves_the_wall_clock_alone() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.step(SignedDuration::from_hours(1));
        assert_eq!(clock.monotonic(), Duration::ZERO);
        assert_eq!(clock.now(), Timestamp::from_second(3600).unwrap());
    }
}
