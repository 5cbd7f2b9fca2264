use std::sync::Arc;

use jiff::Timestamp;

use crate::schedule::Schedule;

/// What somebody has decided about the slots of a job, beside its configuration. It outlives edits, and the
/// service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steering {
    /// Slots are skipped for as long as there is one.
    pub pause: Option<Pause>,
    /// The next slots that would run are skipped.
    pub skip_next: Option<SkipNext>,
}

/// A pause of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// Who asked for it, as they call themselves.
    pub by: Option<String>,
    /// What for.
    pub note: Option<String>,
}

/// Slots that are to be skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkipNext {
    /// How many, from now on.
    pub left: u32,
    /// Who asked for it, as they call themselves.
    pub by: Option<String>,
}

impl Pause {
    /// Who asked for it and what for, in words that follow `paused`.
    pub fn told(&self) -> Option<String> {
        match (&self.by, &self.note) {
            (Some(by), Some(note)) => Some(format!("by {by}: {note}")),
            (Some(by), None) => Some(format!("by {by}")),
            (None, Some(note)) => Some(format!("for: {note}")),
            (None, None) => None,
        }
    }
}

impl Steering {
    /// Whether nobody has decided anything.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The pause at `now`; none where it has ended by itself.
    pub fn pause_at(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// The next slot of each schedule that is neither in the pause nor skipped ahead.
    pub fn next_slots(&self, schedules: &[Arc<Schedule>], now: Timestamp) -> Vec<Option<Timestamp>> {
        let from = self.pause_at(now).map_or(Some(now), |pause| pause.until);
        let mut next: Vec<_> = schedules.iter().map(|schedule| schedule.next_after(from?)).collect();
        for _ in 0..self.left_to_skip() {
            let earliest = next.iter_mut().zip(schedules).filter(|(slot, _)| slot.is_some());
            let Some((slot, schedule)) = earliest.min_by_key(|(slot, _)| **slot) else { break };
            *slot = slot.and_then(|slot| schedule.next_after(slot));
        }
        next
    }

    /// How many of the next slots are skipped.
    pub fn left_to_skip(&self) -> u32 {
        self.skip_next.as_ref().map_or(0, |skip| skip.left)
    }
}
