//! `tekcron man`: the manual, as pages for `man(1)`.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;
use super::error::CliError;
use super::output;

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Directory to write `tekcron.1` and a page for each verb to; made where it is missing
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the manual's first page, or writes all of them.
pub(super) fn run(args: &ManArgs) -> Result<(), CliError> {
    match &args.dir {
        Some(dir) => std::fs::create_dir_all(dir)
            .and_then(|()| {
                let mut program = Cli::command().disable_help_subcommand(true);
                program.build();
                write_pages(program, dir)
            })
            .map_err(|source| CliError::Man { dir: dir.clone(), source }),
        None => {
            let mut page = Vec::new();
            page_of(Cli::command()).render(&mut page).map_err(CliError::Output)?;
            output::print_bytes(&page)
        }
    }
}

/// A page of `command` and of each of its verbs.
fn write_pages(command: Command, dir: &Path) -> io::Result<()> {
    for verb in command.get_subcommands().cloned() {
        write_pages(verb, dir)?;
    }
    page_of(command).generate_to(dir).map(drop)
}

/// At the foot stands the program, not the verb.
fn page_of(command: Command) -> Man {
    Man::new(command).source(concat!("tekcron ", env!("CARGO_PKG_VERSION"))).manual("tekcron")
}
