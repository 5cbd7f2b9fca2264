use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

use super::commit::Commit;
use super::error::StoreError;
use super::open::Store;
use super::record::{self, IdempotencyV1, Watermark};
use super::slot::SlotRow;
use super::{key, record::unreadable};
use crate::app::{AppName, ServiceName};
use crate::config::{Stored, StoredApp, StoredJob, StoredJobs, StoredService};
use crate::job::{JobRef, Steering};
use crate::notify::Notice;
use crate::push::Revisions;
use crate::schedule::ScheduleKey;
use crate::task::{Task, TaskId, TaskName};
use crate::watch::{Standing, Streak};

/// Tasks of one App, newest first.
pub struct Tasks {
    rows: sled::Iter,
}

impl Iterator for Tasks {
    type Item = Result<Task, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next_back()?;
        Some(row.map_err(read_error).and_then(|(key, value)| record::decode_task(&key, &value)))
    }
}

impl Store {
    /// The task `id` of `app`.
    ///
    /// # Errors
    /// [`StoreError`]; no such task is not an error.
    pub fn task(&self, app: &AppName, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.task_at(&key::task(app, id))
    }

    /// The task called `name`, looked for among those of each App that the name may begin with, newest first.
    ///
    /// # Errors
    /// [`StoreError`]; no such task is not an error.
    pub fn task_named(&self, name: &TaskName) -> Result<Option<Task>, StoreError> {
        for app in self.apps_of_name(name)? {
            for row in self.tree().scan_prefix(key::tasks_of(&app)).rev() {
                let (at, value) = row.map_err(read_error)?;
                if record::name_of_task(&at, &value)? == name.as_str() {
                    return record::decode_task(&at, &value).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The Apps that may have a task called `name`; one whose own name did not fit into it must have had tasks.
    fn apps_of_name(&self, name: &TaskName) -> Result<Vec<AppName>, StoreError> {
        let mut apps = name.apps();
        if let Some(beginning) = name.beginning_of_app() {
            for row in self.tree().scan_prefix(key::counters_from(&beginning)) {
                let (at, _) = row.map_err(read_error)?;
                let app =
                    key::app_of(&at).ok_or_else(|| unreadable("counter", &at, "a key of another shape"))?;
                if !apps.contains(&app) {
                    apps.push(app);
                }
            }
        }
        Ok(apps)
    }

    /// The tasks of `app`, newest first, those before `before` where it is given.
    pub fn tasks(&self, app: &AppName, before: Option<TaskId>) -> Tasks {
        let first = key::task(app, TaskId(0));
        let end = key::task(app, before.unwrap_or(TaskId(u64::MAX)));
        Tasks { rows: self.tree().range(first..end) }
    }

    /// Every task that has not ended, oldest first within its App. One at a time: all of them may be large.
    pub fn active_tasks(&self) -> impl Iterator<Item = Result<Task, StoreError>> {
        self.tree().scan_prefix(key::all_active()).map(|row| {
            let (active, _) = row.map_err(read_error)?;
            let at = key::task_of_active(&active);
            self.task_at(&at)?.ok_or_else(|| unreadable("task", &at, "it is missing"))
        })
    }

    /// The waiting tasks that were moved to the front of the queue, with their ranks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn fronts(&self) -> Result<Vec<(AppName, TaskId, i64)>, StoreError> {
        let rows = self.tree().scan_prefix(key::all_fronts()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            let (app, id) =
                key::parts_of_task(&at).ok_or_else(|| unreadable("front", &at, "a key of another shape"))?;
            Ok((app, id, record::decode("front", &at, &value)?))
        });
        rows.collect()
    }

    /// The highest task id ever given on each App.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn counters(&self) -> Result<BTreeMap<AppName, TaskId>, StoreError> {
        let mut counters = BTreeMap::new();
        for row in self.tree().scan_prefix(key::all_counters()) {
            let (at, value) = row.map_err(read_error)?;
            let app = key::app_of(&at).ok_or_else(|| unreadable("counter", &at, "a key of another shape"))?;
            counters.insert(app, record::decode_counter(&at, &value)?);
        }
        Ok(counters)
    }

    /// All that was made by command.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stored(&self) -> Result<Stored, StoreError> {
        Ok(Stored {
            apps: self.stored_apps()?,
            services: self.stored_services()?,
            jobs: self.stored_jobs()?,
            revisions: self.revisions()?,
        })
    }

