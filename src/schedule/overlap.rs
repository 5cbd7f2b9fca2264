//! Whether a run starts beside others of its job.

use super::Overlap;
use crate::task::TaskId;

/// What happens to a run that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlapDecision {
    /// It starts.
    Start,
    /// It does not run, now or later.
    Skip {
        /// The oldest run in its way.
        because: TaskId,
    },
    /// These are cancelled; when they have ended, it starts.
    Replace {
        /// The runs, oldest first.
        cancel: Vec<TaskId>,
    },
}

/// Decides about a run that is due while `active` runs of its job, oldest first, have not ended.
pub fn decide_overlap(policy: Overlap, active: &[TaskId]) -> OverlapDecision {
    match (policy, active) {
        (Overlap::Allow, _) | (_, []) => OverlapDecision::Start,
        (Overlap::Skip, [oldest, ..]) => OverlapDecision::Skip { because: *oldest },
        (Overlap::Replace, active) => OverlapDecision::Replace { cancel: active.to_vec() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_in_every_small_state() {
        let ids = [TaskId(1), TaskId(2), TaskId(5)];
        for policy in [Overlap::Allow, Overlap::Skip, Overlap::Replace] {
            for count in 0..=ids.len() {
                let active = &ids[..count];
                let expected = match (policy, count) {
                    (_, 0) | (Overlap::Allow, _) => OverlapDecision::Start,
                    (Overlap::Skip, _) => OverlapDecision::Skip { because: TaskId(1) },
                    (Overlap::Replace, _) => OverlapDecision::Replace { cancel: active.to_vec() },
                };
                assert_eq!(decide_overlap(policy, active), expected, "{policy} beside {count}");
            }
        }
    }
}
