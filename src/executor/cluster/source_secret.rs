use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use secrecy::{ExposeSecret, SecretString};

use super::labels;
use crate::config::Settings;
use crate::executor::{label, source_secret};
use crate::task::Task;

/// The Secret with the token that one build fetches its source with. It is there for as long as the build.
#[derive(Clone)]
pub struct SourceSecret {
    metadata: ObjectMeta,
    token: SecretString,
}

impl SourceSecret {
    /// Under which key the token stands.
    pub const KEY: &str = "token";

    /// The Secret of the build that `build` is.
    pub fn new(settings: &Settings, build: &Task, token: SecretString) -> Self {
        let mut labels = labels(&settings.instance);
        labels.insert(label::APP.to_owned(), build.app.to_string());
        let metadata = ObjectMeta {
            name: Some(source_secret(&build.name)),
            namespace: Some(settings.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        Self { metadata, token }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The object, with the token. Not for eyes: its `Debug` shows it.
    pub fn object(&self) -> Secret {
        let token = ByteString(self.token.expose_secret().as_bytes().to_vec());
        Secret { data: Some([(Self::KEY.to_owned(), token)].into()), ..self.redacted() }
    }

    /// The object as it may be shown: without the token.
    pub fn redacted(&self) -> Secret {
        Secret { metadata: self.metadata.clone(), type_: Some("Opaque".to_owned()), ..Secret::default() }
    }
}

impl fmt::Debug for SourceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSecret").field("name", &self.name()).finish_non_exhaustive()
    }
}
