//! From a tar to a tree of files.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::archive::{self, Item, TarError};
use crate::durable::sync_dir;

/// A tree that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("writing `{}` failed: {source}{}", path.display(), hint(source))]
pub struct UnpackError {
    /// What.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\nhint: the disk of the data directory is full"
        }
        _ => "",
    }
}

/// Writes the tree in `tar` to `to`, which is on disk when this returns; what was there is replaced. Until then it has
/// another name, and where it fails nothing is left of it.
///
/// # Errors
/// [`TarError`].
pub fn unpack(tar: impl Read, to: &Path) -> Result<(), TarError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| TarError::from(UnpackError { path, source })
    };
    let parent = to.parent().unwrap_or(Path::new("."));
    let new = parent.join(format!(".new-{}", to.file_name().unwrap_or_default().to_string_lossy()));
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed(parent))?;
    // A crash may have left them.
    remove(&new).map_err(failed(&new))?;
    remove(to).map_err(failed(to))?;
    let written = write(tar, &new)
        .and_then(|()| fs::rename(&new, to).and_then(|()| sync_dir(parent)).map_err(failed(to)));
    if written.is_err()
        && let Err(error) = remove(&new)
    {
        tracing::warn!(path = %new.display(), %error, "what was left of a source could not be removed");
    }
    written
}

fn write(tar: impl Read, new: &Path) -> Result<(), TarError> {
    let failed = |path: PathBuf| move |source| TarError::from(UnpackError { path, source });
    make_dir(new).map_err(failed(new.to_owned()))?;
    let (_, tree) = archive::read(tar, |name, item| {
        let path = new.join(OsStr::from_bytes(name));
        let written = match item {
            Item::Dir => make_dir(&path),
            Item::File { executable, content } => {
                let mut file = make_file(&path, executable).map_err(failed(path.clone()))?;
                return copy(content, |piece| file.write_all(piece).map_err(failed(path.clone())));
            }
            Item::HardLink { to } => {
                make_parent(&path).and_then(|()| fs::hard_link(new.join(OsStr::from_bytes(to)), &path))
            }
        };
        written.map_err(failed(path))
    })?;
    // Last of all: no file is written through one.
    for link in tree.links() {
        let path = new.join(OsStr::from_bytes(&link.name));
        let made = make_parent(&path).and_then(|()| symlink(OsStr::from_bytes(&link.target), &path));
        made.map_err(failed(path))?;
    }
    // All of them at once: one by one would take a sync for each.
    let synced = File::open(new).and_then(|dir| Ok(rustix::fs::syncfs(&dir)?));
    synced.map_err(failed(new.to_owned()))
}

fn make_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().recursive(true).mode(0o755).create(path) {
        // A file of its name would have been refused.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Directories may come after what is in them, or not at all.
fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_dir)
}

fn make_file(path: &Path, executable: bool) -> io::Result<File> {
    let mode = if executable { 0o755 } else { 0o644 };
    let create = || File::options().write(true).create_new(true).mode(mode).open(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_parent(path).and_then(|()| create()),
        created => created,
    }
}

/// Not `io::copy`: what cannot be read is another mistake than what cannot be written.
fn copy(
    content: &mut dyn Read,
    mut write: impl FnMut(&[u8]) -> Result<(), TarError>,
) -> Result<(), TarError> {
    let mut piece = [0; 32 << 10];
    loop {
        match content.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => write(&piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(archive::unread(error)),
        }
    }
}

/// Removes a tree, also where a build took the right to do so from its directories. None there is done.
pub(in crate::push) fn remove(path: &Path) -> io::Result<()> {
    crate::executor::local::remove_tree(path)
}
