use std::io;
use std::path::PathBuf;

use super::exit_code;
use crate::config::Problems;
use crate::hint::did_you_mean;
use crate::push::{PackError, TreeError};

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum PushError {
    /// Something that runs on is wanted.
    #[error(
        "tekcron runs tasks: an App here has no routes, and nothing of it keeps running\nhint: `tekcron push --task` makes an App for tasks and schedules; what answers requests belongs to Cloud Foundry or Kf"
    )]
    NotForTasks,
    /// Nobody says what the App is called.
    #[error("which App?\nhint: `tekcron push APP --task`, or a `manifest.yml` that names it")]
    NoName,
    /// The name is none.
    #[error(
        "the manifest calls the App `{found}`: {message}\nhint: `tekcron push {suggested} --task` calls it otherwise"
    )]
    Name {
        /// What the manifest says.
        found: String,
        /// What is wrong with it.
        message: String,
        /// What would do.
        suggested: String,
    },
    /// The manifest has several.
    #[error("`{file}` has {} applications\nhint: name one of them: {}", names.len(), names.join(", "))]
    Several {
        /// The manifest.
        file: String,
        /// Their names.
        names: Vec<String>,
    },
    /// None of the manifest's is called so.
    #[error("`{file}` has no application `{name}`{}", did_you_mean(nearest.as_deref()))]
    NotInManifest {
        /// The manifest.
        file: String,
        /// What was asked for.
        name: String,
        /// The one of the nearest name.
        nearest: Option<String>,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}\nhint: {hint}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
        /// What it should be.
        hint: &'static str,
    },
    /// Variables without anything that has some.
    #[error("there is no manifest whose variables get a value\nhint: -f names one")]
    NoManifest,
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] Problems),
    /// The directory is wrong.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The service does not take what it asks for.
    #[error(
        "the service has {received} of the {length} bytes of this source, and takes no others\nhint: perhaps somebody else pushes the same source; push again when that has ended"
    )]
    Disputed {
        /// What it has.
        received: u64,
        /// All of it.
        length: u64,
    },
    /// The directory was not packed.
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl PushError {
    /// How the program ends.
    pub(in crate::cli) fn exit_code(&self) -> u8 {
        match self {
            Self::Disputed { .. } => exit_code::FAILURE,
            Self::Read { .. } | Self::Pack(_) | Self::Tree(TreeError::Read { .. }) => exit_code::IO,
            Self::NotForTasks
            | Self::NoName
            | Self::Name { .. }
            | Self::Several { .. }
            | Self::NotInManifest { .. }
            | Self::NoManifest
            | Self::Manifest(_)
            | Self::Tree(_) => exit_code::USAGE,
        }
    }
}
