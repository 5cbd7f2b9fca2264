//! The directory of sources: what arrives, what is kept, what goes.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, DirBuilder, File, FileTimes};
use std::io::{self, BufReader, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::archive::{self, TarError};
use super::hash::SourceHash;
use super::unpack;
use crate::app::ByteSize;
use crate::clock::SharedClock;
use crate::durable::sync_dir;
use crate::fault::point;

/// A source that no revision names stays for so long: whoever sent it, or was told that it is here, may be about to
/// push.
const UNNAMED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// One that was cut off waits for so long to be gone on with.
const PART_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What is read ahead when a tar is read.
const READ_AHEAD: usize = 256 << 10;

/// How much of a source is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The bytes that are here.
    pub received: u64,
    /// Whether that is all of it, checked.
    pub complete: bool,
}

/// Why a source was not received, or is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not here.
    #[error("the source `{}` is not here\nhint: it was never sent, or went with the revisions that named it; push again", .0.short())]
    NotThere(SourceHash),
    /// It would leave a hole, or write something twice. What there is stays.
    #[error("expected the source from byte {received} on, found it from byte {offset} on")]
    Offset {
        /// What is here.
        received: u64,
        /// What was sent.
        offset: u64,
    },
    /// Somebody else sends it.
    #[error("the source `{}` is being sent by somebody else\nhint: ask again in a while", .0.short())]
    UnderWay(SourceHash),
    /// It is too large. Nothing is kept.
    #[error(
        "expected a source of at most {max}, found a larger one\nhint: leave out what a build makes again (`.cfignore` names it), or raise `max_source`"
    )]
    TooLarge {
        /// The most.
        max: ByteSize,
    },
    /// Its bytes are others than its name says. Nothing is kept.
    #[error(
        "expected a source whose SHA-256 is `{expected}`, found one with `{found}`\nhint: it changed on its way, or while it was packed; push again"
    )]
    Hash {
        /// Its name.
        expected: SourceHash,
        /// What it is.
        found: SourceHash,
    },
    /// It is no source. Nothing is kept.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The disk is full. Nothing is kept.
    #[error("the disk that keeps sources, at `{}`, is full: nothing of this one is kept\nhint: make room there, and push again", dir.display())]
    Full {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk fails. What there is stays.
    #[error("keeping a source in `{}` failed: {source}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// The sources of this machine.
#[derive(Debug, Clone)]
pub struct Sources {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    clock: SharedClock,
    /// Those that arrive now.
    arriving: Mutex<HashSet<SourceHash>>,
    /// Held while a tar is read: that takes memory, however many arrive at once.
    reading: Mutex<()>,
}

impl Sources {
    /// The sources in `data_dir`. Nothing is made there before the first one comes.
    pub fn of(data_dir: &Path, clock: SharedClock) -> Self {
        let dir = data_dir.join("sources");
        Self { inner: Arc::new(Inner { dir, clock, arriving: Mutex::default(), reading: Mutex::default() }) }
    }

    /// How much of a source is here. One that is complete stays for an hour from now on, so that it can be pushed.
    ///
    /// # Errors
    /// [`SourceError::Io`].
    pub fn standing(&self, hash: &SourceHash) -> Result<Standing, SourceError> {
        // A sweep that has found it to be old does not take it away behind this.
        let _arriving = self.arriving();
        match File::open(self.whole(hash)) {
            Ok(file) => {
                self.touch(&file);
                let received = file.metadata().map_err(|error| self.failed(error))?.len();
                Ok(Standing { received, complete: true })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::metadata(self.part(hash)) {
                Ok(part) => Ok(Standing { received: part.len(), complete: false }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Ok(Standing { received: 0, complete: false })
                }
                Err(error) => Err(self.failed(error)),
            },
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Begins to receive a source that is not complete, from byte `offset` on.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn receive(&self, hash: &SourceHash, offset: u64, max: ByteSize) -> Result<Receiving, SourceError> {
        if !self.arriving().insert(*hash) {
            return Err(SourceError::UnderWay(*hash));
        }
        let arriving = Arriving { sources: self.clone(), hash: *hash };
        let dir = &self.inner.dir;
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| self.failed(error))?;
        let path = self.part(hash);
        let file = File::options().read(true).append(true).create(offset == 0).mode(0o600).open(&path);
        let file = file.map_err(|error| match error.kind() {
            // What there is nothing of leaves nothing, either.
            io::ErrorKind::NotFound => SourceError::Offset { received: 0, offset },
            _ => self.failed(error),
        })?;
        let received = file.metadata().map_err(|error| self.failed(error))?.len();
        if received != offset {
            return Err(SourceError::Offset { received, offset });
        }
        Ok(Receiving { arriving, file, received, max })
    }

    /// A source, to be read from its beginning.
    ///
    /// # Errors
    /// [`SourceError::NotThere`], [`SourceError::Io`].
    pub fn open_source(&self, hash: &SourceHash) -> Result<File, SourceError> {
        match File::open(self.whole(hash)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SourceError::NotThere(*hash)),
            opened => opened.map_err(|error| self.failed(error)),
        }
    }

    /// Writes the tree of a source to `to`: see [`unpack`].
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn unpack(&self, hash: &SourceHash, to: &Path) -> Result<(), SourceError> {
        let source = self.open_source(hash)?;
        let _reading = self.reading();
        Ok(unpack::unpack(BufReader::with_capacity(READ_AHEAD, source), to)?)
    }

    /// Removes the sources that nobody needs: those that are not `needed`, and parts that nobody goes on with. Returns
    /// how many went.
    ///
    /// # Errors
    /// [`SourceError::Io`], with the others removed.
    pub fn sweep(&self, needed: &BTreeSet<SourceHash>) -> Result<usize, SourceError> {
        let entries = match fs::read_dir(&self.inner.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries.map_err(|error| self.failed(error))?,
        };
        let (now, mut removed, mut result) = (self.inner.clock.now(), 0, Ok(()));
        for entry in entries {
            let path = entry.map_err(|error| self.failed(error))?.path();
            let Some((hash, whole)) = of_path(&path) else { continue };
            let stays = if whole { UNNAMED_FOR } else { PART_FOR };
            // None begins to arrive meanwhile.
            let arriving = self.arriving();
            if (whole && needed.contains(&hash)) || arriving.contains(&hash) || !is_older(&path, stays, now) {
                continue;
            }
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => result = Err(self.failed(error)),
            }
        }
        result.map(|()| removed)
    }

    fn whole(&self, hash: &SourceHash) -> PathBuf {
        self.inner.dir.join(format!("{hash}.tar"))
    }

    fn part(&self, hash: &SourceHash) -> PathBuf {
        self.inner.dir.join(format!("{hash}.part"))
    }

    fn arriving(&self) -> MutexGuard<'_, HashSet<SourceHash>> {
        self.inner.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading(&self) -> MutexGuard<'_, ()> {
        self.inner.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It was asked for now. Only a sweep reads that: where it cannot be set, the source goes a little earlier.
    fn touch(&self, file: &File) {
        let _ = file.set_times(FileTimes::new().set_modified(self.inner.clock.now().into()));
    }

    fn full(&self) -> SourceError {
        SourceError::Full { dir: self.inner.dir.clone() }
    }

    /// What the disk said.
    pub(crate) fn failed(&self, source: io::Error) -> SourceError {
        match is_full(&source) {
            true => self.full(),
            false => SourceError::Io { dir: self.inner.dir.clone(), source },
        }
    }
}

/// The source that a file is, and whether it is whole.
fn of_path(path: &Path) -> Option<(SourceHash, bool)> {
    let name = path.file_name()?.to_str()?;
    let (hash, whole) = match name.strip_suffix(".tar") {
        Some(hash) => (hash, true),
        None => (name.strip_suffix(".part")?, false),
    };
    Some((hash.parse().ok()?, whole))
}

fn is_older(path: &Path, than: SignedDuration, now: Timestamp) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let modified = modified.and_then(|modified| Timestamp::try_from(modified).ok());
    modified.is_some_and(|modified| now.duration_since(modified) > than)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Nobody else receives this source.
#[derive(Debug)]
struct Arriving {
    sources: Sources,
    hash: SourceHash,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.sources.arriving().remove(&self.hash);
    }
}

