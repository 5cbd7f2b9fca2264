//! Whoever waits for a write of sled's that has failed hears of it within a second or two.
//!
//! sled writes a batch in two parts. Where the first fails it keeps the error, and wakes nobody: a flush that waits by then
//! would wait for ever, and a disk that takes its time to fail would hold the daemon up instead of ending it. Another
//! flush finds the error, and wakes all others with it.
//!
//! While nothing is written this sleeps. A write wakes it only from that sleep, and costs an atomic exchange else.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::set_current_timer_slack;

/// How often it is looked for an error while something is written.
const EVERY: Duration = Duration::from_secs(1);

/// How late that may be, in nanoseconds, to come together with other timers.
const SLACK: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("it is more than nothing");

/// Looks for an error of a tree while something is written to it.
pub(super) struct Alarm {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    writing: AtomicBool,
    /// Nobody need wake it.
    awake: AtomicBool,
    ended: AtomicBool,
}

impl Alarm {
    pub(super) fn over(tree: &sled::Db) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let (tree, looked_at) = (tree.clone(), Arc::clone(&state));
        let look = move || looked_at.look(&tree);
        let thread = std::thread::Builder::new().name("store-alarm".to_owned()).spawn(look)?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Something is written from now on.
    pub(super) fn on(&self) {
        self.state.writing.store(true, Ordering::SeqCst);
        if !self.state.awake.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// It is not any more.
    pub(super) fn off(&self) {
        self.state.writing.store(false, Ordering::SeqCst);
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl State {
    fn look(&self, tree: &sled::Db) {
        // Where the system does not allow it the timers come on time.
        let _ = set_current_timer_slack(Some(SLACK));
        while !self.ended.load(Ordering::SeqCst) {
            if self.writing.load(Ordering::SeqCst) {
                std::thread::park_timeout(EVERY);
                // Without an error this flush would wait with the others.
                if tree.context.global_error().is_err() {
                    // It says what is known.
                    let _ = tree.flush();
                }
                continue;
            }
            self.awake.store(false, Ordering::SeqCst);
            // Who began before that has woken nobody.
            if self.writing.load(Ordering::SeqCst) {
                self.awake.store(true, Ordering::SeqCst);
            } else {
                std::thread::park();
            }
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}
