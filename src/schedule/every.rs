/// Instants at a fixed distance, whatever the clocks do: anchored to the epoch, `phase` seconds after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Every {
    /// Seconds, at least 1.
    pub(super) interval: i64,
    /// Seconds below the interval.
    pub(super) phase: i64,
}

impl Every {
    /// The first one after a second since the epoch.
    pub(super) fn next_after(self, after: i64) -> i64 {
        let passed = (after - self.phase).div_euclid(self.interval) + 1;
        self.phase + passed.max(0) * self.interval
    }

    /// The last one at or before a second since the epoch.
    pub(super) fn last_until(self, until: i64) -> Option<i64> {
        let passed = (until - self.phase).div_euclid(self.interval);
        (passed >= 0).then(|| self.phase + passed * self.interval)
    }
}
