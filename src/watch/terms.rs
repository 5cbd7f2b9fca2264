use jiff::{SignedDuration, Timestamp};

use super::breach::BreachKind;
use crate::notify::{Event, Tell};
use crate::task::Phase;

/// What a job promises, beyond its schedules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// A slot is late when its task has not started this long after it was due.
    pub late_after: Option<SignedDuration>,
    /// The longest time without a success.
    pub max_since_success: Option<SignedDuration>,
    /// A task is too long when it has run for this long.
    pub max_runtime: Option<SignedDuration>,
    /// How many failures in a row are a breach, and who is told of any breach.
    pub on_failure: Option<OnFailure>,
    /// Who is told that it is over; those who were told of it where nobody is named.
    pub on_recovery: Tell,
}

/// What is done about failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnFailure {
    /// So many in a row.
    pub after: u32,
    /// Who is told of this and any other breach of the job; who is told of all jobs where nobody is named.
    pub tell: Tell,
}

impl Watch {
    /// This, where it watches anything.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// Whether such a breach is one of what is promised.
    pub fn promises(&self, kind: BreachKind) -> bool {
        match kind {
            BreachKind::Late => self.late_after.is_some(),
            BreachKind::NoSuccess => self.max_since_success.is_some(),
            BreachKind::TooLong => self.max_runtime.is_some(),
            BreachKind::Failing => self.on_failure.is_some(),
        }
    }

    /// Who is told, where `default` is who is told of all jobs.
    pub fn told<'a>(&'a self, event: Event, default: &'a Tell) -> &'a Tell {
        let named = self.on_failure.as_ref().map(|on_failure| &on_failure.tell);
        let broken = named.filter(|tell| !tell.is_nobody()).unwrap_or(default);
        match event {
            Event::Recovered if !self.on_recovery.is_nobody() => &self.on_recovery,
            Event::Broken | Event::Recovered => broken,
        }
    }
}

/// How a job that is watched stands, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Since when it is watched.
    pub since: Timestamp,
    /// What it breaks, at most one of each kind.
    pub open: Vec<OpenBreach>,
}

/// A breach that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBreach {
    /// What is wrong.
    pub kind: BreachKind,
    /// Since when.
    pub since: Timestamp,
    /// Whether anybody is being told of it, and so will be told when it is over.
    pub told: bool,
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

impl Streak {
    /// This, when a run has ended so at `finished`, and for good where `is_last`. Who ended a run on purpose made it
    /// neither a failure nor a success.
    #[must_use]
    pub fn after(self, phase: Phase, finished: Timestamp, is_last: bool) -> Self {
        match phase {
            Phase::Succeeded => {
                Self { failures: 0, failing_since: None, last_success: self.last_success.max(Some(finished)) }
            }
            Phase::Failed | Phase::TimedOut | Phase::Lost if is_last => Self {
                failures: self.failures.saturating_add(1),
                failing_since: self.failing_since.or(Some(finished)),
                ..self
            },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_final_failures_count_and_a_success_ends_them() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for phase in Phase::ALL {
            let fails = matches!(phase, Phase::Failed | Phase::TimedOut | Phase::Lost);
            let before = Streak { failures: 2, failing_since: Some(at(1)), last_success: Some(at(0)) };
            assert_eq!(
                before.after(phase, at(5), false).failures,
                if phase == Phase::Succeeded { 0 } else { 2 }
            );
            let expected = match phase {
                Phase::Succeeded => Streak { failures: 0, failing_since: None, last_success: Some(at(5)) },
                _ if fails => Streak { failures: 3, ..before },
                _ => before,
            };
            assert_eq!(before.after(phase, at(5), true), expected, "{phase}");
            let first = Streak::default().after(phase, at(5), true);
            assert_eq!(first.failing_since, fails.then(|| at(5)), "{phase}");
        }
        let later = Streak { last_success: Some(at(9)), ..Streak::default() };
        assert_eq!(later.after(Phase::Succeeded, at(5), true), later, "one that began earlier may end later");
    }
}