    fn stored_apps(&self) -> Result<BTreeMap<AppName, StoredApp>, StoreError> {
        let rows = self.tree().scan_prefix(key::all_apps()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            let app = key::app_of(&at).ok_or_else(|| unreadable("app", &at, "a key of another shape"))?;
            Ok((app, record::decode_app(&at, &value)?))
        });
        rows.collect()
    }

    fn revisions(&self) -> Result<BTreeMap<AppName, Revisions>, StoreError> {
        let mut revisions = BTreeMap::<AppName, Revisions>::new();
        for row in self.tree().scan_prefix(key::all_revisions()) {
            let (at, value) = row.map_err(read_error)?;
            let (app, revision) = record::decode_revision(&at, &value)?;
            revisions.entry(app).or_default().insert(revision.number, revision);
        }
        Ok(revisions)
    }

    fn stored_services(&self) -> Result<BTreeMap<ServiceName, StoredService>, StoreError> {
        let rows = self.tree().scan_prefix(key::all_services()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            let service =
                key::service_of(&at).ok_or_else(|| unreadable("service", &at, "a key of another shape"))?;
            Ok((service, record::decode_service(&at, &value)?))
        });
        rows.collect()
    }

    fn stored_jobs(&self) -> Result<StoredJobs, StoreError> {
        let mut jobs = StoredJobs::new();
        for row in self.tree().scan_prefix(key::all_jobs()) {
            let (at, value) = row.map_err(read_error)?;
            let job = key::job_of(&at).ok_or_else(|| unreadable("job", &at, "a key of another shape"))?;
            jobs.insert(job, StoredJob::from_toml(record::decode("job", &at, &value)?));
        }
        Ok(jobs)
    }

    /// The nominal time of a job's latest successful run, also when that is no longer kept.
    ///
    /// # Errors
    /// [`StoreError`]; a job that never succeeded is not an error.
    pub fn previous_success(&self, job: &JobRef) -> Result<Option<Timestamp>, StoreError> {
        let at = key::previous_success(job);
        let Some(value) = self.tree().get(&at).map_err(read_error)? else { return Ok(None) };
        let nominal = record::decode("previous success", &at, &value)?;
        record::timestamp("previous success", &at, nominal).map(Some)
    }

    /// What somebody decided about a job's slots.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn steering(&self, job: &JobRef) -> Result<Steering, StoreError> {
        let at = key::steering(job);
        let value = self.tree().get(&at).map_err(read_error)?;
        Ok(value.map(|value| record::decode_steering(&at, &value)).transpose()?.unwrap_or_default())
    }

    /// What somebody decided about the slots of jobs, also of those that are not configured.
    pub fn steerings(&self) -> impl Iterator<Item = Result<(JobRef, Steering), StoreError>> + use<> {
        self.tree().scan_prefix(key::all_steerings()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            let job =
                key::job_of(&at).ok_or_else(|| unreadable("steering", &at, "a key of another shape"))?;
            Ok((job, record::decode_steering(&at, &value)?))
        })
    }

    /// How the runs of a job that is watched have ended; nothing is the streak of one that never ran.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn streak(&self, job: &JobRef) -> Result<Streak, StoreError> {
        let at = key::streak(job);
        let value = self.tree().get(&at).map_err(read_error)?;
        value.map_or(Ok(Streak::default()), |value| record::decode_streak(&at, &value))
    }

    /// How every job that is watched stood.
    pub fn standings(&self) -> impl Iterator<Item = Result<(JobRef, Standing), StoreError>> + use<> {
        self.tree().scan_prefix(key::all_standings()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            let job =
                key::job_of(&at).ok_or_else(|| unreadable("standing", &at, "a key of another shape"))?;
            Ok((job, record::decode_standing(&at, &value)?))
        })
    }

    /// What somebody is still to be told, oldest first.
    pub fn notices(&self) -> impl Iterator<Item = Result<Notice, StoreError>> + use<> {
        self.tree().scan_prefix(key::all_notices()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            record::decode_notice(&at, &value)
        })
    }

    /// How far a schedule has been decided.
    ///
    /// # Errors
    /// [`StoreError`]; a schedule that nobody has decided about is not an error.
    pub fn watermark(&self, job: &JobRef, schedule: &ScheduleKey) -> Result<Option<Watermark>, StoreError> {
        let at = key::watermark(job, schedule);
        let value = self.tree().get(&at).map_err(read_error)?;
        value.map(|value| record::decode_watermark(&at, &value)).transpose()
    }

    /// How far each schedule has been decided.
    pub fn watermarks(
        &self,
    ) -> impl Iterator<Item = Result<((JobRef, ScheduleKey), Watermark), StoreError>> + use<> {
        self.tree().scan_prefix(key::all_watermarks()).map(|row| {
            let (at, value) = row.map_err(read_error)?;
            let schedule = key::schedule_of_watermark(&at)
                .ok_or_else(|| unreadable("watermark", &at, "a key of another shape"))?;
            Ok((schedule, record::decode_watermark(&at, &value)?))
        })
    }

    /// The rows of a job's slots whose first instant lies in `range`, by schedule, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn slots(
        &self,
        job: &JobRef,
        schedule: Option<&ScheduleKey>,
        range: RangeInclusive<Timestamp>,
    ) -> Result<Vec<SlotRow>, StoreError> {
        let schedules = match schedule {
            Some(schedule) => vec![schedule.clone()],
            None => self.slot_schedules(job)?,
        };
        schedules.iter().flat_map(|schedule| self.slots_of(job, schedule, range.clone())).collect()
    }

    /// The rows of one schedule's slots whose first instant lies in `range`, oldest first, read as they
    /// are asked for.
    pub fn slots_of(
        &self,
        job: &JobRef,
        schedule: &ScheduleKey,
        range: RangeInclusive<Timestamp>,
    ) -> impl DoubleEndedIterator<Item = Result<SlotRow, StoreError>> + use<> {
        let (first, last) = range.into_inner();
        let rows = self.tree().range(key::slot(job, schedule, first)..=key::slot(job, schedule, last));
        rows.map(|row| slot_row(row.map_err(read_error)?))
    }

    /// The schedules of a job that have slots in the ledger, also those that are no longer configured.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn slot_schedules(&self, job: &JobRef) -> Result<Vec<ScheduleKey>, StoreError> {
        let mut schedules = Vec::new();
        let prefix = key::slots_of_job(job);
        let mut from = prefix.clone();
        while let Some(row) = self.tree().range(from.as_slice()..).next() {
            let row = row.map_err(read_error)?;
            if !row.0.starts_with(&prefix) {
                break;
            }
            let schedule = slot_row(row)?.schedule;
            from = key::slots_end(job, &schedule);
            schedules.push(schedule);
        }
        Ok(schedules)
    }

    /// The next schedule behind `after` that has slots in the ledger, of all jobs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_ledger(
        &self,
        after: Option<&(JobRef, ScheduleKey)>,
    ) -> Result<Option<(JobRef, ScheduleKey)>, StoreError> {
        let from = after.map_or_else(key::all_slots, |(job, schedule)| key::slots_end(job, schedule));
        let row = self.tree().range(from..key::slots_end_of_all()).next();
        row.map(|row| {
            let (at, _) = row.map_err(read_error)?;
            key::ledger_of_slot(&at).ok_or_else(|| unreadable("slot", &at, "a key of another shape"))
        })
        .transpose()
    }

    /// The newest row of a schedule's slots.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn newest_slot(&self, job: &JobRef, schedule: &ScheduleKey) -> Result<Option<SlotRow>, StoreError> {
        let newest = self.tree().scan_prefix(key::slots_of(job, schedule)).next_back();
        newest.map(|row| slot_row(row.map_err(read_error)?)).transpose()
    }

    /// The row that holds this slot.
    ///
    /// # Errors
    /// [`StoreError`]; no such row is not an error.
    pub fn slot_at(
        &self,
        job: &JobRef,
        schedule: &ScheduleKey,
        slot: Timestamp,
    ) -> Result<Option<SlotRow>, StoreError> {
        let up_to = key::slots_of(job, schedule)..=key::slot(job, schedule, slot);
        let row = self.tree().range(up_to).next_back();
        let row = row.map(|row| slot_row(row.map_err(read_error)?)).transpose()?;
        Ok(row.filter(|row| slot <= row.last))
    }

    /// Whether the ledger has a row for a task of this very slot.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_run(&self, job: &JobRef, schedule: &ScheduleKey, slot: Timestamp) -> Result<bool, StoreError> {
        let row = self.slots_of(job, schedule, slot..=slot).next().transpose()?;
        Ok(row.is_some_and(|row| row.outcome.task().is_some()))
    }

    /// The task that an idempotency key stands for, and the hash of the request that made it.
    ///
    /// # Errors
    /// [`StoreError`]; an unknown key is not an error.
    pub fn idempotency(
        &self,
        idempotency_key: &str,
    ) -> Result<Option<(AppName, TaskId, String)>, StoreError> {
        let at = key::idempotency(idempotency_key);
        let Some(value) = self.tree().get(&at).map_err(read_error)? else { return Ok(None) };
        let row: IdempotencyV1 = record::decode("idempotency", &at, &value)?;
        Ok(Some((row.app, row.id, row.request)))
    }

    /// Removes up to 1,000 idempotency keys older than `age`. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn expire_idempotency(&self, now: Timestamp, age: SignedDuration) -> Result<usize, StoreError> {
        let horizon = record::micros(now) - i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let (mut commit, mut expired) = (Commit::new(), 0);
        for row in self.tree().scan_prefix(key::all_idempotency()) {
            let (at, value) = row.map_err(read_error)?;
            let row: IdempotencyV1 = record::decode("idempotency", &at, &value)?;
            if row.created < horizon {
                commit.delete(at.to_vec());
                expired += 1;
            }
            if commit.len() == 1000 {
                self.commit_later(std::mem::take(&mut commit));
            }
        }
        self.commit_later(commit);
        Ok(expired)
    }

    fn task_at(&self, at: &[u8]) -> Result<Option<Task>, StoreError> {
        let value = self.tree().get(at).map_err(read_error)?;
        value.map(|value| record::decode_task(at, &value)).transpose()
    }
}

fn slot_row((at, value): (sled::IVec, sled::IVec)) -> Result<SlotRow, StoreError> {
    record::decode_slot(&at, &value)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn read_error(error: sled::Error) -> StoreError {
    StoreError::Read { message: error.to_string() }
}
