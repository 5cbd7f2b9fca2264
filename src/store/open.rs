use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::thread::set_current_timer_slack;

use super::alarm::{Alarm, Watched};
use super::beside;
use super::blobs::Blobs;
use super::commit::Commit;
use super::compact::{self, Compacted};
use super::error::StoreError;
use super::key;
use super::mark::Mark;
use super::raw::Sum;
use super::sound;
use super::tally::Tally;
use super::whole;
use super::writer::{Disk, Hurry, Observer, Writer};
use crate::clock::SharedClock;
use crate::durable::sync_dir;
use crate::fault::point;

/// Of what is in the tree.
pub(super) const FORMAT: u32 = 2;

/// The one before, which had a row for the name of each task. It is written anew when it is opened.
pub(super) const FORMER: u32 = 1;

/// Its directory, in the data directory.
pub(super) const DIR: &str = "store";

/// Whoever has this file locked owns the store.
pub(super) const LOCK: &str = "lock";

/// Tells a store from one whose first start was cut off.
pub(super) const FORMAT_FILE: &str = "format";

/// How late the timers of sled's threads may be, in nanoseconds (`PR_SET_TIMERSLACK`).
const TIMER_SLACK: NonZeroU64 = NonZeroU64::new(30_000_000_000).expect("it is more than nothing");

/// The store. Clones share it; the last one dropped closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped first: it writes what is queued.
    writer: Writer,
    watched: Watched,
    tree: sled::Db,
    /// Locked for as long as the store is open. Dropped last.
    _lock: File,
}

impl Store {
    /// Opens the store below `data_dir`, or makes a new one.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it; [`StoreError::Unreadable`] and
    /// [`StoreError::Format`] where it is damaged or too new: it is left as it is.
    pub fn open(data_dir: &Path, clock: SharedClock) -> Result<Self, StoreError> {
        let observe = |stats: super::WriteStats| {
            metrics::histogram!("tekcron_commit_seconds").record(stats.took.as_secs_f64());
            metrics::counter!("tekcron_commits_total").increment(stats.commits as u64);
        };
        Self::open_observed(data_dir, clock, Box::new(observe))
    }

    pub(super) fn open_observed(
        data_dir: &Path,
        clock: SharedClock,
        observer: Observer,
    ) -> Result<Self, StoreError> {
        let dir = data_dir.join(DIR);
        let failed = StoreError::directory(&dir);
        beside::settle_names(data_dir).map_err(&failed)?;
        make_private(&dir)?;
        point("store-directory");
        let mut lock = lock(&dir)?;
        beside::remove_leftovers(data_dir).map_err(&failed)?;
        sound::remove_unfinished_snapshots(&dir).map_err(&failed)?;
        // Until this file is there nothing has been acknowledged: a start that was killed begins anew.
        let is_new = !dir.join(FORMAT_FILE).exists();
        if is_new {
            whole::remove_unfinished_settings(&dir).map_err(&failed)?;
        }
        let began = clock.monotonic();
        let checked = if is_new { None } else { Some(check(data_dir, &mut lock, &clock)?) };
        let was_checked = clock.monotonic();
        let tree = open_tree(&dir)?;
        let alarm = Alarm::over(&tree, clock.clone()).map_err(&failed)?;
        point("store-opened");
        if is_new {
            write_format(&tree, &dir)?;
        }
        point("store-format");
        let tally = settle_tally(&tree, &dir, checked.as_ref())?;
        let file = data_file(&dir).map_err(&failed)?;
        if let Some(checked) = checked {
            tracing::info!(
                records = checked.found.records,
                bytes = checked.bytes,
                check_ms = (was_checked - began).as_millis() as u64,
                open_ms = (clock.monotonic() - was_checked).as_millis() as u64,
                "the store is whole"
            );
        }
        let mark = Mark::open(&dir, tally.groups).map_err(&failed)?;
        let blobs = Blobs::open(&dir).map_err(&failed)?;
        if is_new {
            note_format(&dir).map_err(&failed)?;
        }
        point("store-ready");
        let watched = alarm.watched();
        let writer =
            Writer::spawn(Disk { tree: tree.clone(), file, blobs, tally, mark, alarm }, clock, observer)
                .map_err(failed)?;
        Ok(Self { inner: Arc::new(Inner { writer, watched, tree, _lock: lock }) })
    }

