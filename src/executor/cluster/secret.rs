use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::labels;
use crate::app::{App, AppName, Secrets};
use crate::config::Config;
use crate::executor::pipeline_run::BuildError;
use crate::executor::{binding_secret, label};

/// The most bytes of values that Kubernetes takes in one Secret.
const MAX_BYTES: usize = 1 << 20;

/// The Secret that holds the credentials of an App's bindings, and that its PipelineRuns only name.
#[derive(Clone)]
pub struct BindingSecret {
    metadata: ObjectMeta,
    values: BTreeMap<String, SecretString>,
}

impl BindingSecret {
    /// The Secret of `app` with the values in `secrets`; none for an App that needs none.
    ///
    /// # Errors
    /// [`BuildError::SecretSize`].
    pub fn new(config: &Config, app: &App, secrets: &Secrets) -> Result<Option<Self>, BuildError> {
        if !config.brings_credentials(app) {
            return Ok(None);
        }
        let name = binding_secret(&app.name);
        let values = secrets.by_secret().remove(name.as_str()).unwrap_or_default();
        let owned = |(key, value): (&str, &SecretString)| (key.to_owned(), value.clone());
        let values: BTreeMap<_, _> = values.into_iter().map(owned).collect();
        let bytes = values.values().map(|value| value.expose_secret().len()).sum();
        if bytes > MAX_BYTES {
            return Err(BuildError::SecretSize { app: app.name.clone(), bytes });
        }
        let metadata = metadata(&app.name, &config.settings.namespace, &config.settings.instance);
        Ok(Some(Self { metadata, values }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The object, with the values. Not for eyes: its `Debug` shows them.
    pub fn object(&self) -> Secret {
        let bytes = |value: &SecretString| ByteString(value.expose_secret().as_bytes().to_vec());
        // `data` and not `stringData`: it reads back as it was written, and a key that is gone goes.
        let data = self.values.iter().map(|(key, value)| (key.clone(), bytes(value))).collect();
        Secret { data: Some(data), ..self.empty() }
    }

    /// Tells it from one of other values.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for text in self.values.iter().flat_map(|(key, value)| [key.as_str(), value.expose_secret()]) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }

    /// The object as it may be shown: without its values, so that whoever applies what was shown overwrites none.
    pub fn redacted(&self) -> Secret {
        self.empty()
    }

    /// The object as it may be shown, of an App whose credentials nobody has read: whether one of them holds a
    /// URI is not known.
    pub fn outline(config: &Config, app: &App) -> Option<Secret> {
        let mut secrets = Secrets::default();
        let name = binding_secret(&app.name);
        for key in [crate::app::env::VCAP_SERVICES, crate::app::env::DATABASE_URL] {
            secrets.insert(&name, key, "".into());
        }
        Self::new(config, app, &secrets).ok().flatten().map(|secret| secret.redacted())
    }

    fn empty(&self) -> Secret {
        empty(self.metadata.clone())
    }
}

impl fmt::Debug for BindingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.values.keys().collect();
        f.debug_struct("BindingSecret").field("name", &self.name()).field("keys", &keys).finish()
    }
}

/// The Secret of an App as an instance writes it when the App is gone: its own, without a value.
pub fn emptied_secret(app: &AppName, namespace: &str, instance: &str) -> Secret {
    empty(metadata(app, namespace, instance))
}

fn empty(metadata: ObjectMeta) -> Secret {
    Secret { metadata, type_: Some("Opaque".to_owned()), ..Secret::default() }
}

fn metadata(app: &AppName, namespace: &str, instance: &str) -> ObjectMeta {
    let mut labels = labels(instance);
    labels.insert(label::APP.to_owned(), app.to_string());
    ObjectMeta {
        name: Some(binding_secret(app)),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}
