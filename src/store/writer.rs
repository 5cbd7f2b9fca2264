//! Group commit: one thread applies, flushes and syncs for everybody who waits.
//!
//! Where one write follows another, commits that are in no [`Hurry`] wait some milliseconds for others that share their sync:
//! one alone costs as much as many together. One that is in a hurry takes all along that came before it.
//! A group that nobody waits for is only applied; it becomes durable with the next sync, in which its
//! order stands, or with one of its own when none has come for some seconds.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use super::alarm::Alarm;
use super::blobs::Blobs;
use super::commit::Commit;
use super::error::StoreError;
use super::key;
use super::mark::Mark;
use super::record;
use super::tally::Tally;
use crate::clock::SharedClock;
use crate::fault::point;

/// Called once when a commit is durable, or will never be.
pub(super) type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The most commits that share one sync.
const GROUP: usize = 4096;

/// The most writes of commits that share a batch: a small commit does not wait for a large one to join.
const SHARED: usize = 1024;

/// The most writes of one commit: larger ones hold everybody else up.
const LARGEST: usize = 4096;

/// For so long after the write before, who is in no hurry waits for others.
const COMMIT_DELAY: Duration = Duration::from_millis(20);

/// For so long what nobody waits for may stay in memory.
const LATEST: Duration = Duration::from_secs(5);

/// How soon a commit is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hurry {
    /// Written at once, so that it can be read, and durable with the next sync.
    Later,
    /// Within [`COMMIT_DELAY`].
    Soon,
    /// At once.
    Now,
}

/// What one sync did, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteStats {
    /// Commits that it made durable.
    pub commits: usize,
    /// From the first write of the group that it was for to its end.
    pub took: Duration,
}

/// Sees every sync.
pub(super) type Observer = Box<dyn Fn(WriteStats) + Send>;

struct Write {
    commit: Commit,
    hurry: Hurry,
    done: Option<Done>,
}

pub(super) struct Writer {
    queue: Option<Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<OnceLock<StoreError>>,
}

impl Writer {
    pub(super) fn spawn(disk: Disk, clock: SharedClock, observer: Observer) -> std::io::Result<Self> {
        let (queue, writes) = channel();
        let failed = Arc::new(OnceLock::new());
        let state = Loop {
            disk,
            clock,
            observer,
            failed: Arc::clone(&failed),
            unsynced: 0,
            oldest: Duration::ZERO,
            wrote: Duration::ZERO,
        };
        let thread =
            std::thread::Builder::new().name("store".to_owned()).spawn(move || state.run(&writes))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), failed })
    }

    /// Queues a commit. Commits become visible and durable in the order of these calls.
    pub(super) fn write(&self, commit: Commit, hurry: Hurry, done: Option<Done>) {
        let write = Write { commit, hurry, done };
        let rejected = match &self.queue {
            Some(queue) => queue.send(write).err().map(|error| error.0),
            None => Some(write),
        };
        if let Some(Write { done: Some(done), .. }) = rejected {
            done(Err(self.failed.get().cloned().unwrap_or(StoreError::Closed)));
        }
    }

    /// The error after which nothing was acknowledged any more.
    pub(super) fn failure(&self) -> Option<&StoreError> {
        self.failed.get()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed, and everybody who waited has been told.
            let _ = thread.join();
        }
    }
}

struct Loop {
    disk: Disk,
    clock: SharedClock,
    observer: Observer,
    failed: Arc<OnceLock<StoreError>>,
    /// Commits that were applied, and wait for a sync.
    unsynced: usize,
    /// When the first of those was, by the clock that only goes forward.
    oldest: Duration,
    /// When the write before was over.
    wrote: Duration,
}

impl Loop {
    fn run(mut self, writes: &Receiver<Write>) {
        let mut left_over = None;
        while let Some(first) = left_over.take().map_or_else(|| self.next(writes), Some) {
            let (mut size, mut hurry) = (first.commit.len(), first.hurry);
            let mut group = vec![first];
            let latest = self.wrote + COMMIT_DELAY;
            while group.len() < GROUP
                && let Some(next) = self.another(writes, hurry, latest)
            {
                size += next.commit.len();
                if size > SHARED {
                    left_over = Some(next);
                    break;
                }
                hurry = hurry.max(next.hurry);
                group.push(next);
            }
            let result = self.write(&mut group);
            self.wrote = self.clock.monotonic();
            for write in group {
                if let Some(done) = write.done {
                    done(result.clone());
                }
            }
        }
        if self.unsynced > 0 {
            // A failure has been logged, and nobody waits.
            let _ = self.write(&mut []);
        }
    }

