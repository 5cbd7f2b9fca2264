//! Where sled's pages were at some place of its log, so that it need not read all before that again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::Damage;
use super::bytes::{Bytes, number};
use super::pages::{Page, Place};
use crate::durable::sync_dir;
use crate::fault::point;
use crate::store::sound;

/// The newest snapshot of a store.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// Up to where it knows the log.
    pub(super) stable: Option<i64>,
    pub(super) pages: Vec<Page>,
}

/// Reads the newest snapshot in `dir`; none is an empty one.
pub(super) fn read(dir: &Path) -> Result<Snapshot, Damage> {
    let newest = sound::newest_snapshot(dir).map_err(|error| Damage::io("snap", &error))?;
    let Some(path) = newest else { return Ok(Snapshot::default()) };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = fs::read(&path).map_err(|error| Damage::io(&name, &error))?;
    let damaged = || Damage::of(&name, "it does not read");
    if !sound::is_sound(&bytes, sound::SNAPSHOT_GAP) {
        return Err(damaged());
    }
    parse(&bytes[..bytes.len() - 4 - sound::SNAPSHOT_GAP]).ok_or_else(damaged)
}

pub(super) fn parse(bytes: &[u8]) -> Option<Snapshot> {
    let mut bytes = Bytes(bytes);
    let stable = match bytes.position()? {
        0 => None,
        shifted if shifted < 0 => Some(shifted),
        shifted => Some(shifted - 1),
    };
    let _active_segment = bytes.optional_number()?;
    let mut pages = Vec::new();
    while !bytes.0.is_empty() {
        pages.push(page(&mut bytes)?);
    }
    Some(Snapshot { stable, pages })
}

fn page(bytes: &mut Bytes<'_>) -> Option<Page> {
    match bytes.byte()? {
        0 => {
            let lsn = bytes.position()?;
            let (offset, blob) = pointer(bytes)?;
            Some(Page::Free(Place { lsn, offset, blob, length: 0 }))
        }
        places => {
            let base = place(bytes)?;
            let changes = (1..places).map(|_| place(bytes)).collect::<Option<_>>()?;
            Some(Page::Present { base, changes })
        }
    }
}

fn place(bytes: &mut Bytes<'_>) -> Option<Place> {
    let lsn = bytes.position()?;
    let (offset, blob) = pointer(bytes)?;
    let length = u32::try_from(bytes.number()?).ok()?;
    Some(Place { lsn, offset, blob, length })
}

fn pointer(bytes: &mut Bytes<'_>) -> Option<(u64, Option<i64>)> {
    match bytes.byte()? {
        0 => Some((bytes.number()?, None)),
        1 => Some((bytes.number()?, Some(bytes.position()?))),
        _ => None,
    }
}

/// The snapshot of these pages where the log is at `stable`, the beginning of a segment; none where one of
/// them is not known there.
pub(super) fn write(stable: i64, pages: &[Page]) -> Option<Vec<u8>> {
    let mut bytes = (stable + 1).to_le_bytes().to_vec();
    // No segment is half full there.
    number(&mut bytes, 0);
    for page in pages {
        match page {
            Page::Unknown => return None,
            Page::Free(place) => {
                bytes.push(0);
                bytes.extend(place.lsn.to_le_bytes());
                write_pointer(&mut bytes, place);
            }
            Page::Present { base, changes } => {
                bytes.push(u8::try_from(changes.len() + 1).ok()?);
                for place in std::iter::once(base).chain(changes) {
                    bytes.extend(place.lsn.to_le_bytes());
                    write_pointer(&mut bytes, place);
                    number(&mut bytes, u64::from(place.length));
                }
            }
        }
    }
    let (length, checksum) = (bytes.len() as u64, crc32fast::hash(&bytes));
    bytes.extend(length.to_le_bytes());
    bytes.extend(checksum.to_le_bytes());
    Some(bytes)
}

fn write_pointer(bytes: &mut Vec<u8>, place: &Place) {
    bytes.push(u8::from(place.blob.is_some()));
    number(bytes, place.offset);
    if let Some(blob) = place.blob {
        bytes.extend(blob.to_le_bytes());
    }
}

/// Puts a snapshot where sled looks for it. It removes those before it itself.
pub(super) fn save(dir: &Path, stable: i64, bytes: &[u8]) -> io::Result<()> {
    let new = dir.join(sound::NEW_SNAPSHOT);
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    point("snapshot-written");
    fs::rename(new, dir.join(format!("snap.{stable:016X}")))?;
    point("snapshot-named");
    sync_dir(dir)
}
