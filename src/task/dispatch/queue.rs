//! What waits to start, in the order in which it will.
//!
//! Runs stand in *lanes*: those of a job that go one at a time in one, those that wait for a limit alone in
//! another, each backfill's in its own. A lane is open when its first run waits for nothing but limits.
//! Between lanes the order is by [`Place`]: what was moved to the front, then what has waited longest, then
//! backfills. A run that a limit keeps from starting holds up only those behind the same limit. Each step
//! costs the logarithm of what waits, however much that is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::limits::{Class, Limits};
use super::live::TaskKey;
use crate::app::AppName;
use crate::job::{GroupName, JobName, JobRef};
use crate::task::TaskId;

/// The rank of what was not moved.
pub(super) const IN_TURN: i64 = 0;

/// The rank of a backfill: it takes what others leave.
pub(super) const LAST: i64 = i64::MAX;

/// Where a run stands in the queue. The least goes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Below [`IN_TURN`] for what was moved to the front: the later, the lower.
    pub(super) rank: i64,
    /// Since when it may start.
    pub(super) since: Timestamp,
    pub(super) app: AppName,
    pub(super) id: TaskId,
}

impl Place {
    pub(super) fn key(&self) -> TaskKey {
        TaskKey { app: self.app.clone(), id: self.id }
    }
}

/// Runs of which only the first may be the next to start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane {
    pub(super) app: AppName,
    pub(super) job: Option<JobName>,
    /// Whether its runs start only when no other of their job runs.
    pub(super) alone: bool,
    /// The backfill whose runs they are.
    pub(super) batch: Option<Arc<str>>,
}

impl Lane {
    pub(super) fn job_ref(&self) -> Option<JobRef> {
        Some(JobRef::new(self.app.clone(), self.job.clone()?))
    }
}

#[derive(Debug)]
struct State {
    class: Class,
    /// By rank and id: the order in which they were claimed, whatever the clock said.
    runs: BTreeMap<(i64, TaskId), Place>,
    open: bool,
}

impl State {
    fn head(&self) -> Option<&Place> {
        self.runs.first_key_value().map(|(_, place)| place).filter(|_| self.open)
    }
}

/// All that waits to start.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: HashMap<Lane, State>,
    entries: HashMap<TaskKey, (Lane, Place)>,
    order: BTreeSet<Place>,
    /// The first runs of open lanes.
    heads: BTreeMap<Class, BTreeSet<Place>>,
    /// Of each class in a group the first run, where its App has room.
    of_group: HashMap<GroupName, BTreeSet<Place>>,
    shown: HashMap<Class, Place>,
    full_apps: BTreeSet<AppName>,
    of_job: HashMap<JobRef, BTreeSet<Lane>>,
}

impl Queue {
    /// A run waits from now on, in a lane that is open or not.
    pub(super) fn insert(&mut self, place: Place, lane: Lane, class: &Class, open: bool) {
        self.order.insert(place.clone());
        self.entries.insert(place.key(), (lane.clone(), place.clone()));
        if let Some(job) = lane.job_ref() {
            self.of_job.entry(job).or_default().insert(lane.clone());
        }
        let closed = || State { class: class.clone(), runs: BTreeMap::new(), open: false };
        self.lanes.entry(lane.clone()).or_insert_with(closed);
        self.change(&lane, |state| {
            state.open = open;
            state.runs.insert((place.rank, place.id), place);
        });
    }

    /// A run waits no more.
    pub(super) fn remove(&mut self, key: &TaskKey) -> Option<Place> {
        let (lane, place) = self.entries.remove(key)?;
        self.order.remove(&place);
        self.change(&lane, |state| {
            state.runs.remove(&(place.rank, place.id));
        });
        if self.lanes.get(&lane).is_some_and(|state| state.runs.is_empty()) {
            self.lanes.remove(&lane);
            if let Some(job) = lane.job_ref()
                && let Some(lanes) = self.of_job.get_mut(&job)
            {
                lanes.remove(&lane);
                if lanes.is_empty() {
                    self.of_job.remove(&job);
                }
            }
        }
        Some(place)
    }

