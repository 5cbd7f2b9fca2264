//! Tasks newest first, of one App or of many.
//!
//! Within an App the order is that of the ids; Apps are merged by the time of the claim. Should the
//! clock have been set back, a task counts as claimed no later than the tasks after it: each listing
//! is one sequence, a [`Position`] cuts it at one place, and pages cover it exactly once while new
//! tasks arrive.
//!
//! What is found comes without its overrides: no listing shows them, and a page of them has no bound.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};

use crate::app::AppName;
use crate::job::JobName;
use crate::store::{Store, StoreError, Tasks};
use crate::task::{Overrides, Phase, Task, TaskId};

/// A page that holds anything is looked for in no more records than these.
const MOST_SCANNED: usize = 20_000;

/// Which tasks are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) job: Option<JobName>,
    pub(super) phase: Option<Phase>,
}

impl Filter {
    fn takes(&self, task: &Task) -> bool {
        self.phase.is_none_or(|phase| task.phase == phase)
            && self.job.as_ref().is_none_or(|job| task.job.as_ref() == Some(job))
    }
}

/// A place in the sequence. The greater one comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Microseconds since the epoch; of its App's newer tasks the earliest, where that is earlier.
    claimed: i64,
    app: AppName,
    id: TaskId,
}

impl Position {
    fn of(task: &Task, no_later_than: i64) -> Self {
        let claimed = task.created.as_microsecond().min(no_later_than);
        Self { claimed, app: task.app.clone(), id: task.id }
    }
}

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        let (claimed, id) = (self.claimed.cmp(&other.claimed), self.id.cmp(&other.id));
        claimed.then_with(|| other.app.cmp(&self.app)).then(id)
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Up to `limit` tasks behind `after`, and the position behind which there may be more. Where there may be
/// more, there is at least one.
///
/// # Errors
/// [`StoreError`].
pub(super) fn tasks(
    store: &Store,
    apps: impl IntoIterator<Item = AppName>,
    filter: &Filter,
    limit: usize,
    after: Option<&Position>,
) -> Result<(Vec<Task>, Option<Position>), StoreError> {
    if filter.phase.is_some_and(|phase| !phase.is_terminal()) {
        let apps = apps.into_iter().collect();
        return active(store, &apps, filter, limit, after);
    }
    let mut merged = Merged::new(store, apps, after)?;
    let (mut found, mut last) = (Vec::new(), None);
    for scanned in 0.. {
        let Some((position, task)) = merged.next()? else { return Ok((found, None)) };
        if found.len() == limit || (scanned >= MOST_SCANNED && !found.is_empty()) {
            break;
        }
        if filter.takes(&task) {
            found.push(bounded(task));
        }
        last = Some(position);
    }
    Ok((found, last))
}

/// The same of tasks that have not ended, which the store finds without looking at all the others.
fn active(
    store: &Store,
    apps: &BTreeSet<AppName>,
    filter: &Filter,
    limit: usize,
    after: Option<&Position>,
) -> Result<(Vec<Task>, Option<Position>), StoreError> {
    let mut found = Vec::new();
    for task in store.active_tasks() {
        let task = task?;
        let position = Position::of(&task, i64::MAX);
        let is_behind = after.is_none_or(|after| position < *after);
        if is_behind && apps.contains(&task.app) && filter.takes(&task) {
            found.push((position, bounded(task)));
        }
    }
    found.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|(position, _)| position.clone());
    Ok((found.into_iter().map(|(_, task)| task).collect(), last))
}

/// The task without what its caller may have made as large as a body.
fn bounded(task: Task) -> Task {
    Task { overrides: Overrides::default(), ..task }
}

/// The tasks of several Apps, merged.
struct Merged {
    heads: BinaryHeap<Head>,
}

/// An App's next task, and those behind it.
struct Head {
    position: Position,
    task: Task,
    rest: Tasks,
}

impl Merged {
    fn new(
        store: &Store,
        apps: impl IntoIterator<Item = AppName>,
        after: Option<&Position>,
    ) -> Result<Self, StoreError> {
        let mut heads = BinaryHeap::new();
        for app in apps {
            let own = after.filter(|after| after.app == app);
            let before = own.map(|after| after.id);
            let claimed = own.map_or(i64::MAX, |after| after.claimed);
            let mut head = head(claimed, store.tasks(&app, before))?;
            while let Some(passed) = head.take_if(|head| after.is_some_and(|after| head.position >= *after)) {
                head = passed.following()?;
            }
            heads.extend(head);
        }
        Ok(Self { heads })
    }

    fn next(&mut self) -> Result<Option<(Position, Task)>, StoreError> {
        let Some(Head { position, task, rest }) = self.heads.pop() else { return Ok(None) };
        self.heads.extend(head(position.claimed, rest)?);
        Ok(Some((position, task)))
    }
}

impl Head {
    fn following(self) -> Result<Option<Self>, StoreError> {
        head(self.position.claimed, self.rest)
    }
}

fn head(no_later_than: i64, mut rest: Tasks) -> Result<Option<Head>, StoreError> {
    let Some(task) = rest.next().transpose()? else { return Ok(None) };
    Ok(Some(Head { position: Position::of(&task, no_later_than), task, rest }))
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position.cmp(&other.position)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
    }
}

impl Eq for Head {}
