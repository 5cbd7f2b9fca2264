//! Watching memory where no control group fences it.

use std::time::Duration;

use crate::executor::local::process;

/// How often a task's memory is added up.
const INTERVAL: Duration = Duration::from_millis(200);

/// Adds up, now and then, what the descendants of this process hold.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    limit: u64,
    due: Duration,
}

impl MemoryWatch {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, due: Duration::ZERO }
    }

    /// When it wants to look next.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// The memory in use where that is above the limit. Looks only when it is due.
    pub(super) fn excess(&mut self, now: Duration) -> Option<u64> {
        if now < self.due {
            return None;
        }
        self.due = now + INTERVAL;
        let own = std::process::id().cast_signed();
        let used: u64 = process::descendants(own).into_iter().map(process::resident).sum();
        (used > self.limit).then_some(used)
    }
}