    /// Moves a run before all others. Returns its new rank; none where it does not wait.
    pub(super) fn move_to_front(&mut self, key: &TaskKey) -> Option<i64> {
        let (lane, place) = self.entries.get(key)?.clone();
        let first = self.order.first().map_or(IN_TURN, |first| first.rank.min(IN_TURN));
        let moved = Place { rank: first - 1, ..place.clone() };
        self.order.remove(&place);
        self.order.insert(moved.clone());
        self.entries.insert(key.clone(), (lane.clone(), moved.clone()));
        self.change(&lane, |state| {
            state.runs.remove(&(place.rank, place.id));
            state.runs.insert((moved.rank, moved.id), moved);
        });
        Some(first - 1)
    }

    /// The lanes of a job in which something waits.
    pub(super) fn lanes_of(&self, job: &JobRef) -> Vec<Lane> {
        self.of_job.get(job).into_iter().flatten().cloned().collect()
    }

    pub(super) fn set_open(&mut self, lane: &Lane, open: bool) {
        if self.lanes.get(lane).is_some_and(|state| state.open != open) {
            self.change(lane, |state| state.open = open);
        }
    }

    /// The limit of this App was reached, or is so no more.
    pub(super) fn set_full(&mut self, app: &AppName, full: bool) {
        let changed = if full { self.full_apps.insert(app.clone()) } else { self.full_apps.remove(app) };
        if changed {
            for class in self.classes_of(app) {
                self.show(&class);
            }
        }
    }

    /// The run that starts next of those that count against either limit of `class`.
    pub(super) fn next(&self, class: &Class, limits: &Limits) -> Option<TaskKey> {
        let in_group = class.group.as_ref().filter(|group| limits.group_has_room(group));
        let in_group = in_group.and_then(|group| self.of_group.get(group)).and_then(BTreeSet::first);
        let has_room = |class: &&Class| class.group.as_ref().is_none_or(|group| limits.group_has_room(group));
        let of_app = match limits.app_has_room(&class.app) {
            true => self.classes_of(&class.app),
            false => Vec::new(),
        };
        let of_app = of_app.iter().filter(has_room).filter_map(|class| self.heads.get(class)?.first());
        of_app.chain(in_group).min().map(Place::key)
    }

    /// All classes in which a lane is open.
    pub(super) fn classes(&self) -> Vec<Class> {
        self.heads.keys().cloned().collect()
    }

    /// What waits, in order, behind `after`.
    pub(super) fn places(&self, after: Option<&Place>) -> impl Iterator<Item = &Place> {
        let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.order.range((from, std::ops::Bound::Unbounded))
    }

    pub(super) fn place(&self, key: &TaskKey) -> Option<&Place> {
        self.entries.get(key).map(|(_, place)| place)
    }

    pub(super) fn lane(&self, key: &TaskKey) -> Option<&Lane> {
        self.entries.get(key).map(|(lane, _)| lane)
    }

    /// The run that goes first in this lane.
    pub(super) fn first_of(&self, lane: &Lane) -> Option<TaskId> {
        self.lanes.get(lane)?.runs.first_key_value().map(|(_, place)| place.id)
    }

    fn classes_of(&self, app: &AppName) -> Vec<Class> {
        let first = Class { app: app.clone(), group: None, counts: true };
        self.heads
            .range(first..)
            .map(|(class, _)| class)
            .take_while(|class| class.app == *app)
            .cloned()
            .collect()
    }

    /// Changes a lane, and what others know of its first run.
    fn change(&mut self, lane: &Lane, change: impl FnOnce(&mut State)) {
        let Some(state) = self.lanes.get_mut(lane) else { return };
        let before = state.head().cloned();
        change(state);
        let after = state.head().cloned();
        if before == after {
            return;
        }
        let class = state.class.clone();
        let heads = self.heads.entry(class.clone()).or_default();
        if let Some(before) = before {
            heads.remove(&before);
        }
        heads.extend(after);
        if heads.is_empty() {
            self.heads.remove(&class);
        }
        self.show(&class);
    }

    fn show(&mut self, class: &Class) {
        let Some(group) = &class.group else { return };
        let first = self.heads.get(class).and_then(BTreeSet::first);
        let first = first.filter(|_| !self.full_apps.contains(&class.app)).cloned();
        let before = match &first {
            Some(place) => self.shown.insert(class.clone(), place.clone()),
            None => self.shown.remove(class),
        };
        let shown = self.of_group.entry(group.clone()).or_default();
        if let Some(before) = before {
            shown.remove(&before);
        }
        shown.extend(first);
        if shown.is_empty() {
            self.of_group.remove(group);
        }
    }
}
