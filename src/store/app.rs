//! All that is kept of one App.

use super::commit::Commit;
use super::error::StoreError;
use super::key::{self, Kind};
use super::open::Store;
use super::record::{self, unreadable};
use super::slot::SlotRow;
use crate::app::AppName;
use crate::job::JobRef;
use crate::task::TaskId;

/// The most rows of one commit: a larger one would hold every other writer up.
const ROWS_PER_COMMIT: usize = 1024;

/// What is kept of an App's jobs beside its tasks.
const OF_JOBS: [Kind; 7] = [
    Kind::Job,
    Kind::PreviousSuccess,
    Kind::Slot,
    Kind::Standing,
    Kind::Steering,
    Kind::Streak,
    Kind::Watermark,
];

impl Store {
    /// The tasks of `app` that have not ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn active_tasks_of(&self, app: &AppName) -> Result<Vec<TaskId>, StoreError> {
        let rows = self.tree().scan_prefix(key::active_of(app)).map(|row| {
            let (at, _) = row.map_err(|error| StoreError::Read { message: error.to_string() })?;
            let parts = key::parts_of_task(&at);
            parts.map(|(_, id)| id).ok_or_else(|| unreadable("active", &at, "a key of another shape"))
        });
        rows.collect()
    }

    /// The first rows of the ledgers of `app`, each with its job, at most `most`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn slots_of_app(&self, app: &AppName, most: usize) -> Result<Vec<(JobRef, SlotRow)>, StoreError> {
        let rows = self.tree().scan_prefix(key::of_app(Kind::Slot, app)).take(most).map(|row| {
            let (at, value) = row.map_err(|error| StoreError::Read { message: error.to_string() })?;
            let (job, _) =
                key::ledger_of_slot(&at).ok_or_else(|| unreadable("slot", &at, "a key of another shape"))?;
            Ok((job, record::decode_slot(&at, &value)?))
        });
        rows.collect()
    }

    /// What removes all that is kept of the jobs of `app` beside its tasks, in parts.
    pub fn forgotten(&self, app: &AppName) -> impl Iterator<Item = Result<Commit, StoreError>> + use<> {
        let tree = self.tree().clone();
        let prefixes = OF_JOBS.map(|kind| key::of_app(kind, app));
        let mut rows = prefixes.into_iter().flat_map(move |prefix| tree.scan_prefix(prefix));
        std::iter::from_fn(move || {
            let mut commit = Commit::new();
            for row in rows.by_ref().take(ROWS_PER_COMMIT) {
                match row {
                    Ok((at, _)) => {
                        commit.delete(at.to_vec());
                    }
                    Err(error) => return Some(Err(StoreError::Read { message: error.to_string() })),
                }
            }
            (!commit.is_empty()).then_some(Ok(commit))
        })
    }
}
