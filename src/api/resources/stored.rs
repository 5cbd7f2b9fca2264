//! Apps that were pushed, and services, as they go over the wire.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What an App's tasks are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvResource {
    /// The App.
    pub app: String,
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// The services whose credentials are in `VCAP_SERVICES`; the credentials are not shown.
    pub services: Vec<String>,
}

/// A change of an App's variables: `POST /v1/apps/{app}/env`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvBody {
    /// Variables that its tasks get from now on.
    pub set: BTreeMap<String, String>,
    /// Variables that they get no more; one that is not set is not an error.
    pub unset: Vec<String>,
    /// Who asks. It is written down, and opens nothing.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
}

/// A binding: `POST /v1/apps/{app}/services`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BindBody {
    /// The service; one that is bound already is not an error.
    pub service: String,
    /// Who asks. It is written down, and opens nothing.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
}

/// An App that is being deleted, or is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedAppResource {
    /// The App.
    pub name: String,
    /// Whether it is gone, and its history with it; else its tasks are still being ended, and the same request waits
    /// for more of that.
    pub gone: bool,
}

/// An App that was pushed, as the text that it would be in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredAppResource {
    /// The App.
    pub name: String,
    /// The text of its file, with what its current revision says.
    pub toml: String,
    /// The number of its current revision; none before the first is ready.
    pub current: Option<u32>,
    /// The file that has an App of that name, behind which this one rests.
    pub file: Option<String>,
    /// The services that it binds and no file declares, as they would stand in the settings' file.
    pub services: String,
    /// Who changed it last.
    pub by: Option<String>,
    /// When.
    pub changed: Timestamp,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A service that Apps bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceResource {
    /// The name.
    pub name: String,
    /// `label` in `VCAP_SERVICES`.
    pub label: String,
    /// `tags` in `VCAP_SERVICES`.
    pub tags: Vec<String>,
    /// Where its credentials are: `file`, `env` or `secret`.
    pub credentials: String,
    /// The file, the variable of the service's environment, or the Secret of the cluster.
    pub place: String,
    /// The Apps that bind it.
    pub apps: Vec<String>,
    /// Whether it was created by command; else it stands in a file, and is read-only.
    pub stored: bool,
    /// Who created it by command.
    pub by: Option<String>,
    /// When.
    pub created: Option<Timestamp>,
}

/// A new service: `POST /v1/services`. Either `credentials` or `secret` says what its
/// credentials are: what the environment and the files of the service hold is for its settings to give away.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceBody {
    /// The name that Apps bind.
    pub name: String,
    /// The credentials themselves. They are kept in a file of the service's data directory, and never shown again.
    #[schema(value_type = Option<Object>)]
    pub credentials: Option<Value>,
    /// A Secret of the cluster, whose keys become variables.
    pub secret: Option<String>,
    /// `label` in `VCAP_SERVICES`; `user-provided` unless it is said.
    pub label: Option<String>,
    /// `tags` in `VCAP_SERVICES`.
    pub tags: Vec<String>,
    /// Who asks. It is written down, and opens nothing.
    #[schema(min_length = 1, max_length = 200)]
    pub by: Option<String>,
}

/// Without the credentials.
impl fmt::Debug for ServiceBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBody").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is to be different about a service: `POST /v1/services/{name}`. What is not said stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceEditBody {
    /// The credentials themselves, all of them, in place of those of before.
    #[schema(value_type = Option<Object>)]
    pub credentials: Option<Value>,
    /// A Secret of the cluster in place of the credentials of before.
    pub secret: Option<String>,
    /// `label` in `VCAP_SERVICES`.
    pub label: Option<String>,
    /// `tags` in `VCAP_SERVICES`, all of them.
    pub tags: Option<Vec<String>>,
}

/// Without the credentials.
impl fmt::Debug for ServiceEditBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceEditBody").finish_non_exhaustive()
    }
}
