use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ExportError;
use super::line::{self, Head, Tail};
use crate::store::error::StoreError;
use crate::store::key;
use crate::store::raw::{Pages, Stop};

/// What was carried away, or brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// How many records.
    pub records: u64,
}

/// Writes every record of a store that is whole.
pub(super) fn all(dir: &Path, pages: &Pages, out: &mut dyn Write) -> Result<Exported, ExportError> {
    let mut lines = Lines::begin(out)?;
    let written = pages.rows(|at, value| lines.record(at, value).map_err(Stop::Each));
    written.map_err(|stop| match stop {
        Stop::Damage(damage) => ExportError::Store(StoreError::unreadable(dir)(damage.to_string())),
        Stop::Each(error) => ExportError::Write(error),
    })?;
    Ok(lines.end()?)
}

/// Writes these records.
pub(super) fn rows(rows: &BTreeMap<Vec<u8>, Vec<u8>>, out: &mut dyn Write) -> io::Result<Exported> {
    let mut lines = Lines::begin(out)?;
    for (at, value) in rows {
        lines.record(at, value)?;
    }
    lines.end()
}

struct Lines<'a> {
    out: &'a mut dyn Write,
    records: u64,
    hash: Sha256,
}

impl<'a> Lines<'a> {
    fn begin(out: &'a mut dyn Write) -> io::Result<Self> {
        let mut lines = Self { out, records: 0, hash: Sha256::new() };
        lines.line(&text(&Head { tekcron_store: line::FORMAT }))?;
        Ok(lines)
    }

    /// What the store itself needs, a store makes for itself; what only an older one has, none needs.
    fn record(&mut self, at: &[u8], value: &[u8]) -> io::Result<()> {
        if key::is_meta(at) || key::is_former(at) {
            return Ok(());
        }
        self.records += 1;
        self.line(&line::write(at, value))
    }

    fn end(mut self) -> io::Result<Exported> {
        let sha256 = HEXLOWER.encode(&self.hash.clone().finalize());
        let records = self.records;
        self.line(&text(&Tail { records, sha256 }))?;
        self.out.flush()?;
        Ok(Exported { records })
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        for part in [line.as_bytes(), b"\n"] {
            self.hash.update(part);
            self.out.write_all(part)?;
        }
        Ok(())
    }
}

fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("it is plain data")
}
