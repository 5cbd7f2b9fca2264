//! Rows of the ledger that retention no longer keeps.
//!
//! A range grows by being written again, from what the dispatcher remembers of it. So it is the dispatcher
//! that removes or shortens one: nobody else may write rows of slots.

use tokio::sync::oneshot;

use super::Dispatcher;
use super::table::NewestRow;
use crate::app::AppName;
use crate::job::JobRef;
use crate::retention::ForgottenSlots;
use crate::store::{Commit, SlotRow, StoreError};

impl Dispatcher {
    /// Removes or shortens these rows; those that have changed since they were looked at stay as they are.
    /// `reply` is sent when that is on disk.
    pub(super) fn forget_slots(
        &mut self,
        rows: Vec<ForgottenSlots>,
        reply: oneshot::Sender<Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let mut commit = Commit::new();
        for row in rows {
            self.forget(&row, &mut commit)?;
        }
        // Nobody may wait any more.
        self.commit(commit, move |durable| drop(reply.send(durable)));
        Ok(())
    }

    /// Removes all that is remembered of the jobs of an App that is no longer configured and has no tasks: their
    /// ledgers, what was decided about them, and when they last succeeded. `reply` is sent when that is on disk.
    pub(super) fn forget_app(
        &mut self,
        app: &AppName,
        reply: oneshot::Sender<Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let others = |job: &JobRef| job.app != *app;
        self.steering.retain(|job, _| others(job));
        self.pause_timers.retain(|_, job| others(job));
        self.previous_success.retain(|job, _| others(job));
        self.streaks.retain(|job, _| others(job));
        for commit in self.store.forgotten(app) {
            self.commit_later(commit?);
        }
        // Nobody may wait any more.
        self.commit(Commit::new(), move |durable| drop(reply.send(durable)));
        Ok(())
    }

    fn forget(&mut self, gone: &ForgottenSlots, commit: &mut Commit) -> Result<(), StoreError> {
        let place = self.table.place(&gone.job, &gone.schedule);
        let growing = match place.and_then(|place| self.table.get_mut(place)).map(|e| &mut e.newest_row) {
            Some(NewestRow::MayGrow(row)) if row.first == gone.first => Some(row),
            _ => None,
        };
        if growing.as_ref().is_some_and(|row| row.last != gone.last) {
            return Ok(());
        }
        let stays = match (gone.stays_from, &growing) {
            (None, _) => None,
            (Some(first), Some(row)) => Some(SlotRow { first, ..(***row).clone() }),
            (Some(first), None) => {
                let found = self.store.slots_of(&gone.job, &gone.schedule, gone.first..=gone.first).next();
                let Some(row) = found.transpose()?.filter(|row| row.last == gone.last) else { return Ok(()) };
                Some(SlotRow { first, ..row })
            }
        };
        commit.remove_slot(&gone.job, &gone.schedule, gone.first);
        if let Some(row) = &stays {
            commit.put_slot(&gone.job, row);
        }
        if let Some(place) = place.filter(|_| growing.is_some())
            && let Some(entry) = self.table.get_mut(place)
        {
            entry.newest_row = stays.map_or(NewestRow::Ends, |row| NewestRow::MayGrow(Box::new(row)));
        }
        Ok(())
    }
}
