//! Jobs: a named command on an App, with zero or more schedules.
//!
//! A job is called `APP.JOB`, or `JOB` where that is unique. A job without schedules runs by hand.

mod name;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

pub use self::name::{JobName, JobRef, JobRefError};
use crate::app::{Command, Resources, Timeout};
use crate::schedule::{Overlap, Schedule, ScheduleKey};

/// A named command on an App.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The name, unique within the App.
    pub name: JobName,
    /// When it runs; empty for a job run by hand.
    pub schedules: Vec<Arc<Schedule>>,
    /// Whether it was created by command, and stands in no file.
    pub stored: bool,
    /// What its runs are. Jobs that say the same share it.
    pub terms: Arc<Terms>,
}

/// What a job says of its runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// The command; the App's where unset.
    pub command: Option<Command>,
    /// Environment beside, and over, the App's.
    pub env: BTreeMap<String, String>,
    /// Limits over the App's.
    pub resources: Resources,
    /// How long a run may take; the App's where unset.
    pub timeout: Option<Timeout>,
    /// What happens to a slot that is due while a run of this job is active.
    pub overlap: Overlap,
    /// Whether and how a failed run is tried again.
    pub retries: Retries,
}

/// What a schedule says of its runs, over what the job says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    /// The command; the job's where unset.
    pub command: Option<Command>,
    /// Environment beside, and over, the job's.
    pub env: BTreeMap<String, String>,
}

impl Job {
    /// What the schedule of a slot says of its runs; none for a run by hand.
    pub fn parameters(&self, schedule: Option<&ScheduleKey>) -> Option<&Parameters> {
        let schedule = self.schedules.iter().find(|known| Some(&known.key) == schedule)?;
        schedule.parameters.as_deref()
    }
}

/// Whether and how failed runs are tried again. `failed` and `timed-out` are retried, `cancelled`
/// never, `lost` on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How many more attempts follow the first; 0 for none.
    pub attempts: u32,
    /// The wait before the first retry; doubled for each further one.
    pub backoff: SignedDuration,
    /// The longest wait.
    pub max_backoff: SignedDuration,
    /// Whether a `lost` run is retried too.
    pub on_lost: bool,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 0,
            backoff: SignedDuration::from_secs(10),
            max_backoff: SignedDuration::from_mins(10),
            on_lost: false,
        }
    }
}
