//! The dispatcher's way to the store.
//!
//! What somebody waits for is sent at once. What nobody waits for gathers, and goes along with the next
//! commit or at the end of the turn: the confirmations of a burst are one commit, not one each. Everything
//! goes through here, so that it reaches the store in the order in which it was decided.

use tokio::sync::mpsc;

use super::{Dispatcher, Event};
use crate::store::{Commit, StoreError};

/// So many writes do not wait for the end of the turn.
const GATHERED: usize = 512;

impl Dispatcher {
    /// Sends a commit on its way; `done` is called when it is on disk, or will never be.
    pub(super) fn commit(
        &mut self,
        commit: Commit,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let all = self.with_gathered(commit);
        self.store.commit_then(all, done);
    }

    /// Sends a commit on its way; `then` is called when it is on disk.
    pub(super) fn commit_then(
        &mut self,
        commit: Commit,
        then: impl FnOnce(&mpsc::UnboundedSender<Event>) + Send + 'static,
    ) {
        let done = self.told(then);
        self.commit(commit, done);
    }

    /// The same, in no hurry: for what neither a request nor the start of a task waits for.
    pub(super) fn commit_soon_then(
        &mut self,
        commit: Commit,
        then: impl FnOnce(&mpsc::UnboundedSender<Event>) + Send + 'static,
    ) {
        let done = self.told(then);
        let all = self.with_gathered(commit);
        self.store.commit_soon_then(all, done);
    }

    fn with_gathered(&mut self, commit: Commit) -> Commit {
        let mut all = std::mem::take(&mut self.gathered);
        all.append(commit);
        all
    }

    fn told(
        &self,
        then: impl FnOnce(&mpsc::UnboundedSender<Event>) + Send + 'static,
    ) -> impl FnOnce(Result<(), StoreError>) + Send + 'static {
        let internal = self.internal.clone();
        move |durable| match durable {
            Ok(()) => then(&internal),
            // The loop may have ended already.
            Err(error) => drop(internal.send(Event::StoreFailed(error))),
        }
    }

    /// Writes with the next commit, waiting for nothing. For what can be found out again.
    pub(super) fn commit_later(&mut self, commit: Commit) {
        self.gathered.append(commit);
        if self.gathered.len() >= GATHERED {
            self.send_gathered();
        }
    }

    /// Sends what has gathered.
    pub(super) fn send_gathered(&mut self) {
        self.store.commit_later(std::mem::take(&mut self.gathered));
    }
}
