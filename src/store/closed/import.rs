use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::check;
use super::export::Exported;
use super::line::{self, Head, Tail};
use crate::fault::point;
use crate::store::beside::{self, Beside};
use crate::store::error::StoreError;
use crate::store::key;
use crate::store::open::{self, DIR, FORMAT, FORMAT_FILE};
use crate::store::record;
use crate::store::tally::Tally;

/// Why a store was not made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is a store, or none can be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// It is no whole export.
    #[error(
        "`{path}` line {line}: {message}\nhint: export the store again; a file that was cut off or edited is not taken"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
}

/// Reads the file twice: all of it is known to be good before anything is written.
pub(super) fn import(data_dir: &Path, file: &Path) -> Result<Exported, ImportError> {
    let dir = data_dir.join(DIR);
    let mut tally = Tally::default();
    tally.groups = 1;
    let records = read(file, |at, value| {
        tally.add(at, value);
        Ok(())
    })?;
    let failed = StoreError::directory(&dir);
    beside::settle_names(data_dir).map_err(&failed)?;
    open::make_private(&dir)?;
    let lock = open::lock(&dir)?;
    if dir.join(FORMAT_FILE).exists() || dir.join("db").exists() {
        return Err(StoreError::NotEmpty { path: dir.clone() }.into());
    }
    point("import-locked");
    let mut wrong = None;
    let written = Beside::write(data_dir, tally, |put| {
        let mut meta = [
            (key::meta(key::FORMAT), FORMAT.to_be_bytes().to_vec()),
            (key::meta(key::TALLY), record::encode(&tally)),
        ]
        .into_iter()
        .peekable();
        let mut write = |at: &[u8], value: &[u8]| put(at, value).map_err(|error| error.to_string());
        let result = read(file, |at, value| {
            while let Some((meta, value)) = meta.next_if(|(meta, _)| meta.as_slice() < at) {
                write(&meta, &value)?;
            }
            write(at, value)
        });
        match result {
            Ok(_) => {
                let rest = meta.try_for_each(|(at, value)| put(&at, &value));
                rest.map_err(StoreError::beside(&dir))
            }
            Err(error) => {
                let message = error.to_string();
                wrong = Some(error);
                Err(StoreError::beside(&dir)(io::Error::other(message)))
            }
        }
    });
    drop(written.map_err(|error| wrong.map_or(ImportError::Store(error), |wrong| wrong))?.replace()?);
    drop(lock);
    Ok(Exported { records })
}

/// Hands over every record, in the order of keys; how many those were, when the last line agrees. What only an
/// older store has is left out.
fn read(file: &Path, mut each: impl FnMut(&[u8], &[u8]) -> Result<(), String>) -> Result<u64, ImportError> {
    let failed = |source| ImportError::Read { path: file.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file).map_err(failed)?);
    let (mut text, mut number, mut hash) = (String::new(), 0, Sha256::new());
    let (mut records, mut taken, mut last) = (0, 0, None::<Vec<u8>>);
    loop {
        text.clear();
        number += 1;
        let length = reader.read_line(&mut text).map_err(failed)?;
        let wrong = |message: &str| ImportError::Line {
            path: file.to_owned(),
            line: number,
            message: message.to_owned(),
        };
        let Some(whole) = text.strip_suffix('\n').filter(|_| length > 0) else {
            return Err(wrong("the file ends before its last line"));
        };
        if number == 1 {
            let head: Head =
                serde_json::from_str(whole).map_err(|_| wrong("this is no export of a store"))?;
            if head.tekcron_store != line::FORMAT {
                return Err(wrong(&format!(
                    "expected format {}, found {}; a newer tekcron wrote it",
                    line::FORMAT,
                    head.tekcron_store
                )));
            }
        } else if let Ok(tail) = serde_json::from_str::<Tail>(whole) {
            if tail.records != records || tail.sha256 != HEXLOWER.encode(&hash.clone().finalize()) {
                return Err(wrong("what stands before it is not what was exported"));
            }
            if reader.read_line(&mut text).map_err(failed)? > 0 {
                return Err(wrong("more follows behind the last line"));
            }
            return Ok(taken);
        } else {
            let (at, value) = line::read(whole).map_err(|message| wrong(&message))?;
            if key::is_meta(&at) || last.as_ref().is_some_and(|last| *last >= at) {
                return Err(wrong("this record does not belong here"));
            }
            check::readable(&at, &value).map_err(|error| wrong(&error.to_string()))?;
            if !key::is_former(&at) {
                each(&at, &value).map_err(|message| wrong(&message))?;
                taken += 1;
            }
            records += 1;
            last = Some(at);
        }
        hash.update(text.as_bytes());
    }
}
