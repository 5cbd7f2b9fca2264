use std::collections::BTreeSet;

use super::Overlap;
use crate::task::TaskId;

/// The runs of a job that have not ended.
#[derive(Debug, Clone, Copy)]
pub struct Runs<'a> {
    /// Those that have the job's turn: started, about to start, or between two attempts.
    pub running: &'a BTreeSet<TaskId>,
    /// Those that wait to start. A backfill's are not among them: they stand behind everybody.
    pub waiting: &'a BTreeSet<TaskId>,
}

static NONE: BTreeSet<TaskId> = BTreeSet::new();

impl Runs<'_> {
    /// No runs at all.
    pub const NONE: Runs<'static> = Runs { running: &NONE, waiting: &NONE };

    fn oldest(&self) -> Option<TaskId> {
        self.running.first().into_iter().chain(self.waiting.first()).min().copied()
    }
}

/// A `max_running`, and how many count against it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The most that may run at once.
    pub most: u32,
    /// How many do. More than the most after an edit that lowered it.
    pub running: usize,
}

impl Limit {
    /// Whether one more may start.
    pub fn has_room(self) -> bool {
        self.running < usize::try_from(self.most).unwrap_or(usize::MAX)
    }
}

/// What bounds a run beside its job's overlap policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// That of its App.
    pub app: Option<Limit>,
    /// That of its group.
    pub group: Option<Limit>,
}

/// What a waiting run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// This run of its job, which goes first.
    Run(TaskId),
    /// Room among the runs of its App.
    App(Limit),
    /// Room among the runs of its group.
    Group(Limit),
}

/// What becomes of a run that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlapDecision {
    /// It starts.
    Start {
        /// The runs that are ended in its favour, those that wait first.
        cancel: Vec<TaskId>,
    },
    /// It is claimed, and starts when nothing is in its way any more.
    Wait {
        /// The runs that are ended in its favour, those that wait first.
        cancel: Vec<TaskId>,
        /// What is in its way now.
        behind: Blocker,
    },
    /// It is skipped for good.
    Skip {
        /// The run that is in its way.
        because: TaskId,
    },
    /// It is skipped for good: too many of its job wait.
    Full,
}

/// Decides about a run that is due beside the other `runs` of its job, of which at most `queue` may wait.
pub fn decide_overlap(policy: Overlap, runs: Runs<'_>, limits: Limits, queue: usize) -> OverlapDecision {
    let replaces = matches!(policy, Overlap::Replace | Overlap::ReplaceNow);
    let refused = match policy {
        Overlap::Skip => runs.oldest(),
        Overlap::QueueOne => runs.waiting.first().copied(),
        _ => None,
    };
    if let Some(because) = refused {
        return OverlapDecision::Skip { because };
    }
    let (waiting, cancel) = match replaces {
        true => (&NONE, runs.waiting.iter().chain(runs.running).copied().collect()),
        false => (runs.waiting, Vec::new()),
    };
    let ahead = runs.running.first().or(waiting.first()).copied();
    match blocker(policy, ahead, limits) {
        None => OverlapDecision::Start { cancel },
        Some(_) if waiting.len() >= queue => OverlapDecision::Full,
        Some(behind) => OverlapDecision::Wait { cancel, behind },
    }
}