    /// Whether the store below `data_dir` could be opened as far as other processes go. Makes nothing.
    ///
    /// # Errors
    /// [`StoreError::InUse`].
    pub fn check_free(data_dir: &Path) -> Result<(), StoreError> {
        let dir = data_dir.join(DIR);
        match File::open(dir.join(LOCK)) {
            Ok(file) => take_lock(&file, &dir),
            // Whatever else is wrong with it, opening will tell.
            Err(_) => Ok(()),
        }
    }

    /// Writes `commit`; when this returns, it and everything written before it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Write`], after which the store acknowledges nothing more.
    pub async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let (done, durable) = oneshot::channel();
        self.commit_then(commit, move |result| {
            // Nobody may wait any more.
            let _ = done.send(result);
        });
        durable.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Writes `commit` and calls `done` from the store's thread when it is on disk, or will never be.
    pub fn commit_then(&self, commit: Commit, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.inner.writer.write(commit, Hurry::Now, Some(Box::new(done)));
    }

    /// As [`Store::commit_then`], in no hurry: where one comes after the other, many share one sync.
    pub fn commit_soon_then(
        &self,
        commit: Commit,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        self.inner.writer.write(commit, Hurry::Soon, Some(Box::new(done)));
    }

    /// Writes `commit`, waiting for nothing: it becomes durable with the next sync that somebody waits
    /// for, or when sled writes its log of its own accord. For what can be found out again.
    pub fn commit_later(&self, commit: Commit) {
        if !commit.is_empty() {
            self.inner.writer.write(commit, Hurry::Later, None);
        }
    }

    /// The error after which the store acknowledged nothing more.
    pub fn failure(&self) -> Option<&StoreError> {
        self.inner.writer.failure()
    }

    /// For how long the disk has not taken what is written, where that is longer than it ever should be. Nothing is
    /// acknowledged meanwhile.
    pub fn stalled(&self) -> Option<Duration> {
        self.inner.watched.stalled()
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.inner.tree.size_on_disk().map_err(|error| StoreError::Read { message: error.to_string() })
    }

    pub(super) fn tree(&self) -> &sled::Tree {
        &self.inner.tree
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

pub(super) fn make_private(dir: &Path) -> Result<(), StoreError> {
    let failed = StoreError::directory(dir);
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(&failed)?;
    // The directory of what is acknowledged must outlive a power cut too. A start that was cut off may have
    // made `dir` itself already.
    for made in missing.into_iter().chain([dir]) {
        let parent = made.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        sync_dir(parent).map_err(&failed)?;
    }
    // Asked before sled, whose own error names no directory.
    let probe = dir.join("writable");
    File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(failed)
}

/// One process owns the store. sled has a lock too, but what is done before sled opens needs one.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let failed = StoreError::directory(dir);
    let path = dir.join(LOCK);
    loop {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(&failed)?;
        take_lock(&file, dir)?;
        // Another may have put a new store in its place meanwhile, which has a lock of its own.
        let held = file.metadata().map_err(&failed)?;
        if fs::metadata(&path).is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
            return Ok(file);
        }
    }
}

pub(super) fn take_lock(file: &File, dir: &Path) -> Result<(), StoreError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(StoreError::InUse { path: dir.to_owned() }),
        Err(error) => Err(StoreError::directory(dir)(error.into())),
    }
}

fn open_tree(dir: &Path) -> Result<sled::Db, StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let open = || {
        let tree = sled::Config::new()
            .path(dir)
            .mode(sled::Mode::LowSpace)
            .cache_capacity(64 << 20)
            // It cleans up its segments then, and syncs even where nothing was written, which the writer does in time.
            .flush_every_ms(Some(60_000))
            .open()?;
        // Its other threads begin with the first work for them: that is now. While they have some they hold the store.
        block_on(tree.flush_async())?;
        Ok(tree)
    };
    // sled panics on some damaged files; the message is ours to give.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let opened = with_timer_slack(|| catch_unwind(AssertUnwindSafe(open)));
    std::panic::set_hook(hook);
    match opened {
        Ok(Ok(tree)) => Ok(tree),
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
            Err(StoreError::InUse { path: dir.to_owned() })
        }
        Ok(Err(error @ sled::Error::Corruption { .. })) => {
            Err(unreadable(format!("its file `db` is damaged: {error}")))
        }
        Ok(Err(error)) => Err(unreadable(error.to_string())),
        Err(_) => Err(unreadable("its file `db` is damaged".to_owned())),
    }
}

