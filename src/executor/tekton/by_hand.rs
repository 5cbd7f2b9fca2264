//! `tekcron release`: letting runs go that no daemon will ever record.

use kube::api::{ListParams, Patch, PatchParams};

use super::beside::remove_token;
use super::client::{Cluster, ConnectError, LATE, REQUEST};
use super::executor::TektonOptions;
use super::release::{is_build, is_ours, without_finalizer};
use crate::causes::in_full;
use crate::clock::SharedClock;
use crate::executor::label;
use crate::task::TaskName;

/// Why runs were not released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no way to the cluster.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A run of that name is not there, or not one of this instance.
    #[error(
        "expected a PipelineRun `{name}` of instance `{instance}` in namespace `{namespace}`, found none"
    )]
    Unknown {
        /// The name.
        name: String,
        /// The instance.
        instance: String,
        /// The namespace.
        namespace: String,
    },
    /// The cluster refused, or did not answer.
    #[error("{operation} failed: {message}")]
    Cluster {
        /// What was asked.
        operation: &'static str,
        /// What it said.
        message: String,
    },
}

/// Takes the finalizer off the runs called `names`, or off all runs of the instance, and leaves them where they
/// are. Returns those that had it.
///
/// # Errors
/// [`ReleaseError`]. A run without the finalizer is not an error.
pub async fn release_by_hand(
    options: &TektonOptions,
    names: Option<&[TaskName]>,
    clock: &SharedClock,
) -> Result<Vec<TaskName>, ReleaseError> {
    let TektonOptions { namespace, instance, .. } = options;
    let cluster = Cluster::connect(options).await?;
    let failed =
        |operation| move |error: kube::Error| ReleaseError::Cluster { operation, message: in_full(&error) };
    let work = async {
        let listed = cluster.seen_runs.list(&ListParams::default().labels(&cluster.selector)).await;
        let listed = listed.map_err(failed("listing PipelineRuns"))?;
        let ours = listed.items.into_iter().filter(|run| is_ours(run, instance));
        let ours: Vec<_> = ours.filter_map(|run| Some((run.metadata.name.clone()?, run))).collect();
        let unknown = |name: &&TaskName| ours.iter().all(|(ours, _)| ours != name.as_str());
        if let Some(name) = names.into_iter().flatten().find(unknown) {
            return Err(ReleaseError::Unknown {
                name: name.to_string(),
                instance: instance.clone(),
                namespace: namespace.clone(),
            });
        }
        let mut released = Vec::new();
        for (name, run) in ours {
            let finalizers = run.metadata.finalizers.clone().unwrap_or_default();
            let wanted = names.is_none_or(|names| names.iter().any(|wanted| wanted.as_str() == name));
            if !wanted || !finalizers.iter().any(|finalizer| finalizer == label::FINALIZER) {
                continue;
            }
            let operations = without_finalizer(&finalizers)
                .map_err(|message| ReleaseError::Cluster { operation: "releasing", message })?;
            let task: Option<TaskName> = name.parse().ok();
            if let Some(build) = task.as_ref().filter(|_| is_build(&run)) {
                remove_token(&cluster, build).await.map_err(failed("removing the token of a build"))?;
            }
            let patch: Patch<()> = Patch::Json(operations);
            let patched = cluster.seen_runs.patch_metadata(&name, &PatchParams::default(), &patch).await;
            patched.map_err(failed("taking the finalizer off"))?;
            released.extend(task);
        }
        Ok(released)
    };
    tokio::select! {
        released = work => released,
        () = clock.sleep(REQUEST * 4) => Err(ReleaseError::Cluster {
            operation: "releasing",
            message: LATE.to_owned(),
        }),
    }
}
