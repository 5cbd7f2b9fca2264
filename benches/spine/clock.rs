//! The real clock, moved such that a slot of a cron expression is due soon.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tekcron::clock::{Clock, SystemClock};

/// Runs as fast as the real one, and shows another time.
#[derive(Debug)]
pub(crate) struct MovedClock {
    real: SystemClock,
    began: Instant,
    shown: Timestamp,
}

/// When the slot of `0 0 * * *` is due on a [`MovedClock`].
const MIDNIGHT: &str = "2030-01-01T00:00:00Z";

impl MovedClock {
    /// A clock that strikes midnight after `lead`.
    pub(crate) fn before_midnight(lead: Duration) -> Self {
        let midnight: Timestamp = MIDNIGHT.parse().expect("it is a time");
        Self { real: SystemClock::new(), began: Instant::now(), shown: midnight - lead }
    }

    /// The real instant of its midnight.
    pub(crate) fn midnight(&self) -> Instant {
        let midnight: Timestamp = MIDNIGHT.parse().expect("it is a time");
        self.began + Duration::try_from(midnight.duration_since(self.shown)).expect("it lies ahead")
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        self.shown + self.began.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.real.sleep(duration)
    }
}
