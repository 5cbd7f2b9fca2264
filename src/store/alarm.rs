//! Whoever waits for a write of sled's that has failed hears of it within a second or two.
//!
//! sled writes a batch in two parts. Where the first fails it keeps the error, and wakes nobody: a flush that waits by then
//! would wait for ever, and a disk that takes its time to fail would hold the daemon up instead of ending it. Another
//! flush finds the error, and wakes all others with it.
//!
//! A disk that neither takes a write nor fails is told of too: in the log, and to who asks.
//!
//! While nothing is written this sleeps. A write wakes it only from that sleep, and costs two atomic stores else.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::set_current_timer_slack;

use crate::clock::SharedClock;

/// How often it is looked for an error while something is written.
const EVERY: Duration = Duration::from_secs(1);

/// How late that may be, in nanoseconds, to come together with other timers.
const SLACK: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("it is more than nothing");

/// A write that takes longer is one that the disk may never take.
const STALLED: Duration = Duration::from_secs(5);

/// Looks after what is written to a tree.
pub(super) struct Alarm {
    watched: Watched,
    thread: Option<JoinHandle<()>>,
}

/// What is being written.
#[derive(Clone)]
pub(super) struct Watched {
    state: Arc<State>,
    clock: SharedClock,
}

#[derive(Default)]
struct State {
    /// When the write began that is under way, in microseconds of the clock that only goes forward, and one more; nothing is zero.
    began: AtomicU64,
    /// Nobody need wake it.
    awake: AtomicBool,
    ended: AtomicBool,
}

impl Alarm {
    pub(super) fn over(tree: &sled::Db, clock: SharedClock) -> std::io::Result<Self> {
        let watched = Watched { state: Arc::new(State::default()), clock };
        let (tree, looked_at) = (tree.clone(), watched.clone());
        let look = move || looked_at.look(&tree);
        let thread = std::thread::Builder::new().name("store-alarm".to_owned()).spawn(look)?;
        Ok(Self { watched, thread: Some(thread) })
    }

    pub(super) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// Something is written, which began at `began`.
    pub(super) fn on(&self, began: Duration) {
        self.watched.state.began.store(began.as_micros() as u64 + 1, Ordering::SeqCst);
        if !self.watched.state.awake.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// It is not any more.
    pub(super) fn off(&self) {
        self.watched.state.began.store(0, Ordering::SeqCst);
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Watched {
    /// For how long the disk has not taken what is written, where that is long.
    pub(super) fn stalled(&self) -> Option<Duration> {
        self.stalled_since(self.state.began.load(Ordering::SeqCst))
    }

    fn stalled_since(&self, began: u64) -> Option<Duration> {
        let began = Duration::from_micros(began.checked_sub(1)?);
        Some(self.clock.monotonic().saturating_sub(began)).filter(|took| *took >= STALLED)
    }

    fn look(&self, tree: &sled::Db) {
        // Where the system does not allow it the timers come on time.
        let _ = set_current_timer_slack(Some(SLACK));
        let state = &self.state;
        // The write that was told of.
        let mut told = 0;
        while !state.ended.load(Ordering::SeqCst) {
            let began = state.began.load(Ordering::SeqCst);
            if told != 0 && told != began {
                tracing::info!("the disk has answered");
                told = 0;
            }
            if began != 0 {
                std::thread::park_timeout(EVERY);
                // Without an error this flush would wait with the others.
                if tree.context.global_error().is_err() {
                    // It says what is known.
                    let _ = tree.flush();
                } else if told == 0
                    && let Some(took) = self.stalled_since(began)
                    && state.began.load(Ordering::SeqCst) == began
                {
                    tracing::warn!(
                        seconds = took.as_secs(),
                        "the disk has not taken a write; nothing is acknowledged meanwhile"
                    );
                    told = began;
                }
                continue;
            }
            state.awake.store(false, Ordering::SeqCst);
            // Who began before that has woken nobody.
            if state.began.load(Ordering::SeqCst) != 0 {
                state.awake.store(true, Ordering::SeqCst);
            } else {
                std::thread::park();
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.watched.state.ended.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}
