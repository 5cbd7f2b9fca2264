use std::fmt;

use serde::{Deserialize, Serialize};

/// What a task executes, exactly as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments, executed as they are.
    Exec(Vec<String>),
}

/// Why a value is not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Nothing to execute.
    #[error("expected a shell line or an array of words, found nothing")]
    Empty,
    /// A byte that no process argument can hold.
    #[error("expected text, found a NUL byte")]
    Nul,
}

impl Command {
    /// A shell line.
    ///
    /// # Errors
    /// [`CommandError`] where the line is blank or holds NUL.
    pub fn shell(line: impl Into<String>) -> Result<Self, CommandError> {
        let line = line.into();
        match (line.trim().is_empty(), line.contains('\0')) {
            (true, _) => Err(CommandError::Empty),
            (_, true) => Err(CommandError::Nul),
            _ => Ok(Self::Shell(line)),
        }
    }

    /// A program with its arguments.
    ///
    /// # Errors
    /// [`CommandError`] where there is no program or a word holds NUL. Empty arguments are fine.
    pub fn exec(words: Vec<String>) -> Result<Self, CommandError> {
        if words.first().is_none_or(|program| program.is_empty()) {
            return Err(CommandError::Empty);
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(CommandError::Nul);
        }
        Ok(Self::Exec(words))
    }

    /// The argument vector that a process gets.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
            Self::Exec(words) => words.clone(),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => f.write_str(line),
            Self::Exec(words) => f.write_str(&words.join(" ")),
        }
    }
}
