//! Internal housekeeping on a timer. tokio-cron-scheduler lives here and nowhere else.
//!
//! It polls twice a second and may lose or double a tick, so it drives nothing but [`Chore`]s that
//! are idempotent: a tick only says "do it soon", the worker does it once however often it was said.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// A piece of housekeeping. Doing it twice, or a little late, changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chore {
    /// Look whether the config files have changed.
    RescanConfig,
    /// Remove what retention no longer keeps of the Apps whose tasks have ended.
    SweepEnded,
    /// The same for every App, for what only time decides.
    SweepAll,
    /// Ask the executor about every task in flight.
    Relist,
    /// Bring gauges up to date.
    Gauges,
    /// Forget old idempotency keys.
    StoreUpkeep,
}

impl Chore {
    /// When each is due: cron with seconds, UTC.
    const TIMETABLE: [(Self, &'static str); 6] = [
        (Self::SweepEnded, "*/2 * * * * *"),
        (Self::RescanConfig, "1/5 * * * * *"),
        (Self::Gauges, "3/10 * * * * *"),
        (Self::Relist, "7/15 * * * * *"),
        (Self::SweepAll, "30 */5 * * * *"),
        (Self::StoreUpkeep, "45 */10 * * * *"),
    ];
}

/// The timer behind the chores; it stops when it is dropped.
pub struct Timer {
    scheduler: JobScheduler,
}

/// The chores that are due, each once however often its time has come.
#[derive(Debug, Default)]
struct Due {
    chores: Mutex<BTreeSet<Chore>>,
    more: Notify,
}

/// The receiving end of a [`Timer`].
#[derive(Debug)]
pub struct DueChores(Arc<Due>);

impl Due {
    fn say(&self, chore: Chore) {
        self.chores.lock().unwrap_or_else(PoisonError::into_inner).insert(chore);
        self.more.notify_one();
    }
}

impl DueChores {
    /// The next chore that is due, when there is one. Nothing is lost where it is not waited for.
    pub async fn next(&mut self) -> Chore {
        loop {
            let chore = self.0.chores.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
            match chore {
                Some(chore) => return chore,
                None => self.0.more.notified().await,
            }
        }
    }
}

impl Timer {
    /// Starts the timer.
    ///
    /// # Errors
    /// What tokio-cron-scheduler says.
    pub async fn start() -> Result<(Self, DueChores), JobSchedulerError> {
        let due = Arc::new(Due::default());
        let scheduler = JobScheduler::new().await?;
        for (chore, timetable) in Chore::TIMETABLE {
            let due = Arc::clone(&due);
            scheduler.add(Job::new(timetable, move |_, _| due.say(chore))?).await?;
        }
        scheduler.start().await?;
        Ok((Self { scheduler }, DueChores(due)))
    }

    /// Stops the timer.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the housekeeping timer did not stop in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn chores_become_due() {
        let (timer, mut due) = Timer::start().await.unwrap();
        due.next().await;
        timer.stop().await;
    }

    #[tokio::test]
    async fn a_chore_said_twice_is_due_once_and_keeps_no_other_out() {
        let due = Arc::new(Due::default());
        for chore in [Chore::SweepEnded, Chore::SweepEnded, Chore::SweepEnded, Chore::Relist] {
            due.say(chore);
        }
        let mut chores = DueChores(due);
        let both = BTreeSet::from([chores.next().await, chores.next().await]);
        assert_eq!(both, BTreeSet::from([Chore::SweepEnded, Chore::Relist]));
        assert!(chores.0.chores.lock().unwrap().is_empty());
    }
}
