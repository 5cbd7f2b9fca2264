//! Whoever waits for a write of sled's that has failed hears of it within a second or two.
//!
//! sled writes a batch in two parts. Where the first fails it keeps the error, and wakes nobody: a flush that waits by then
//! would wait for ever, and a disk that takes its time to fail would hold the daemon up instead of ending it. Another
//! flush finds the error, and wakes all others with it.

use std::num::NonZeroU64;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::thread::set_current_timer_slack;

/// How often it is looked for an error.
const EVERY: Duration = Duration::from_secs(1);

/// How late that may be, in nanoseconds, to come together with other timers.
const SLACK: NonZeroU64 = NonZeroU64::new(1_000_000_000).expect("it is more than nothing");

/// Looks for an error of a tree until it is dropped.
pub(super) struct Alarm {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Alarm {
    pub(super) fn over(tree: &sled::Db) -> std::io::Result<Self> {
        let tree = tree.clone();
        let (end, ended) = channel();
        let look = move || {
            // Where the system does not allow it they come on time.
            let _ = set_current_timer_slack(Some(SLACK));
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // Without an error this flush would wait with the others.
                if tree.context.global_error().is_err() {
                    // It says what is known.
                    let _ = tree.flush();
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-alarm".to_owned()).spawn(look)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}
