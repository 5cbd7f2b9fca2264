//! `tekcron store`: the store itself, while no daemon has it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::connection::data_dir;
use super::error::CliError;
use super::output::{self, say};
use super::session::Session;
use crate::store::{ClosedStore, Compacted, Contents, ExportError, Exported};

/// How much of what was lost is said.
const SHOWN: usize = 50;

/// Arguments of `store`.
#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read all of it, and say what is there; changes nothing
    ///
    /// Every file is checked, every record read, and records that speak of each other must agree. Where one
    /// does not, it is said what is wrong and what to do. No service may be running on the data directory.
    Verify,
    /// Write every record as a line of JSON; changes nothing
    ///
    /// The last line has the number of records and a checksum of all lines, so that a file that was cut off is
    /// not taken for a whole one. No service may be running on the data directory.
    Export {
        /// Where to write it; `-` is stdout
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// Write what still reads of a damaged store, and say what was lost
        #[arg(long)]
        salvage: bool,
    },
    /// Make a new store of what was exported; there must be none in the data directory yet
    Import {
        /// What `store export` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Write the records anew, so that the store takes no more space than they need
    ///
    /// The service does the same when it starts, where it pays. It takes free space for all records once. No
    /// service may be running on the data directory.
    Compact,
}

/// Does it.
pub(super) fn run(args: &StoreArgs, session: &Session) -> Result<(), CliError> {
    let data_dir = data_dir(&session.globals);
    match &args.action {
        Action::Verify => output::print(&shown(&ClosedStore::lock(&data_dir)?.verify()?)),
        Action::Export { file, salvage } => export(&ClosedStore::lock(&data_dir)?, file, *salvage),
        Action::Import { file } => {
            let Exported { records } = ClosedStore::import(&data_dir, file)?;
            output::print(&format!("imported {records} records\n"))
        }
        Action::Compact => {
            let Compacted { records, before, after } = ClosedStore::lock(&data_dir)?.compact()?;
            let (before, after) = (size(before), size(after));
            output::print(&format!("compacted {records} records: {before} before, {after} now\n"))
        }
    }
}

fn shown(contents: &Contents) -> String {
    let Contents { kinds, groups, bytes, on_disk } = contents;
    let kinds = kinds.iter().map(|(kind, count)| format!("{kind:<17} {count}\n"));
    let records = contents.kinds.values().sum::<u64>();
    let (bytes, on_disk) = (size(*bytes), size(*on_disk));
    let all = format!(
        "{:<17} {records}\n{:<17} {groups}\n{:<17} {bytes}\n{:<17} {on_disk}\n",
        "records", "groups of commits", "keys and values", "on disk"
    );
    kinds.chain([all, "the store is whole\n".to_owned()]).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

fn export(store: &ClosedStore, file: &Path, salvage: bool) -> Result<(), CliError> {
    if file == Path::new("-") {
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        return match write(store, &mut out, salvage) {
            Err(ExportError::Write(error)) => Err(CliError::Output(error)),
            written => written.map(drop).map_err(CliError::Export),
        };
    }
    let exported = to_file(store, file, salvage).map_err(|error| match error {
        ExportError::Write(source) => CliError::ExportTo { path: file.to_owned(), source },
        error => CliError::Export(error),
    })?;
    say(&format!("exported {} records to `{}`", exported.records, file.display()));
    Ok(())
}

/// Under another name first: whoever finds the file finds it whole.
fn to_file(store: &ClosedStore, file: &Path, salvage: bool) -> Result<Exported, ExportError> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    let written = (|| {
        let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut out = BufWriter::with_capacity(1 << 16, out);
        let exported = write(store, &mut out, salvage)?;
        let out: File = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        out.sync_all()?;
        fs::rename(&new, file)?;
        Ok(exported)
    })();
    if written.is_err() {
        // There may be none.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write(store: &ClosedStore, out: &mut dyn Write, salvage: bool) -> Result<Exported, ExportError> {
    if !salvage {
        return store.export(out);
    }
    let (exported, lost) = store.salvage(out)?;
    lost.iter().take(SHOWN).for_each(|lost| say(lost));
    if lost.len() > SHOWN {
        say(&format!("and {} more", lost.len() - SHOWN));
    }
    Ok(exported)
}
