//! Reading files that somebody named: regular ones only, and no larger ones than somebody writes.
//!
//! Guaranteed: opening waits for nobody, be it a named pipe, a terminal or a device; reading takes bounded
//! memory.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// The most bytes of a file. Ten thousand jobs take half of it.
const LARGEST: u64 = 1 << 20;

/// Opens a regular file, for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Before, as opening alone may move a device; after, as the name may stand for another file by then.
    expect_regular(&fs::metadata(path)?)?;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    expect_regular(&file.metadata()?)?;
    Ok(file)
}

/// The content of a regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::other("expected at most 1 MiB, found more")),
        false => Ok(bytes),
    }
}

fn expect_regular(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => {
            let found = described(metadata.file_type());
            Err(io::Error::other(format!("expected a regular file, found {found}")))
        }
    }
}

fn described(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}
