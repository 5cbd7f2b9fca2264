//! Payloads too large for the log, each in a file of its own: a checksum, the kind, the payload.

use std::fs;
use std::io;
use std::path::Path;

use super::Damage;
use super::message::{Kind, kind_of};

/// Whether blob `number` is there, whole.
pub(super) fn check(dir: &Path, number: i64) -> Result<bool, Damage> {
    Ok(read(dir, number)?.is_some())
}

/// The kind and the payload of blob `number`; none where there is no such file.
pub(super) fn read(dir: &Path, number: i64) -> Result<Option<(Kind, Vec<u8>)>, Damage> {
    let name = format!("blobs/{number}");
    let mut bytes = match fs::read(dir.join(&name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| Damage::io(&name, &error))?,
    };
    let damaged = || Damage::of(&name, "its checksum is wrong");
    let (checksum, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
        return Err(damaged());
    }
    let (kind, _) = rest.first().and_then(|kind| kind_of(*kind)).ok_or_else(damaged)?;
    bytes.drain(..5);
    Ok(Some((kind, bytes)))
}
