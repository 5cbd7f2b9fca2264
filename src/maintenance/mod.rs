//! Internal housekeeping on a timer. tokio-cron-scheduler lives here and nowhere else.
//!
//! It polls twice a second and may lose or double a tick, so it drives nothing but [`Chore`]s that
//! are idempotent: a tick only says "do it soon", the worker does it once however often it was said.

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// A piece of housekeeping. Doing it twice, or a little late, changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

impl Timer {
    /// Starts the timer. Each chore that is due arrives at the receiver, unless the receiver is
    /// behind: then it has been said already.
    ///
    /// # Errors
    /// What tokio-cron-scheduler says.
    pub async fn start() -> Result<(Self, mpsc::Receiver<Chore>), JobSchedulerError> {
        let (due, chores) = mpsc::channel(Chore::TIMETABLE.len());
        let scheduler = JobScheduler::new().await?;
        for (chore, timetable) in Chore::TIMETABLE {
            let due = due.clone();
            let tick = move |_, _| {
                // Full: it has been said already. Closed: the daemon is stopping.
                let _ = due.try_send(chore);
            };
            scheduler.add(Job::new(timetable, tick)?).await?;
        }
        scheduler.start().await?;
        Ok((Self { scheduler }, chores))
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
        let (timer, mut chores) = Timer::start().await.unwrap();
        assert!(chores.recv().await.is_some());
        timer.stop().await;
    }
}
