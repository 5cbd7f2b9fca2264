use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use super::name::ServiceName;

/// A service that Apps bind to, as Cloud Foundry's user-provided services.
///
/// The credentials are not part of it: they are read at submission and travel as [`Secrets`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name that Apps bind to.
    pub name: ServiceName,
    /// `label` in `VCAP_SERVICES`; `user-provided` unless said otherwise.
    pub label: String,
    /// `tags` in `VCAP_SERVICES`.
    pub tags: Vec<String>,
    /// Where the credentials come from.
    pub credentials: CredentialSource,
    /// Whether it was created by command, and stands in no file.
    pub stored: bool,
}

/// Where a service's credentials come from. Never the credentials themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// An environment variable of the daemon holding a JSON object, or a bare URI.
    Env(String),
    /// A file of mode 0600 holding a JSON object, or a bare URI.
    File(std::path::PathBuf),
    /// An existing Secret of the cluster, whose keys become variables. Nobody here reads it.
    Secret(String),
}

/// Secret values by secret name and key, as a Kubernetes Secret holds them. They are never printed,
/// serialised or stored.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<(String, String), SecretString>);

impl Secrets {
    /// Adds one value.
    pub fn insert(&mut self, secret: impl Into<String>, key: impl Into<String>, value: SecretString) {
        self.0.insert((secret.into(), key.into()), value);
    }

    /// The value under `key` of `secret`.
    pub fn get(&self, secret: &str, key: &str) -> Option<&SecretString> {
        self.0.get(&(secret.to_owned(), key.to_owned()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values by key, for each secret.
    pub fn by_secret(&self) -> BTreeMap<&str, BTreeMap<&str, &SecretString>> {
        let mut secrets: BTreeMap<&str, BTreeMap<&str, &SecretString>> = BTreeMap::new();
        for ((secret, key), value) in &self.0 {
            secrets.entry(secret).or_default().insert(key, value);
        }
        secrets
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
