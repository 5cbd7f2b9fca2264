//! Asking whether it is meant.

use std::io::{self, IsTerminal, Write};

use super::error::CliError;

/// Asks whether `what` is to be deleted, unless told not to.
pub(super) fn agreed(force: bool, what: &str) -> Result<(), CliError> {
    if force {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(CliError::NotAsked);
    }
    let mut err = io::stderr().lock();
    let mut answer = String::new();
    write!(err, "Really delete {what}? [yN]: ").and_then(|()| err.flush()).map_err(CliError::Output)?;
    io::stdin().read_line(&mut answer).map_err(CliError::Start)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::NotAgreed),
    }
}
