//! `tekcron man`: the manual, as pages for `man(1)`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
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
            .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
            .map_err(|source| CliError::Man { dir: dir.clone(), source }),
        None => {
            let mut page = Vec::new();
            Man::new(Cli::command()).render(&mut page).map_err(CliError::Output)?;
            output::print_bytes(&page)
        }
    }
}
