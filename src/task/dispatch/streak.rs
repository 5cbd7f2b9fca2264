//! How the runs of jobs that are watched end, written down with each end: a restart forgets no failure.

use super::Dispatcher;
use crate::job::JobRef;
use crate::store::Commit;
use crate::task::Task;
use crate::watch::Streak;

impl Dispatcher {
    /// Counts the end of a run. Where it is tried again, `is_last` is false.
    pub(super) fn note_streak(&mut self, task: &Task, is_last: bool, commit: &mut Commit) {
        let Some(job) = task.job_ref().filter(|job| self.is_watched(job)) else { return };
        let (Some(finished), Some(before)) = (task.finished, self.streak(&job)) else { return };
        let after = before.after(task.phase, finished, is_last);
        if after != before {
            commit.put_streak(&job, &after);
        }
        self.streaks.insert(job, after);
    }

    fn streak(&self, job: &JobRef) -> Option<Streak> {
        if let Some(known) = self.streaks.get(job) {
            return Some(*known);
        }
        let stored = self.store.streak(job);
        stored
            .inspect_err(|error| tracing::warn!(%job, %error, "nobody knows how this job's runs ended"))
            .ok()
    }

    /// What jobs that are no longer watched did is nobody's business.
    pub(super) fn forget_streaks(&mut self) {
        let config = std::sync::Arc::clone(&self.config);
        self.streaks.retain(|job, _| config.is_watched(job));
    }

    fn is_watched(&self, job: &JobRef) -> bool {
        self.config.is_watched(job)
    }
}
