//! What the copy of a log is told while it is under way: few bytes, since there is one for each run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// Asks for everything that was written up to now; answered when it is here.
pub(super) type Flush = oneshot::Sender<()>;

/// How far a run's container is with its log.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    #[default]
    On,
    /// It was told to end, and has its grace for last words.
    LastWords,
    /// It writes no more.
    Over,
}

/// All that was told since it was taken.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) writing: Writing,
    /// Nobody wants the copy any more.
    pub(super) gone: bool,
    /// Who waits for what was written up to now.
    pub(super) asked: Vec<Flush>,
}

#[derive(Debug, Default)]
struct Wire {
    told: Mutex<Told>,
    changed: Notify,
}

/// Tells; with it the copy ends.
#[derive(Debug)]
pub(super) struct Teller(Arc<Wire>);

/// Is told.
#[derive(Debug)]
pub(super) struct Listener(Arc<Wire>);

/// The two ends.
pub(super) fn wire(writing: Writing) -> (Teller, Listener) {
    let wire = Arc::new(Wire { told: Mutex::new(Told { writing, ..Told::default() }), ..Wire::default() });
    (Teller(Arc::clone(&wire)), Listener(wire))
}

impl Teller {
    pub(super) fn writes(&self, writing: Writing) {
        let before = std::mem::replace(&mut self.0.lock().writing, writing);
        if before != writing {
            self.0.changed.notify_one();
        }
    }

    pub(super) fn flush(&self) -> oneshot::Receiver<()> {
        let (asked, here) = oneshot::channel();
        self.0.lock().asked.push(asked);
        self.0.changed.notify_one();
        here
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.lock().gone = true;
        self.0.changed.notify_one();
    }
}

impl Listener {
    /// What is so now, and who asked since this was last called.
    pub(super) fn take(&self) -> Told {
        let mut told = self.0.lock();
        Told { writing: told.writing, gone: told.gone, asked: std::mem::take(&mut told.asked) }
    }

    /// Completes when something was told since it last completed.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