/// Does `work`. The timers of the threads that it starts may be late, and so come together with others: seven of sled's
/// wake once a second for nothing. Whoever has work for them wakes them at once.
fn with_timer_slack<T>(work: impl FnOnce() -> T) -> T {
    // Where the system does not allow it they wake on time.
    let _ = set_current_timer_slack(Some(TIMER_SLACK));
    let done = work();
    let _ = set_current_timer_slack(None);
    done
}

/// Refuses a store that is not whole, and changes nothing then. Where it pays it is written anew.
fn check(data_dir: &Path, lock: &mut File, clock: &SharedClock) -> Result<Sum, StoreError> {
    let dir = data_dir.join(DIR);
    let whole = whole::look_at(&dir)?;
    let failed = StoreError::directory(&dir);
    let on_disk = compact::bytes_on_disk(&dir).map_err(&failed)?;
    if whole.is_former() || compact::pays(on_disk, whole.sum.bytes) {
        let began = clock.monotonic();
        match compact::compact(data_dir, &whole) {
            Ok((compacted, sum, new)) => {
                *lock = new;
                let Compacted { records, before, after } = compacted;
                let pause_ms = (clock.monotonic() - began).as_millis() as u64;
                tracing::info!(records, before, after, pause_ms, "the store was compacted");
                return Ok(sum);
            }
            // It is as it was, and large.
            Err(error @ StoreError::Beside { .. }) if !whole.is_former() => {
                tracing::warn!(%error, "the store was not compacted");
            }
            Err(error) => return Err(error),
        }
    }
    if whole.pages.forget_the_rest().map_err(&failed)? {
        tracing::warn!(
            "power went while the store was written; what nobody had been told of yet is left out"
        );
    }
    // A process that was killed may have left some of it in memory alone, and a snapshot is synced.
    data_file(&dir).map_err(&failed)?;
    match Blobs::open(&dir) {
        // sled makes the directory again; nothing that it should hold is missing.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        opened => drop(opened.map_err(&failed)?),
    }
    whole.pages.save_shortcut().map_err(failed)?;
    Ok(whole.sum)
}

/// The tally to go on from. sled must have found what was `checked`.
fn settle_tally(tree: &sled::Db, dir: &Path, checked: Option<&Sum>) -> Result<Tally, StoreError> {
    let differs =
        || StoreError::unreadable(dir)("sled reads its file `db` otherwise than it was checked".to_owned());
    let stored = Tally::stored(tree)?;
    let Some(checked) = checked else { return Tally::of(tree) };
    if stored != checked.stored {
        return Err(differs());
    }
    // Two readers of one format: where it costs nobody time they are held against each other.
    #[cfg(debug_assertions)]
    if !Tally::of(tree)?.agrees_with(&checked.found) {
        return Err(differs());
    }
    Ok(checked.stored.unwrap_or(checked.found))
}

fn write_format(tree: &sled::Db, dir: &Path) -> Result<(), StoreError> {
    let write = tree.insert(key::meta(key::FORMAT), &FORMAT.to_be_bytes()[..]).and_then(|_| tree.flush());
    write.map(drop).map_err(|error| StoreError::unreadable(dir)(error.to_string()))
}

pub(super) fn note_format(dir: &Path) -> std::io::Result<()> {
    let unfinished = dir.join("format.new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{FORMAT}")?;
    file.sync_all()?;
    point("store-rename");
    fs::rename(unfinished, dir.join(FORMAT_FILE))?;
    sync_dir(dir)
}

/// The file that sled keeps its pages in, for syncs of our own.
fn data_file(dir: &Path) -> std::io::Result<File> {
    let file: PathBuf = dir.join("db");
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    file.sync_all()?;
    // sled does not sync what it writes there when it is new.
    File::open(dir.join(sound::SETTINGS_FILE))?.sync_all()?;
    sync_dir(dir)?;
    Ok(file)
}
