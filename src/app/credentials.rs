//! Reading the credentials of an App's services, at the moment of submission.
//!
//! [`read_secrets`] turns them into the values of `VCAP_SERVICES` and `DATABASE_URL` in the shape that
//! Cloud Foundry gives them. Guaranteed: no credential, and no piece of one, is part of an error.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::App;
use super::binding::{CredentialSource, Secrets, Service};
use super::env::{DATABASE_URL, VCAP_SERVICES};
use super::name::ServiceName;
use crate::config::{Config, regular};
use crate::executor::binding_secret;

/// More than any credentials, less than `/dev/zero`.
const MAX_BYTES: u64 = 1 << 20;

/// Why the credentials of a service could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The App binds to a service that is not configured.
    #[error("expected a service `{service}`, found none in the config")]
    UnknownService {
        /// The service.
        service: ServiceName,
    },
    /// The environment does not hold the variable.
    #[error(
        "credentials of service `{service}`: expected variable `{variable}` in the daemon's environment, found none\nhint: set it before starting tekcron, or use `credentials = {{ file = \"PATH\" }}`"
    )]
    NoVariable {
        /// The service.
        service: ServiceName,
        /// The variable.
        variable: String,
    },
    /// The file cannot be read.
    #[error("credentials of service `{service}`: reading `{}` failed", path.display())]
    Read {
        /// The service.
        service: ServiceName,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error("credentials of service `{service}`: expected mode 0600 on `{}`, found {mode:04o}\nhint: chmod 600 {}", path.display(), path.display())]
    Mode {
        /// The service.
        service: ServiceName,
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The content is of another shape.
    #[error("credentials of service `{service}` in {place}: expected a JSON object or a URI, found {found}")]
    Shape {
        /// The service.
        service: ServiceName,
        /// Variable or file.
        place: String,
        /// What is wrong, without a word of the content.
        found: String,
    },
}

/// The values behind the `secretKeyRef`s of `app`'s tasks. Empty for an App without services, or whose services
/// are all Secrets of the cluster.
///
/// # Errors
/// [`CredentialError`].
pub fn read_secrets(config: &Config, app: &App) -> Result<Secrets, CredentialError> {
    read_secrets_with(config, app, |variable| std::env::var(variable).ok())
}

/// The same, with `environment` instead of the daemon's.
///
/// # Errors
/// [`CredentialError`].
pub fn read_secrets_with(
    config: &Config,
    app: &App,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Secrets, CredentialError> {
    let mut secrets = Secrets::default();
    if !config.brings_credentials(app) {
        return Ok(secrets);
    }
    let mut labels: Map<String, Value> = Map::new();
    let mut database_url = None;
    for name in &app.services {
        let unknown = || CredentialError::UnknownService { service: name.clone() };
        let service = config.services.get(name).ok_or_else(unknown)?;
        let Some(text) = read(service, &environment)? else { continue };
        let credentials = parse(service, &text)?;
        let uri = credentials.get("uri").and_then(Value::as_str).map(SecretString::from);
        database_url = database_url.or(uri);
        let bindings = labels.entry(service.label.clone()).or_insert_with(|| json!([]));
        bindings.as_array_mut().expect("every label holds an array").push(binding(service, credentials));
    }
    let secret = binding_secret(&app.name);
    secrets.insert(&secret, VCAP_SERVICES, Value::Object(labels).to_string().into());
    if let Some(uri) = database_url {
        secrets.insert(&secret, DATABASE_URL, uri);
    }
    Ok(secrets)
}

fn binding(service: &Service, credentials: Map<String, Value>) -> Value {
    json!({
        "name": service.name.as_str(),
        "instance_name": service.name.as_str(),
        "binding_name": null,
        "label": service.label,
        "tags": service.tags,
        "credentials": credentials,
    })
}

/// None where the cluster has them.
fn read(
    service: &Service,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<SecretString>, CredentialError> {
    match &service.credentials {
        CredentialSource::Env(variable) => {
            let value = environment(variable).map(SecretString::from);
            let missing =
                || CredentialError::NoVariable { service: service.name.clone(), variable: variable.clone() };
            value.ok_or_else(missing).map(Some)
        }
        CredentialSource::File(path) => read_file(&service.name, path).map(Some),
        CredentialSource::Secret(_) => Ok(None),
    }
}

fn read_file(service: &ServiceName, path: &Path) -> Result<SecretString, CredentialError> {
    let mut text = String::new();
    let read = open_file(service, path)?.take(MAX_BYTES).read_to_string(&mut text);
    read.map_err(|source| unread(service, path, source))?;
    Ok(text.into())
}

/// Opens a file of credentials, which only its owner may read.
pub(crate) fn open_file(service: &ServiceName, path: &Path) -> Result<File, CredentialError> {
    let failed = |source| unread(service, path, source);
    let file = regular::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(file),
        _ => Err(CredentialError::Mode { service: service.clone(), path: path.to_owned(), mode }),
    }
}

fn unread(service: &ServiceName, path: &Path, source: std::io::Error) -> CredentialError {
    CredentialError::Read { service: service.clone(), path: path.to_owned(), source }
}

fn parse(service: &Service, text: &SecretString) -> Result<Map<String, Value>, CredentialError> {
    let shape = |found: String| {
        let place = match &service.credentials {
            CredentialSource::Env(variable) => format!("variable `{variable}`"),
            CredentialSource::File(path) => format!("`{}`", path.display()),
            CredentialSource::Secret(secret) => format!("secret `{secret}`"),
        };
        CredentialError::Shape { service: service.name.clone(), place, found }
    };
    let text = text.expose_secret().trim();
    if text.starts_with('{') {
        // serde_json's own words may quote the content.
        return serde_json::from_str(text)
            .map_err(|error| shape(format!("an error at line {}, column {}", error.line(), error.column())));
    }
    match text {
        "" => Err(shape("nothing".to_owned())),
        uri if is_uri(uri) => Ok(Map::from_iter([("uri".to_owned(), uri.into())])),
        _ => Err(shape("neither".to_owned())),
    }
}

fn is_uri(text: &str) -> bool {
    let scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    !text.contains(char::is_whitespace)
        && text.split_once(':').is_some_and(|(before, rest)| scheme(before) && !rest.is_empty())
}
