//! What stands beside the runs: an App's Secret, the token of a build, and the NetworkPolicies of security groups.
//!
//! All are there before the first run that needs them is created, and are written again when what they say has
//! changed. A policy of ours that no group stands for any more is removed, and a token when its
//! build's end is on record.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use tokio::sync::Mutex;

use super::client::Cluster;
use super::refusal::{Refusal, judge, judge_failure};
use crate::app::AppName;
use crate::executor::cluster::{BindingSecret, SourceSecret, emptied_secret};
use crate::executor::pipeline_run::MANAGER;
use crate::executor::{Submission, SubmitError, binding_secret, label, source_secret};
use crate::task::TaskName;

/// What was written last.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The Secrets, as hashes.
    secrets: Mutex<HashMap<String, [u8; 32]>>,
    policies: ArcSwap<Vec<NetworkPolicy>>,
    /// The policies that were written.
    written: Mutex<Option<Arc<Vec<NetworkPolicy>>>>,
}

impl Beside {
    /// These policies, and no other, are wanted from now on.
    pub(super) fn want(&self, policies: Vec<NetworkPolicy>) {
        self.policies.store(Arc::new(policies));
    }

    /// Has everything be there that the run of `submission` needs.
    pub(super) async fn ensure(&self, cluster: &Cluster, submission: &Submission) -> Result<(), SubmitError> {
        let mut labels = submission.run.metadata.labels.iter().flatten();
        if labels.any(|(key, _)| key.starts_with(label::SECURITY_GROUP)) {
            self.write_policies(cluster).await?;
        }
        if let Some(token) = &submission.token {
            write_token(cluster, token).await?;
        }
        let Some(secret) = &submission.binding else { return Ok(()) };
        let mut written = self.secrets.lock().await;
        let (name, hash) = (secret.name(), secret.hash());
        if written.get(name) != Some(&hash) {
            write_secret(cluster, secret).await?;
            written.insert(name.to_owned(), hash);
        }
        Ok(())
    }

    /// Removes the Secret of an App that is gone. Whose it is the server says, as in [`write_secret`]: written without
    /// values, ours is empty, and one that is not so then holds what somebody else wrote.
    pub(super) async fn remove_secret(
        &self,
        cluster: &Cluster,
        app: &AppName,
        instance: &str,
    ) -> Result<(), kube::Error> {
        let name = binding_secret(app);
        let mut written = self.secrets.lock().await;
        let emptied = Patch::Apply(emptied_secret(app, &cluster.namespace, instance));
        let emptied =
            match cluster.secrets.patch(&name, &PatchParams::apply(&cluster.manager), &emptied).await {
                Err(kube::Error::Api(status)) if status.code == 409 => return Ok(()),
                emptied => emptied?,
            };
        written.remove(&name);
        if emptied.data.is_some_and(|data| !data.is_empty()) {
            tracing::warn!(%app, secret = name, "a Secret of the cluster has values of somebody else, and stays");
            return Ok(());
        }
        let preconditions = Preconditions { uid: emptied.metadata.uid, resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match cluster.secrets.delete(&name, &params).await {
            // Another one took its place.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// Has the policies say what is wanted.
    pub(super) async fn write_policies(&self, cluster: &Cluster) -> Result<(), SubmitError> {
        let mut written = self.written.lock().await;
        let policies = self.policies.load_full();
        if written.as_ref().is_some_and(|written| Arc::ptr_eq(written, &policies)) {
            return Ok(());
        }
        let name = |policy: &NetworkPolicy| policy.metadata.name.clone().unwrap_or_default();
        let wanted: BTreeSet<String> = policies.iter().map(name).collect();
        for policy in policies.iter() {
            let params = PatchParams::apply(MANAGER).force();
            let applied = cluster.policies.patch(&name(policy), &params, &Patch::Apply(policy)).await;
            applied.map_err(|error| failed("NetworkPolicy", &name(policy), error))?;
        }
        let ours = ListParams::default().labels(&cluster.selector);
        let there = cluster.policies.list_metadata(&ours).await;
        for policy in there.map_err(|error| failed("NetworkPolicies", "*", error))? {
            let Some(name) = policy.metadata.name.filter(|name| !wanted.contains(name)) else { continue };
            match cluster.policies.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                deleted => drop(deleted.map_err(|error| failed("NetworkPolicy", &name, error))?),
            }
        }
        *written = Some(policies);
        Ok(())
    }
}

/// Its name is the App's, and has nothing of the instance: where another instance has an App of that name, its
/// Secret stays. Each instance writes under a manager of its own, so that the server itself says so, without the
/// right to read Secrets. What others have changed by hand is ours again.
async fn write_secret(cluster: &Cluster, secret: &BindingSecret) -> Result<(), SubmitError> {
    let params = PatchParams::apply(&cluster.manager);
    let object = Patch::Apply(secret.object());
    let name = secret.name();
    let mut applied = cluster.secrets.patch(name, &params, &object).await;
    if let Err(kube::Error::Api(status)) = &applied
        && status.code == 409
    {
        if status.message.contains(&format!(".metadata.labels.{}", label::INSTANCE)) {
            let message = format!(
                "Secret `{name}` belongs to another tekcron instance in namespace `{}`\nhint: give the App another \
                 name, or one of the two instances a namespace of its own",
                cluster.namespace
            );
            return Err(SubmitError::Refused { reason: "SecretTaken".to_owned(), message });
        }
        applied = cluster.secrets.patch(name, &params.force(), &object).await;
    }
    applied.map(drop).map_err(|error| failed("Secret", name, error))
}

/// Its name is that of one build: nobody else has it.
async fn write_token(cluster: &Cluster, token: &SourceSecret) -> Result<(), SubmitError> {
    let params = PatchParams::apply(&cluster.manager).force();
    let applied = cluster.secrets.patch(token.name(), &params, &Patch::Apply(token.object())).await;
    applied.map(drop).map_err(|error| failed("Secret", token.name(), error))
}

/// Removes the token of a build that needs it no more. None there is done.
pub(super) async fn remove_token(cluster: &Cluster, build: &TaskName) -> Result<(), kube::Error> {
    match cluster.secrets.delete(&source_secret(build), &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        deleted => deleted.map(drop),
    }
}

/// The run was not created yet: whatever it was, its create did not happen.
fn failed(kind: &str, name: &str, error: kube::Error) -> SubmitError {
    let judged = match error {
        kube::Error::Api(status) => judge(&Refusal { code: status.code, retry_after: None, status: *status }),
        error => judge_failure(&error),
    };
    let of = |message: String| format!("{kind} `{name}`: {message}");
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
