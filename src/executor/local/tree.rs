//! Directory trees: an independent copy, and removal of whatever a task left.

use std::fs::{self, DirBuilder, File, FileTimes, FileType, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::ioctl_ficlone;

/// Why a tree was not copied.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// Somebody wanted it to stop.
    #[error("stopped")]
    Stopped,
    /// The copy would hold itself.
    #[error("expected a directory outside of tekcron's data, found `{}`, which holds it", .0.display())]
    Endless(PathBuf),
    /// Something could not be read or written.
    #[error("copying `{}` failed: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Copies the tree `from` to `to`, which must not be there. Modes and modification times are kept, links
/// stay links, blocks are shared with the original where the file system can. Asks `stop` before each
/// entry. Returns what has no copy: sockets, pipes and devices, with the word for each.
///
/// # Errors
/// [`CopyError`]; a file that vanishes meanwhile is not an error.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    mut stop: impl FnMut() -> bool,
) -> Result<Vec<(PathBuf, &'static str)>, CopyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CopyError::Io { path, source }
    };
    let real = from.canonicalize().map_err(failed(from))?;
    let parent = to.parent().unwrap_or(to);
    if parent.canonicalize().map_err(failed(parent))?.starts_with(&real) {
        return Err(CopyError::Endless(from.to_owned()));
    }
    let mut skipped = Vec::new();
    let mut copied_dirs = Vec::new();
    let mut waiting = vec![(real, to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        let metadata = fs::metadata(&from).map_err(failed(&from))?;
        DirBuilder::new().mode(0o700).create(&to).map_err(failed(&to))?;
        for entry in fs::read_dir(&from).map_err(failed(&from))? {
            if stop() {
                return Err(CopyError::Stopped);
            }
            let entry = entry.map_err(failed(&from))?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type().map_err(failed(&source))?;
            if kind.is_dir() {
                waiting.push((source, target));
            } else if let Some(word) = special(kind) {
                skipped.push((source, word));
            } else {
                copy_entry(&source, &target, kind).map_err(failed(&source))?;
            }
        }
        copied_dirs.push((to, metadata));
    }
    // Only now: a read-only directory could not have been filled, and filling it changed its time.
    for (dir, metadata) in copied_dirs.into_iter().rev() {
        File::open(&dir).and_then(|file| imitate(&file, &metadata)).map_err(failed(&dir))?;
    }
    Ok(skipped)
}

fn special(kind: FileType) -> Option<&'static str> {
    match () {
        () if kind.is_fifo() => Some("a pipe"),
        () if kind.is_socket() => Some("a socket"),
        () if kind.is_block_device() || kind.is_char_device() => Some("a device"),
        () => None,
    }
}

fn copy_entry(from: &Path, to: &Path, kind: FileType) -> io::Result<()> {
    let copied = match kind.is_symlink() {
        true => fs::read_link(from).and_then(|target| symlink(target, to)),
        false => copy_file(from, to),
    };
    match copied {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied,
    }
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let metadata = source.metadata()?;
    let mut target = File::options().write(true).create_new(true).mode(0o600).open(to)?;
    if ioctl_ficlone(&target, &source).is_err() {
        io::copy(&mut source, &mut target)?;
    }
    imitate(&target, &metadata)
}

fn imitate(file: &File, metadata: &Metadata) -> io::Result<()> {
    file.set_permissions(metadata.permissions())?;
    file.set_times(FileTimes::new().set_modified(metadata.modified()?))
}

/// Removes the tree at `path`, also where a task took the right to do so from its directories. None
/// there is done.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    // Many a working directory is empty, and need not be looked into.
    if fs::remove_dir(path).is_ok() {
        return Ok(());
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn open_up(path: &Path) -> io::Result<()> {
    let mut waiting = vec![path.to_owned()];
    while let Some(dir) = waiting.pop() {
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_copy_is_the_same_and_independent() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/run.sh"), "echo").unwrap();
        fs::set_permissions(from.join("a/b/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(from.join("a/b"), fs::Permissions::from_mode(0o555)).unwrap();
        symlink("a/b/run.sh", from.join("relative")).unwrap();
        symlink("/nowhere", from.join("dangling")).unwrap();
        let _socket = UnixListener::bind(from.join("socket")).unwrap();
        let skipped = copy(&from, &to, || false).unwrap();
        assert_eq!(skipped, [(from.join("socket"), "a socket")]);
        fs::write(from.join("a/b/run.sh"), "changed").unwrap();
        assert_eq!(fs::read_to_string(to.join("relative")).unwrap(), "echo");
        assert_eq!(fs::read_link(to.join("dangling")).unwrap(), Path::new("/nowhere"));
        assert_eq!(fs::metadata(to.join("a/b/run.sh")).unwrap().mode() & 0o777, 0o755);
        assert_eq!(fs::metadata(to.join("a/b")).unwrap().mode() & 0o777, 0o555);
        assert_eq!(
            fs::metadata(to.join("a")).unwrap().modified().unwrap(),
            fs::metadata(from.join("a")).unwrap().modified().unwrap(),
        );
        remove(&to).unwrap();
        assert!(!to.exists());
        remove(&to).unwrap();
    }

    #[test]
    fn a_directory_that_holds_its_own_copy_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("data");
        fs::create_dir(&inside).unwrap();
        let refused = copy(dir.path(), &inside.join("work"), || false);
        assert!(matches!(refused, Err(CopyError::Endless(_))), "{refused:?}");
    }

    #[test]
    fn a_copy_may_be_stopped() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("from")).unwrap();
        fs::write(dir.path().join("from/file"), "x").unwrap();
        let stopped = copy(&dir.path().join("from"), &dir.path().join("to"), || true);
        assert!(matches!(stopped, Err(CopyError::Stopped)), "{stopped:?}");
    }
}
