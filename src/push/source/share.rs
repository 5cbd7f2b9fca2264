//! A tree once more, without its bytes.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::unpack::remove;

/// Makes a tree at `to`, which must not be there, whose files are those of `from`: further names of them, since nobody
/// writes to what tasks run on. Where it fails nothing is left of it.
pub(in crate::push) fn share_tree(from: &Path, to: &Path) -> io::Result<()> {
    let shared = share(from, to).and_then(|()| Ok(rustix::fs::syncfs(File::open(to)?)?));
    if shared.is_err() {
        // The next start removes what stays.
        let _ = remove(to);
    }
    shared
}

fn share(from: &Path, to: &Path) -> io::Result<()> {
    let mut dirs = Vec::new();
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        DirBuilder::new().mode(0o700).create(&to)?;
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            match entry.file_type()?.is_dir() {
                true => waiting.push((source, target)),
                // A link is linked itself.
                false => fs::hard_link(source, target)?,
            }
        }
        dirs.push((from, to));
    }
    // Only now: a read-only directory could not have been filled.
    for (from, to) in dirs.into_iter().rev() {
        fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    }
    Ok(())
}
