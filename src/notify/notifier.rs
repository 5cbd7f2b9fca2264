//! Delivering what the store holds for delivery.
//!
//! The loop keeps nothing that matters: each turn it reads the notices from the store, and begins with the oldest
//! of each receiver that is not being told already and does not have to be left alone for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::deliver::{Undelivered, deliver};
use super::notice::{Notice, Receiver};
use crate::clock::SharedClock;
use crate::config::Config;
use crate::store::{Commit, Store, StoreError};

/// The most notices that wait. Beyond it a breach is told of by log, status and metrics alone.
const ROOM: usize = 1000;

/// The wait after a failure; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What could not be delivered for so long is given up.
const KEPT: SignedDuration = SignedDuration::from_hours(72);

/// Between two looks into the store at most: what was written by another hand, or could not be read, is seen then.
const AT_MOST: Duration = Duration::from_secs(60);

/// Where notices are put.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: AtomicUsize,
    more: Notify,
}

/// Delivers notices.
pub struct Notifier {
    store: Store,
    config: Arc<ArcSwap<Config>>,
    clock: SharedClock,
    outbox: Arc<Outbox>,
    failing: HashMap<Receiver, Failing>,
    /// Receivers that are being told.
    busy: Vec<Receiver>,
}

/// A receiver that could not be told.
struct Failing {
    tries: u32,
    /// Left alone until then, by the clock that only goes forward.
    until: Duration,
}

type Delivery = BoxFuture<'static, (Notice, Result<(), Undelivered>)>;

impl Outbox {
    /// Whether another one has room.
    pub fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < ROOM
    }

    /// Puts it into `commit`.
    pub fn put(&self, notice: &Notice, commit: &mut Commit) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        commit.put_notice(notice);
    }

    /// What was put is on disk.
    pub fn wake(&self) {
        self.more.notify_one();
    }
}

impl Notifier {
    /// Delivers what is in `store`, from before too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn new(
        store: Store,
        config: Arc<ArcSwap<Config>>,
        clock: SharedClock,
    ) -> Result<(Self, Arc<Outbox>), StoreError> {
        let outbox = Arc::new(Outbox::default());
        let mut waiting = 0;
        for notice in store.notices() {
            notice?;
            waiting += 1;
        }
        outbox.waiting.store(waiting, Ordering::Relaxed);
        let notifier = Self {
            store,
            config,
            clock,
            outbox: Arc::clone(&outbox),
            failing: HashMap::new(),
            busy: Vec::new(),
        };
        Ok((notifier, outbox))
    }

    /// Delivers until `stop` is cancelled. What is on its way then is delivered again by the next life, under its id.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut deliveries: FuturesUnordered<Delivery> = FuturesUnordered::new();
        let outbox = Arc::clone(&self.outbox);
        loop {
            let pause = match self.begin(&mut deliveries) {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "nobody could look for notices");
                    AT_MOST
                }
            };
            let idle = deliveries.is_empty() && self.outbox.waiting.load(Ordering::Relaxed) == 0;
            tokio::select! {
                () = stop.cancelled() => return,
                Some((notice, result)) = deliveries.next() => self.done(notice, result).await,
                () = outbox.more.notified() => {}
                () = self.clock.sleep(pause), if !idle => {}
            }
        }
    }

    /// Begins to tell whoever can be told. Returns how long nobody else can.
    fn begin(&mut self, deliveries: &mut FuturesUnordered<Delivery>) -> Result<Duration, StoreError> {
        let (monotonic, now) = (self.clock.monotonic(), self.clock.now());
        let mut pause = AT_MOST;
        let mut seen: Vec<Receiver> = self.busy.clone();
        for notice in self.store.notices() {
            let notice = notice?;
            if seen.contains(&notice.to) {
                continue;
            }
            seen.push(notice.to.clone());
            if let Some(left) =
                self.failing.get(&notice.to).and_then(|failing| failing.until.checked_sub(monotonic))
                && !left.is_zero()
            {
                pause = pause.min(left);
                continue;
            }
            self.busy.push(notice.to.clone());
            let config = self.config.load_full();
            deliveries.push(Box::pin(async move {
                let told = deliver(&config.receivers, &config.settings.instance, &notice, now).await;
                (notice, told)
            }));
        }
        Ok(pause)
    }

    async fn done(&mut self, notice: Notice, result: Result<(), Undelivered>) {
        self.busy.retain(|receiver| *receiver != notice.to);
        let (to, job, kind) = (&notice.to, &notice.job, notice.kind);
        let counted = |result: &'static str| {
            metrics::counter!("tekcron_notices_total", "result" => result).increment(1);
        };
        let Err(failed) = result else {
            self.failing.remove(to);
            self.remove(&notice).await;
            counted("sent");
            tracing::info!(%to, %job, %kind, event = notice.event.as_str(), id = notice.id, "told of a breach");
            return;
        };
        let message = &failed.message;
        if failed.for_good || self.clock.now().duration_since(notice.at) > KEPT {
            tracing::error!(%to, %job, %kind, message, id = notice.id, "a notice was not delivered, and is given up");
            counted("given-up");
            return self.remove(&notice).await;
        }
        counted("failed");
        let tries = self.failing.get(&notice.to).map_or(0, |failing| failing.tries) + 1;
        let wait = wait(&notice.id, tries).max(failed.retry_after.unwrap_or_default());
        tracing::warn!(%to, %job, %kind, message, tries, seconds = wait.as_secs(), "a notice was not delivered, which is tried again");
        self.failing.insert(notice.to.clone(), Failing { tries, until: self.clock.monotonic() + wait });
    }

    async fn remove(&mut self, notice: &Notice) {
        let mut commit = Commit::new();
        commit.remove_notice(notice);
        match self.store.commit(commit).await {
            Ok(()) => drop(self.outbox.waiting.fetch_sub(1, Ordering::Relaxed)),
            // The store has said so, and the daemon ends.
            Err(error) => {
                tracing::debug!(%error, "a notice stays in the store");
                let until = self.clock.monotonic() + LONGEST_WAIT;
                self.failing.insert(notice.to.clone(), Failing { tries: 0, until });
            }
        }
    }
}

/// Between half of the wait and all of it, so that many who failed together do not come back together.
fn wait(id: &str, tries: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1).min(16)));
    let longest = doubled.min(LONGEST_WAIT);
    let hash = Sha256::new().chain_update(id).chain_update(tries.to_be_bytes()).finalize();
    longest / 2 + longest.mul_f64(f64::from(hash[0]) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_an_hour_and_differs_by_notice() {
        for (tries, most) in [(1, 2), (2, 4), (5, 32), (11, 2048), (12, 3600), (40, 3600)] {
            let waits: Vec<_> = (0..50).map(|id| wait(&format!("msg_{id}"), tries)).collect();
            let bounds = Duration::from_secs(most) / 2..Duration::from_secs(most);
            assert!(waits.iter().all(|wait| bounds.contains(wait)), "{tries}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{tries}");
        }
    }
}
