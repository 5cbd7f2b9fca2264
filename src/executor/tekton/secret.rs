//! The Secrets that Apps' tasks name: written from the config before the first task that needs them, and again
//! when what they hold has changed.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::client::Cluster;
use super::refusal::{Refusal, judge, judge_failure};
use crate::executor::{Submission, SubmitError, label};

/// Whom the server takes for the owner of the fields that we write.
const MANAGER: &str = "tekcron";

/// What was written last, as hashes.
#[derive(Debug, Default)]
pub(super) struct Written {
    hashes: Mutex<HashMap<String, [u8; 32]>>,
}

impl Written {
    /// Has the Secrets of `submission` hold what they should.
    pub(super) async fn ensure(&self, cluster: &Cluster, submission: &Submission) -> Result<(), SubmitError> {
        if submission.secrets.is_empty() {
            return Ok(());
        }
        let mut hashes = self.hashes.lock().await;
        for (name, values) in submission.secrets.by_secret() {
            let hash = hash(&values);
            if hashes.get(name) == Some(&hash) {
                continue;
            }
            let secret = secret(name, &submission.run.metadata, values);
            let params = PatchParams::apply(MANAGER).force();
            let applied = cluster.secrets.patch(name, &params, &Patch::Apply(&secret)).await;
            applied.map_err(|error| failed(name, error))?;
            hashes.insert(name.to_owned(), hash);
        }
        Ok(())
    }
}

fn hash(values: &BTreeMap<&str, &secrecy::SecretString>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in values.iter().flat_map(|(key, value)| [*key, value.expose_secret()]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

fn secret(name: &str, of: &ObjectMeta, values: BTreeMap<&str, &secrecy::SecretString>) -> Secret {
    let owned = [label::APP, label::INSTANCE, label::MANAGED_BY];
    let labels = of.labels.iter().flatten().filter(|(key, _)| owned.contains(&key.as_str()));
    let text =
        |(key, value): (&str, &secrecy::SecretString)| (key.to_owned(), value.expose_secret().to_owned());
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.clone(), value.clone())).collect()),
            ..ObjectMeta::default()
        },
        string_data: Some(values.into_iter().map(text).collect()),
        ..Secret::default()
    }
}

/// Nothing was created yet: whatever it was, the task's create did not happen.
fn failed(name: &str, error: kube::Error) -> SubmitError {
    let judged = match error {
        kube::Error::Api(status) => judge(&Refusal { code: status.code, retry_after: None, status: *status }),
        error => judge_failure(&error),
    };
    let of = |message: String| format!("Secret `{name}`: {message}");
    match judged {
        SubmitError::Refused { reason, message } => SubmitError::Refused { reason, message: of(message) },
        SubmitError::Unreachable { message, retry_after } => {
            SubmitError::Unreachable { message: of(message), retry_after }
        }
        SubmitError::Unavailable { message } | SubmitError::Unknown { message } => {
            SubmitError::Unreachable { message: of(message), retry_after: None }
        }
    }
}
