//! Whether sled's small files are as sled wrote them, asked and mended before sled opens.
//!
//! sled only warns of a settings file whose checksum is wrong, and by wrong settings it would take the
//! whole log for unwritten and blank it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The settings, as `sled` calls them.
pub(super) const SETTINGS_FILE: &str = "conf";

/// A snapshot of ours that is being written, under a name that sled does not take for one.
pub(super) const NEW_SNAPSHOT: &str = "new.snap";

/// Before the checksum of a snapshot stands its length, which that does not cover.
pub(super) const SNAPSHOT_GAP: usize = 8;

/// The settings file of the store in `dir`, where it is there and not sound.
pub(super) fn damaged_settings(dir: &Path) -> io::Result<Option<PathBuf>> {
    let path = dir.join(SETTINGS_FILE);
    Ok(read(&path)?.filter(|bytes| !is_sound(bytes, 0)).map(|_| path))
}

/// The settings file of a store with segments of that size.
pub(super) fn settings(segment: usize) -> Vec<u8> {
    let mut settings =
        format!("segment_size: {segment}\nuse_compression: false\nversion: 0.34\n").into_bytes();
    let checksum = crc32fast::hash(&settings);
    settings.extend(checksum.to_le_bytes());
    settings
}

/// How large the segments of the store's log are, by its settings; nothing where they do not say.
pub(super) fn segment_size(dir: &Path) -> io::Result<Option<u64>> {
    let settings = fs::read(dir.join(SETTINGS_FILE))?;
    let lines = || settings.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let value = |name| lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let size = value("segment_size").and_then(|size| size.parse().ok());
    let is_known = value("use_compression") == Some("false") && value("version") == Some("0.34");
    Ok(size.filter(|size: &u64| is_known && size.is_power_of_two() && (256..=1 << 24).contains(size)))
}

/// The snapshot that sled would begin with.
pub(super) fn newest_snapshot(dir: &Path) -> io::Result<Option<PathBuf>> {
    Ok(snapshots(dir)?.into_iter().filter(|path| !is_unfinished(path)).max())
}

/// The snapshot that sled would begin with, where it is not sound.
pub(super) fn damaged_snapshot(dir: &Path) -> io::Result<Option<PathBuf>> {
    let Some(newest) = newest_snapshot(dir)? else { return Ok(None) };
    Ok(read(&newest)?.filter(|bytes| !is_sound(bytes, SNAPSHOT_GAP)).map(|_| newest))
}

/// sled writes a snapshot under another name, syncs it, renames it, and only then removes the one before.
/// Killed in between, it would take the unfinished one for its newest, and refuse it as damaged.
pub(super) fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    for path in snapshots(dir)?.iter().filter(|path| is_unfinished(path)) {
        tracing::info!(file = %path.display(), "an unfinished snapshot of the store is removed; the one before it counts");
        fs::remove_file(path)?;
    }
    match fs::remove_file(dir.join(NEW_SNAPSHOT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn snapshots(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let files = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<_> = files.collect::<io::Result<_>>()?;
    let is_snapshot =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"snap."));
    Ok(files.into_iter().filter(is_snapshot).collect())
}

fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "generating")
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Whether the checksum at the end of `bytes` is that of what stands `gap` bytes before it.
pub(super) fn is_sound(bytes: &[u8], gap: usize) -> bool {
    let Some((rest, check)) = bytes.split_last_chunk::<4>() else { return false };
    let Some(length) = rest.len().checked_sub(gap).filter(|length| *length > 0) else { return false };
    crc32fast::hash(&rest[..length]) == u32::from_le_bytes(*check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::open_sled;

    #[test]
    fn what_sled_writes_is_sound_until_a_bit_of_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..2u8 {
            let tree = open_sled(&sled::Config::new().path(dir.path())).unwrap();
            tree.insert([round], "value").unwrap();
            tree.flush().unwrap();
        }
        assert_eq!(damaged_settings(dir.path()).unwrap(), None);
        assert_eq!(damaged_snapshot(dir.path()).unwrap(), None);
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        let snapshot = names.iter().find(|path| path.to_string_lossy().contains("snap.")).unwrap();
        for path in [&dir.path().join(SETTINGS_FILE), snapshot] {
            let mut bytes = fs::read(path).unwrap();
            bytes[3] ^= 8;
            fs::write(path, bytes).unwrap();
        }
        assert!(damaged_settings(dir.path()).unwrap().is_some());
        assert_eq!(damaged_snapshot(dir.path()).unwrap().as_ref(), Some(snapshot));
    }
}
