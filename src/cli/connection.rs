//! Where the service is, and what opens it.
//!
//! The URL is `--url` (`TEKCRON_URL`), else what a running service wrote to `<data>/address`. The token is
//! `TEKCRON_TOKEN`, else `--token-file`, else `<data>/token`. A token goes over TLS, or to this machine,
//! and nowhere else; and the one found in a data directory that nobody named goes to this machine only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::Url;
use secrecy::SecretString;

use super::args::Globals;
use super::exit_code;
use crate::api::client::{Client, ClientError, is_this_machine};
use crate::config;

/// The variable that holds a token. There is no such flag: flags are seen by everybody on the machine.
const TOKEN: &str = "TEKCRON_TOKEN";

/// Why the service was not found, or cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    /// The data directory tells of no running service.
    #[error(
        "no tekcron is running on the data directory `{data_dir}`\nhint: start it with `tekcron serve`, or say where it is: --data-dir DIR (TEKCRON_DATA_DIR), or --url URL (TEKCRON_URL) with its token in TEKCRON_TOKEN"
    )]
    NotRunning {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// The address file is there and cannot be read.
    #[error(
        "cannot read the address in `{path}`: {source}\nhint: the data directory is its user's alone; say where the service is with --url URL (TEKCRON_URL), and put its token in TEKCRON_TOKEN"
    )]
    Address {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// That is no address of a service.
    #[error("expected a URL as in `http://127.0.0.1:7070`, found `{found}`")]
    Url {
        /// What stands there.
        found: String,
    },
    /// The token would be readable on its way.
    #[error(
        "the token is not sent to `{url}`: it would cross the network in clear text\nhint: use an https URL, with --ca FILE for a certificate of your own, or a tunnel to 127.0.0.1"
    )]
    ClearText {
        /// Where it would go.
        url: String,
    },
    /// No token was found.
    #[error("cannot read the token in `{path}`: {source}\nhint: {hint}")]
    Token {
        /// Where it was looked for.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A token is asked for by name only.
    #[error(
        "`{url}` needs a token\nhint: put it in TEKCRON_TOKEN, or name its file with --token-file, or the data directory with --data-dir"
    )]
    NoToken {
        /// The service.
        url: String,
    },
    /// The certificates cannot be read.
    #[error(
        "cannot read the certificates in `{path}`: {source}\nhint: --ca (TEKCRON_CA) names a file of PEM certificates"
    )]
    Authority {
        /// The file of `--ca`.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The client refuses what was found.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl ConnectionError {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::NotRunning { .. } | Self::Address { .. } => exit_code::UNAVAILABLE,
            Self::Url { .. } | Self::Authority { .. } | Self::Client(ClientError::Authority(_)) => {
                exit_code::USAGE
            }
            Self::ClearText { .. } | Self::Token { .. } | Self::NoToken { .. } | Self::Client(_) => {
                exit_code::NO_PERMISSION
            }
        }
    }
}

/// A client of the service that `globals` and the environment lead to. Whether it answers is not known yet.
pub(super) fn connect(globals: &Globals) -> Result<Client, ConnectionError> {
    let data = DataDir::of(globals);
    let base = match globals.url() {
        Some(url) => parse(url)?,
        None => parse(data.address()?.trim())?,
    };
    if base.scheme() != "https" && !is_this_machine(&base) {
        return Err(ConnectionError::ClearText { url: base.to_string() });
    }
    let token = token(globals, &data, &base)?;
    let authority = globals.ca().map(|path| {
        fs::read(path).map_err(|source| ConnectionError::Authority { path: path.to_owned(), source })
    });
    Ok(Client::new(base, &token, authority.transpose()?.as_deref())?)
}

/// The token file in the data directory, where that is where the token comes from.
pub(super) fn token_in_data_dir(globals: &Globals) -> Option<PathBuf> {
    let from_elsewhere = token_variable().is_some() || globals.token_file().is_some();
    (!from_elsewhere).then(|| DataDir::of(globals).path.join("token"))
}

/// The data directory: the one that is named, else the one of the configuration.
pub(super) fn data_dir(globals: &Globals) -> PathBuf {
    DataDir::of(globals).path
}

/// The token that the environment holds.
pub(super) fn token_variable() -> Option<SecretString> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty()).map(|token| token.trim().into())
}

fn token(globals: &Globals, data: &DataDir, base: &Url) -> Result<SecretString, ConnectionError> {
    if let Some(token) = token_variable() {
        return Ok(token);
    }
    let path = match globals.token_file() {
        Some(path) => path.to_owned(),
        None if data.named || is_this_machine(base) => data.path.join("token"),
        None => return Err(ConnectionError::NoToken { url: base.to_string() }),
    };
    let text = fs::read_to_string(&path).map_err(|source| {
        let hint = match source.kind() {
            io::ErrorKind::PermissionDenied => "only the service's user can read it; put it in TEKCRON_TOKEN",
            _ => "name the data directory with --data-dir, or put the token in TEKCRON_TOKEN",
        };
        ConnectionError::Token { path, source, hint }
    })?;
    Ok(text.trim().into())
}

fn parse(text: &str) -> Result<Url, ConnectionError> {
    let wrong = || ConnectionError::Url { found: text.to_owned() };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let speaks_http = matches!(url.scheme(), "http" | "https");
    (speaks_http && url.has_host()).then_some(url).ok_or_else(wrong)
}

struct DataDir {
    path: PathBuf,
    /// Whether somebody named it.
    named: bool,
}

impl DataDir {
    /// The one that is named, else the one of the configuration, else `data` beside that.
    fn of(globals: &Globals) -> Self {
        if let Some(path) = globals.data_dir() {
            return Self { path: path.to_owned(), named: true };
        }
        let configured = globals.overrides().ok().and_then(|over| config::load(globals.config(), &over).ok());
        // A configuration that is wrong, or elsewhere, keeps nobody from looking at tasks.
        let path = configured.map_or_else(|| beside(globals.config()), |config| config.settings.data_dir);
        Self { path, named: false }
    }

    fn address(&self) -> Result<String, ConnectionError> {
        let path = self.path.join("address");
        fs::read_to_string(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ConnectionError::NotRunning { data_dir: self.path.clone() },
            _ => ConnectionError::Address { path, source },
        })
    }
}

fn beside(config: &Path) -> PathBuf {
    let absolute = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    absolute.parent().unwrap_or(&absolute).join("data")
}