/// What keeps a run from starting, where `ahead` is the run of its job that goes first.
pub fn blocker(policy: Overlap, ahead: Option<TaskId>, limits: Limits) -> Option<Blocker> {
    let ahead = ahead.filter(|_| policy.is_alone()).map(Blocker::Run);
    let app = limits.app.filter(|limit| !limit.has_room()).map(Blocker::App);
    let group = limits.group.filter(|limit| !limit.has_room()).map(Blocker::Group);
    ahead.or(app).or(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICIES: [Overlap; 6] = Overlap::ALL;

    /// Every way in which up to four runs are running, waiting, or not there.
    fn states() -> impl Iterator<Item = (BTreeSet<TaskId>, BTreeSet<TaskId>)> {
        (0..81_u64).map(|state| {
            let place = move |id: u32| state / 3_u64.pow(id) % 3;
            let those = move |wanted| {
                (0..4).filter(move |id| place(*id) == wanted).map(|id| TaskId(u64::from(id) + 1))
            };
            (those(1).collect(), those(2).collect())
        })
    }

    fn limits() -> impl Iterator<Item = Limits> {
        let each = || [None, Some(0), Some(1), Some(2), Some(3)];
        let limit = |running: Option<usize>| running.map(|running| Limit { most: 2, running });
        each()
            .into_iter()
            .flat_map(move |app| each().map(|group| Limits { app: limit(app), group: limit(group) }))
    }

    /// What each policy's name says, in the words of its description.
    fn expected(
        policy: Overlap,
        running: &BTreeSet<TaskId>,
        waiting: &BTreeSet<TaskId>,
        full: Option<Blocker>,
        queue: usize,
    ) -> OverlapDecision {
        let all: BTreeSet<TaskId> = running | waiting;
        let others: Vec<TaskId> = waiting.iter().chain(running).copied().collect();
        let first = running.first().or(waiting.first()).copied();
        let waits = |behind: Blocker, cancel: Vec<TaskId>, waiting: usize| match waiting < queue {
            true => OverlapDecision::Wait { cancel, behind },
            false => OverlapDecision::Full,
        };
        let starts = |cancel: Vec<TaskId>, waiting: usize| match full {
            None => OverlapDecision::Start { cancel },
            Some(limit) => waits(limit, cancel, waiting),
        };
        match policy {
            Overlap::Allow => starts(vec![], waiting.len()),
            Overlap::Skip => match all.first() {
                Some(oldest) => OverlapDecision::Skip { because: *oldest },
                None => starts(vec![], 0),
            },
            Overlap::QueueOne => match (waiting.first(), running.first()) {
                (Some(waits), _) => OverlapDecision::Skip { because: *waits },
                (None, Some(runs)) => waits(Blocker::Run(*runs), vec![], 0),
                (None, None) => starts(vec![], 0),
            },
            Overlap::QueueAll => match first {
                Some(first) => waits(Blocker::Run(first), vec![], waiting.len()),
                None => starts(vec![], 0),
            },
            Overlap::Replace => match running.first() {
                Some(runs) => waits(Blocker::Run(*runs), others, 0),
                None => starts(others, 0),
            },
            Overlap::ReplaceNow => starts(others, 0),
        }
    }

    #[test]
    fn in_every_small_state_each_policy_does_what_its_name_says() {
        let mut seen = 0;
        for (running, waiting) in states() {
            for limits in limits() {
                let full = |limit: Option<Limit>| limit.filter(|limit| limit.running >= 2);
                let app = full(limits.app).map(Blocker::App);
                let full = app.or(full(limits.group).map(Blocker::Group));
                for policy in POLICIES {
                    for queue in 1..4 {
                        let runs = Runs { running: &running, waiting: &waiting };
                        assert_eq!(
                            decide_overlap(policy, runs, limits, queue),
                            expected(policy, &running, &waiting, full, queue),
                            "{policy}: {running:?} run, {waiting:?} wait, {limits:?}, {queue} may wait"
                        );
                        seen += 1;
                    }
                }
            }
        }
        assert_eq!(seen, 81 * 25 * 6 * 3);
    }

    #[test]
    fn nothing_starts_beside_a_limit_that_is_reached_and_only_some_beside_another_run() {
        for limits in limits() {
            for policy in POLICIES {
                for ahead in [None, Some(TaskId(7))] {
                    let starts = blocker(policy, ahead, limits).is_none();
                    let room = [limits.app, limits.group].into_iter().flatten().all(Limit::has_room);
                    let beside = matches!(policy, Overlap::Allow | Overlap::ReplaceNow);
                    assert_eq!(starts, room && (beside || ahead.is_none()), "{policy} {ahead:?} {limits:?}");
                }
            }
        }
    }
}
