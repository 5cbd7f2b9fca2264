//! The files that the settings name, as they are at this moment: whether the service could use them.
//!
//! Nothing of their content is ever part of a report.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use toml::de::DeTable;

use crate::api::{self, ApiError};
use crate::app::{CredentialError, CredentialSource, Service, ServiceName, open_credentials};
use crate::config::fault::Fault;
use crate::config::problem::Severity;
use crate::config::settings::TlsFiles;
use crate::config::source::Source;
use crate::config::table::Table;

/// What is wrong with certificate and key, and which of the two it is.
pub(super) fn tls(files: &TlsFiles) -> Vec<(&'static str, Severity, Fault)> {
    let mut found: Vec<_> = api::tls::unusable(files).iter().map(unusable).collect();
    if let Some(mode) = open_to_others(&files.key) {
        let key = files.key.display();
        let message = format!("expected a key for its owner alone, found mode {mode:04o} on `{key}`");
        found.push(("key", Severity::Warning, Fault::new(message, format!("chmod 600 {key}"))));
    }
    found
}

fn unusable(error: &ApiError) -> (&'static str, Severity, Fault) {
    let (key, severity) = match error {
        // Who checks need not be who serves.
        ApiError::TlsRead { what, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            (*what, Severity::Warning)
        }
        ApiError::TlsRead { what, .. } | ApiError::TlsFile { what, .. } => (*what, Severity::Error),
        _ => ("key", Severity::Error),
    };
    (key, severity, Fault::of(error, "`certificate` and `key` are files in PEM format that belong together"))
}

fn open_to_others(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o007 != 0).then_some(mode)
}

/// Warns of every file of credentials that a task could not get its credentials from.
pub(in crate::config) fn warn_of_credentials(
    source: &Source,
    tree: &DeTable<'_>,
    services: &BTreeMap<ServiceName, Service>,
) {
    if services.is_empty() {
        return;
    }
    let tables = Table::root(source, tree).get("services").and_then(|value| value.table());
    let tables = tables.expect("services were read from a table");
    for entry in tables.entries() {
        let Some(service) = services.get(entry.key) else { continue };
        let CredentialSource::File(path) = &service.credentials else { continue };
        let Err(error) = open_credentials(&service.name, path) else { continue };
        let at = entry.value.table().and_then(|mut service| service.get("credentials"));
        if let Some(at) = at {
            at.warn(missing(&error));
        }
    }
}

const NO_START: &str = "no task of an App that binds this service could start";

fn missing(error: &CredentialError) -> Fault {
    match error {
        CredentialError::Read { source, .. } => Fault::new(format!("{error}: {source}"), NO_START),
        _ => Fault::of(error, NO_START),
    }
}
