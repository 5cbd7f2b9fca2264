//! The sweep of the slot ledger: what is older than `keep_slots` is planned purely, and removed by the
//! dispatcher.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::blocking::blocking;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::job::JobRef;
use crate::retention::{ForgottenSlots, plan_slots};
use crate::schedule::ScheduleKey;
use crate::store::{Store, StoreError};
use crate::task::DispatchHandle;

/// The most rows removed by one commit.
const BATCH: usize = 512;

/// Removes the rows that are no longer kept. May be repeated at any time, and stopped at any point.
pub(super) async fn sweep(
    store: &Store,
    config: &ArcSwap<Config>,
    dispatch: &DispatchHandle,
    clock: &SharedClock,
) -> Result<(), StoreError> {
    let config = config.load_full();
    let Ok(horizon) = clock.now().checked_sub(config.settings.keep_slots) else { return Ok(()) };
    let (mut after, mut removed) = (None, 0);
    loop {
        let (store, config) = (store.clone(), Arc::clone(&config));
        let planned = blocking(move || Ok(plan(&store, &config, after, horizon)));
        let planned = planned.await.map_err(|error| StoreError::Read { message: error.to_string() })??;
        removed += planned.rows.len();
        if !planned.rows.is_empty() {
            dispatch.forget_slots(planned.rows).await?;
        }
        if planned.is_last {
            break;
        }
        after = planned.swept;
    }
    if removed > 0 {
        tracing::info!(rows = removed, "retention removed the oldest slots");
    }
    Ok(())
}

/// A part of a sweep.
struct Planned {
    rows: Vec<ForgottenSlots>,
    /// The last ledger that was looked at to its end.
    swept: Option<(JobRef, ScheduleKey)>,
    is_last: bool,
}

fn plan(
    store: &Store,
    config: &Config,
    after: Option<(JobRef, ScheduleKey)>,
    horizon: Timestamp,
) -> Result<Planned, StoreError> {
    let (mut rows, mut swept) = (Vec::new(), after);
    while let Some((job, key)) = store.next_ledger(swept.as_ref())? {
        let of_job = config.job(&job).map(|(_, job)| &job.schedules);
        let schedule = of_job.and_then(|schedules| schedules.iter().find(|schedule| schedule.key == key));
        let watermark = store.watermark(&job, &key)?.map(|watermark| watermark.at);
        let old: Vec<_> =
            store.slots_of(&job, &key, Timestamp::MIN..=horizon).take(BATCH).collect::<Result<_, _>>()?;
        let is_all = old.len() < BATCH;
        let recurrence = schedule.map(|schedule| &schedule.recurrence);
        let planned = plan_slots(&job, old, recurrence, watermark, horizon);
        let goes_on = !is_all && !planned.is_empty();
        rows.extend(planned);
        if goes_on {
            // The rest of this ledger is looked at when these are gone.
            return Ok(Planned { rows, swept, is_last: false });
        }
        swept = Some((job, key));
        if rows.len() >= BATCH {
            return Ok(Planned { rows, swept, is_last: false });
        }
    }
    Ok(Planned { rows, swept, is_last: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::store::{Commit, SlotOutcome, SlotRow};

    const NOW: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn every_ledger_is_looked_at_to_its_end_in_batches() {
        let dir = tempfile::TempDir::new().unwrap();
        let store = Store::open(dir.path(), Arc::new(ManualClock::new(at(NOW)))).unwrap();
        let app =
            "[app]\nname = \"etl\"\ncommand = \"true\"\n[[jobs]]\nname = \"job\"\nschedule = \"* * * * *\"";
        let config = Config::from_toml("", &[app]).unwrap();
        let (configured, gone): (JobRef, JobRef) = ("etl.job".parse().unwrap(), "etl.gone".parse().unwrap());
        let key = config.job(&configured).unwrap().1.schedules[0].key.clone();
        let mut commit = Commit::new();
        let mut put = |job: &JobRef, first: i64, last: i64| {
            let outcome = SlotOutcome::Missed;
            let row = SlotRow {
                schedule: key.clone(),
                first: at(first),
                last: at(last),
                outcome,
                claim: None,
                note: None,
            };
            commit.put_slot(job, &row);
        };
        let old = 2 * BATCH as i64 + 1;
        for minute in 0..old {
            put(&gone, 60 * minute, 60 * minute);
            put(&configured, 60 * minute, 60 * minute);
        }
        put(&configured, 60 * old, NOW - 60);
        store.commit(commit).await.unwrap();

        let (mut after, mut rounds, mut shortened) = (None, 0, Vec::new());
        loop {
            let planned = plan(&store, &config, after, at(NOW - 3600)).unwrap();
            let mut commit = Commit::new();
            for row in &planned.rows {
                commit.remove_slot(&row.job, &row.schedule, row.first);
                shortened.extend(row.stays_from);
            }
            store.commit(commit).await.unwrap();
            rounds += 1;
            if planned.is_last {
                break;
            }
            after = planned.swept;
        }
        assert!(rounds > 4, "{rounds}");
        assert_eq!(shortened, [at(NOW - 3600)]);
        for job in [&configured, &gone] {
            assert_eq!(store.slots(job, None, Timestamp::MIN..=Timestamp::MAX).unwrap(), []);
        }
    }
}
