//! Whether sled's small files are as sled wrote them, asked before sled opens.
//!
//! sled only warns of a settings file whose checksum is wrong, and by wrong settings it would take the
//! whole log for unwritten and blank it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The settings, as `sled` calls them.
pub(super) const SETTINGS_FILE: &str = "conf";

/// The settings file of the store in `dir`, where it is there and not sound.
pub(super) fn damaged_settings(dir: &Path) -> io::Result<Option<PathBuf>> {
    let path = dir.join(SETTINGS_FILE);
    Ok(read(&path)?.filter(|bytes| !is_sound(bytes, 0)).map(|_| path))
}

/// The snapshot that sled would begin with, where it is not sound.
pub(super) fn damaged_snapshot(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_snapshot = name.starts_with("snap.") && !name.ends_with(".generating");
        newest = newest.max(is_snapshot.then_some(name));
    }
    let Some(name) = newest else { return Ok(None) };
    let path = dir.join(name);
    // Before its checksum stands its length, which that does not cover.
    Ok(read(&path)?.filter(|bytes| !is_sound(bytes, 8)).map(|_| path))
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Whether the checksum at the end of `bytes` is that of what stands `gap` bytes before it.
fn is_sound(bytes: &[u8], gap: usize) -> bool {
    let Some((rest, check)) = bytes.split_last_chunk::<4>() else { return false };
    let Some(length) = rest.len().checked_sub(gap).filter(|length| *length > 0) else { return false };
    crc32(&rest[..length]) == u32::from_le_bytes(*check)
}

/// The CRC-32 of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_that_the_standard_gives_as_its_example() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn what_sled_writes_is_sound_until_a_bit_of_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..2u8 {
            let tree = sled::open(dir.path()).unwrap();
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
