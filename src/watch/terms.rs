use jiff::{SignedDuration, Timestamp};

/// What a job promises, beyond its schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// A slot is late when its task has not started this long after it was due.
    pub late_after: Option<SignedDuration>,
    /// The longest time without a success.
    pub max_since_success: Option<SignedDuration>,
    /// A task is too long when it has run for this long.
    pub max_runtime: Option<SignedDuration>,
}

impl Watch {
    /// This, where it watches anything.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// How the runs of a job have ended of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streak {
    /// Runs that failed for good since the last success.
    pub failures: u32,
    /// When the first of those ended.
    pub failing_since: Option<Timestamp>,
    /// When the last successful run ended.
    pub last_success: Option<Timestamp>,
}
