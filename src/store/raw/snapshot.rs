//! Where sled's pages were when it was last opened.

use std::fs;
use std::path::Path;

use super::Damage;
use super::bytes::Bytes;
use super::pages::{Page, Place};
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

fn parse(bytes: &[u8]) -> Option<Snapshot> {
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
            bytes.position()?;
            pointer(bytes)?;
            Some(Page::Free)
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
