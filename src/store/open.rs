use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::channel::oneshot;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::blobs::Blobs;
use super::commit::Commit;
use super::error::StoreError;
use super::key;
use super::mark::{self, Mark, Marked};
use super::sound;
use super::tally::Tally;
use super::writer::{Disk, Observer, Writer};
use crate::clock::SharedClock;
use crate::durable::sync_dir;
use crate::fault::point;

const FORMAT: u32 = 1;

/// Whoever has this file locked owns the store.
const LOCK: &str = "lock";

/// Tells a store from one whose first start was cut off.
const FORMAT_FILE: &str = "format";

/// The store. Clones share it; the last one dropped closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped first: it writes what is queued.
    writer: Writer,
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
        let dir = data_dir.join("store");
        make_private(&dir)?;
        point("store-directory");
        let lock = lock(&dir)?;
        sound::remove_unfinished_snapshots(&dir).map_err(StoreError::directory(&dir))?;
        // Until this file is there nothing has been acknowledged: a start that was killed begins anew.
        let is_new = !dir.join(FORMAT_FILE).exists();
        check_small_files(&dir, is_new)?;
        let tree = open_tree(&dir)?;
        point("store-opened");
        check_format(&tree, &dir, is_new)?;
        point("store-format");
        let failed = StoreError::directory(&dir);
        let file = data_file(&dir).map_err(&failed)?;
        let tally = check_tally(&tree, &dir)?;
        let mark = Mark::open(&dir, tally.groups).map_err(&failed)?;
        let blobs = Blobs::open(&dir).map_err(&failed)?;
        if is_new {
            note_format(&dir).map_err(&failed)?;
        }
        point("store-ready");
        let writer = Writer::spawn(Disk { tree: tree.clone(), file, blobs, tally, mark }, clock, observer)
            .map_err(failed)?;
        Ok(Self { inner: Arc::new(Inner { writer, tree, _lock: lock }) })
    }

    /// Whether the store below `data_dir` could be opened as far as other processes go. Makes nothing.
    ///
    /// # Errors
    /// [`StoreError::InUse`].
    pub fn check_free(data_dir: &Path) -> Result<(), StoreError> {
        let dir = data_dir.join("store");
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
        self.inner.writer.write(commit, Some(Box::new(done)));
    }

    /// Writes `commit`, waiting for nothing: it becomes durable with the next sync that somebody waits
    /// for, or when sled writes its log of its own accord. For what can be found out again.
    pub fn commit_later(&self, commit: Commit) {
        if !commit.is_empty() {
            self.inner.writer.write(commit, None);
        }
    }

    /// The error after which the store acknowledged nothing more.
    pub fn failure(&self) -> Option<&StoreError> {
        self.inner.writer.failure()
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

fn make_private(dir: &Path) -> Result<(), StoreError> {
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
fn lock(dir: &Path) -> Result<File, StoreError> {
    let failed = StoreError::directory(dir);
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(dir.join(LOCK)).map_err(failed)?;
    take_lock(&file, dir)?;
    Ok(file)
}

fn take_lock(file: &File, dir: &Path) -> Result<(), StoreError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => Err(StoreError::InUse { path: dir.to_owned() }),
        Err(error) => Err(StoreError::directory(dir)(error.into())),
    }
}

fn check_small_files(dir: &Path, is_new: bool) -> Result<(), StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let failed = |error: std::io::Error| unreadable(error.to_string());
    // sled takes a short settings file for none, and would begin anew over the data.
    let settings = dir.join(sound::SETTINGS_FILE);
    if !is_new && !settings.exists() {
        return Err(unreadable("its file `conf` is missing".to_owned()));
    }
    match sound::damaged_settings(dir).map_err(failed)? {
        // The first start was killed while sled wrote it.
        Some(_) if is_new => fs::remove_file(&settings).map_err(failed)?,
        Some(_) => return Err(unreadable("its file `conf` is damaged".to_owned())),
        None => {}
    }
    match sound::damaged_snapshot(dir).map_err(failed)? {
        Some(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Err(unreadable(format!("its file `{name}` is damaged")))
        }
        None => Ok(()),
    }
}

fn open_tree(dir: &Path) -> Result<sled::Db, StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let open = || {
        sled::Config::new()
            .path(dir)
            .mode(sled::Mode::LowSpace)
            .cache_capacity(64 << 20)
            // Each time a sync, even where nothing was written: for what nobody waits for, and nothing else.
            .flush_every_ms(Some(5000))
            .open()
    };
    // sled panics on some damaged files; the message is ours to give.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let opened = catch_unwind(AssertUnwindSafe(open));
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

fn check_format(tree: &sled::Db, dir: &Path, is_new: bool) -> Result<(), StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let format = tree.get(key::meta(key::FORMAT)).map_err(|error| unreadable(error.to_string()))?;
    match format {
        None if is_new => {
            let write =
                tree.insert(key::meta(key::FORMAT), &FORMAT.to_be_bytes()[..]).and_then(|_| tree.flush());
            write.map(drop).map_err(|error| unreadable(error.to_string()))
        }
        None => Err(unreadable("its file `db` is there, and holds no format number".to_owned())),
        Some(bytes) => match bytes.as_ref().try_into().map(u32::from_be_bytes) {
            Ok(FORMAT) => Ok(()),
            Ok(found) => Err(StoreError::Format { path: dir.to_owned(), found, known: FORMAT }),
            Err(_) => Err(unreadable("its format number is damaged".to_owned())),
        },
    }
}

/// Refuses a store from which something is missing.
fn check_tally(tree: &sled::Db, dir: &Path) -> Result<Tally, StoreError> {
    let unreadable = StoreError::unreadable(dir);
    let failed = |error: StoreError| unreadable(format!("its file `db` is damaged: {error}"));
    let marked = mark::read(dir).map_err(|error| unreadable(format!("its file `mark`: {error}")))?;
    let stored = Tally::stored(tree).map_err(failed)?;
    let found = Tally::of(tree).map_err(failed)?;
    let groups = stored.map_or(0, |stored| stored.groups);
    match marked {
        Marked::Damaged => Err(unreadable("its file `mark` is damaged".to_owned())),
        Marked::Missing if groups > 0 => Err(unreadable("its file `mark` is missing".to_owned())),
        Marked::Groups(marked) if groups < marked => Err(unreadable(format!(
            "the end of its file `db` is damaged or cut off: of {marked} groups of commits that were acknowledged, {} are missing",
            marked - groups
        ))),
        Marked::Missing | Marked::Groups(_) => match stored {
            Some(stored) if !stored.agrees_with(&found) => Err(unreadable(format!(
                "its file `db` is damaged: of {} records, {} are there, and they are not those that were written",
                stored.records, found.records
            ))),
            Some(stored) => Ok(stored),
            // Written before there were tallies, or never.
            None => Ok(found),
        },
    }
}

fn note_format(dir: &Path) -> std::io::Result<()> {
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