/// A source that arrives. Dropped, it is gone on with later.
#[derive(Debug)]
pub struct Receiving {
    arriving: Arriving,
    file: File,
    received: u64,
    max: ByteSize,
}

impl Receiving {
    /// The bytes that are here.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The next bytes.
    ///
    /// # Errors
    /// [`SourceError::TooLarge`], [`SourceError::Full`]: then nothing is kept. [`SourceError::Io`].
    pub fn take(&mut self, piece: &[u8]) -> Result<(), SourceError> {
        let received = self.received + piece.len() as u64;
        if received > self.max.bytes() {
            self.forget()?;
            return Err(SourceError::TooLarge { max: self.max });
        }
        match self.file.write_all(piece) {
            Ok(()) => {
                self.received = received;
                Ok(())
            }
            Err(error) => {
                let failed = self.sources().failed(error);
                if matches!(failed, SourceError::Full { .. }) {
                    self.forget()?;
                }
                Err(failed)
            }
        }
    }

    /// That was all of it: it is checked, and on disk when this returns.
    ///
    /// # Errors
    /// [`SourceError`]; of what is wrong nothing is kept.
    pub fn finish(mut self) -> Result<Standing, SourceError> {
        point("source-received");
        match self.check() {
            Ok(()) => {}
            Err(error @ SourceError::Io { .. }) => return Err(error),
            Err(error) => {
                self.forget()?;
                return Err(error);
            }
        }
        let (sources, hash) = (self.sources(), &self.arriving.hash);
        sources.touch(&self.file);
        let kept = fs::rename(sources.part(hash), sources.whole(hash));
        kept.and_then(|()| sync_dir(&sources.inner.dir)).map_err(|error| sources.failed(error))?;
        point("source-kept");
        Ok(Standing { received: self.received, complete: true })
    }

    fn check(&mut self) -> Result<(), SourceError> {
        let sources = self.arriving.sources.clone();
        let synced = self.file.sync_all().and_then(|()| self.file.rewind());
        synced.map_err(|error| sources.failed(error))?;
        let _reading = sources.reading();
        let tar = BufReader::with_capacity(READ_AHEAD, &self.file);
        let (found, _) = archive::read(tar, |_, _| Ok(())).map_err(|error| match error {
            TarError::Read(error) => sources.failed(error),
            error => error.into(),
        })?;
        let expected = self.arriving.hash;
        if found == expected { Ok(()) } else { Err(SourceError::Hash { expected, found }) }
    }

    /// Nothing of it is kept.
    fn forget(&self) -> Result<(), SourceError> {
        let sources = self.sources();
        fs::remove_file(sources.part(&self.arriving.hash)).map_err(|error| sources.failed(error))
    }

    fn sources(&self) -> &Sources {
        &self.arriving.sources
    }
}
