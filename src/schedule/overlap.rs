use super::Overlap;
use crate::task::TaskId;

/// What becomes of a run that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlapDecision {
    /// It starts.
    Start,
    /// It is skipped for good.
    Skip {
        /// The oldest of the active runs.
        because: TaskId,
    },
    /// It starts when all of these have been cancelled and have ended.
    Replace {
        /// The active runs, oldest first.
        cancel: Vec<TaskId>,
    },
}

/// Decides about a run that is due while the `active` runs of its job, oldest first, have not ended.
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

    /// Every state of up to four active runs.
    fn states() -> impl Iterator<Item = Vec<TaskId>> {
        (0..16_u64).map(|bits| (1..=4).filter(|id| bits & (1 << (id - 1)) != 0).map(TaskId).collect())
    }

    #[test]
    fn in_every_small_state_each_policy_does_what_its_name_says() {
        for active in states() {
            let expected = |policy| match policy {
                _ if active.is_empty() => OverlapDecision::Start,
                Overlap::Allow => OverlapDecision::Start,
                Overlap::Skip => OverlapDecision::Skip { because: active[0] },
                Overlap::Replace => OverlapDecision::Replace { cancel: active.clone() },
            };
            for policy in [Overlap::Allow, Overlap::Skip, Overlap::Replace] {
                assert_eq!(decide_overlap(policy, &active), expected(policy), "{policy} with {active:?}");
            }
        }
    }
}
