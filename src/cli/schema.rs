//! `tekcron schema`: the JSON Schema of the files, for editors. Needs no daemon.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use crate::config::shape;

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// The file to describe
    #[arg(value_name = "FILE", value_enum, default_value_t)]
    pub file: SchemaFile,
}

/// A file that there is a schema of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaFile {
    /// A file in `apps`
    #[default]
    App,
    /// `tekcron.toml`
    Settings,
}

/// Writes the schema of `args.file` to `out`.
///
/// # Errors
/// Where `out` cannot be written.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<()> {
    let schema = match args.file {
        SchemaFile::App => shape::app_file(),
        SchemaFile::Settings => shape::settings_file(),
    };
    serde_json::to_writer_pretty(&mut *out, &schema)?;
    writeln!(out)
}