    /// Another one that shares the write; waited for until `latest` where a sync is wanted and nobody is in a hurry.
    fn another(&self, writes: &Receiver<Write>, hurry: Hurry, latest: Duration) -> Option<Write> {
        match hurry {
            Hurry::Later | Hurry::Now => writes.try_recv().ok(),
            Hurry::Soon => writes.recv_timeout(latest.saturating_sub(self.clock.monotonic())).ok(),
        }
    }

    /// The next that is to be written; nothing when no more can come.
    fn next(&mut self, writes: &Receiver<Write>) -> Option<Write> {
        while self.unsynced > 0 && self.failed.get().is_none() {
            let age = self.clock.monotonic() - self.oldest;
            match writes.recv_timeout(LATEST.saturating_sub(age)) {
                Ok(write) => return Some(write),
                Err(RecvTimeoutError::Disconnected) => return None,
                // A failure has been logged, and nobody waits.
                Err(RecvTimeoutError::Timeout) => drop(self.write(&mut [])),
            }
        }
        writes.recv().ok()
    }

    /// A failed write or sync leaves the file in an unknown state: no later success may hide it.
    fn write(&mut self, group: &mut [Write]) -> Result<(), StoreError> {
        if let Some(error) = self.failed.get() {
            return Err(error.clone());
        }
        let began = self.clock.monotonic();
        point("commit");
        let is_due = group.is_empty() || self.unsynced > 0 && began - self.oldest >= LATEST;
        let nobody_waits = !is_due && group.iter().all(|write| write.done.is_none());
        if self.unsynced == 0 {
            self.oldest = began;
        }
        self.unsynced += group.len();
        self.disk.alarm.on(began);
        // sled panics on some errors; whoever waits must hear of those too.
        let written = catch_unwind(AssertUnwindSafe(|| {
            self.disk.apply(group)?;
            if nobody_waits { Ok(()) } else { self.disk.sync() }
        }));
        self.disk.alarm.off();
        let panicked = |_| Err(StoreError::Write { message: "sled panicked".to_owned() });
        let result = written.unwrap_or_else(panicked);
        if let Err(error) = &result {
            tracing::error!(%error, "the store failed; nothing more is acknowledged");
            let _ = self.failed.set(error.clone());
        }
        if !nobody_waits {
            point("commit-durable");
            let commits = std::mem::take(&mut self.unsynced);
            (self.observer)(WriteStats { commits, took: self.clock.monotonic() - began });
        }
        result
    }
}

/// What a group of commits is written to.
pub(super) struct Disk {
    pub(super) tree: sled::Db,
    /// The file that `tree` keeps its pages in.
    pub(super) file: File,
    pub(super) blobs: Blobs,
    pub(super) tally: Tally,
    pub(super) mark: Mark,
    pub(super) alarm: Alarm,
}

impl Disk {
    /// Writes the group as one batch, the tally with it.
    fn apply(&mut self, group: &mut [Write]) -> Result<(), StoreError> {
        let mut writes = BTreeMap::new();
        for write in group {
            let mut commit = std::mem::take(&mut write.commit);
            debug_assert!(commit.len() <= LARGEST, "a commit of {} writes holds everybody up", commit.len());
            writes.append(&mut commit.writes);
        }
        if writes.is_empty() {
            return Ok(());
        }
        let mut tally = self.tally;
        tally.groups += 1;
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            let before = self.tree.get(&key).map_err(write_error)?;
            if before.as_deref() == value.as_deref() {
                continue;
            }
            if let Some(before) = before {
                tally.remove(&key, &before);
            }
            match value {
                Some(value) => {
                    tally.add(&key, &value);
                    batch.insert(key, value);
                }
                None => batch.remove(key),
            }
        }
        batch.insert(key::meta(key::TALLY), record::encode(&tally));
        self.tree.apply_batch(batch).map_err(write_error)?;
        self.tally = tally;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        point("commit-applied");
        self.tree.flush().map_err(write_error)?;
        // sled's flush ends in sync_file_range, which neither writes metadata nor flushes the disk. It comes
        // first: with the names of new blobs the removal of old ones becomes durable.
        self.file.sync_data().map_err(write_error)?;
        let has_blobs = self.blobs.sync().map_err(write_error)?;
        self.mark.write(self.tally.groups).map_err(write_error)?;
        // A group that lacks a blob is left out after a power cut, unless somebody was told of it.
        if has_blobs { self.mark.sync().map_err(write_error) } else { Ok(()) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where it fails the mark is a little behind after a power cut.
        let _ = self.mark.sync();
    }
}

fn write_error(error: impl std::fmt::Display) -> StoreError {
    StoreError::Write { message: error.to_string() }
}
