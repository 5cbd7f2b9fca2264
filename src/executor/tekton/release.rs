//! Letting a run go: its end is on record, so whoever wants it gone may have it.
//!
//! The finalizer goes, and the label [`label::RECORDED`] takes the run, and its TaskRun, out of what is watched.

use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use super::beside::remove_token;
use super::client::LATE;
use super::executor::Shared;
use super::object::SeenRun;
use crate::blocking::blocking;
use crate::causes::in_full;
use crate::executor::label;
use crate::executor::pipeline_run::TaskMeta;
use crate::push::SourceTokens;
use crate::task::TaskName;

/// A run that others write too may have changed since it was looked at.
const TRIES: u32 = 4;

/// Releases a run. One that is not there is done.
pub(super) async fn release(shared: &Shared, name: &TaskName) -> Result<(), String> {
    let Some(held) = shared.board.held(name) else { return Ok(()) };
    if held.builds {
        forget_build(shared, name).await?;
    }
    release_run(shared, name, held.finalizers.clone()).await?;
    if let Some(task_run) = &held.task_run {
        let labelled = json!({ "metadata": { "labels": { (label::RECORDED): "true" } } });
        let patched = shared
            .in_time(shared.cluster.seen_task_runs.patch_metadata(
                task_run,
                &PatchParams::default(),
                &Patch::Merge(labelled),
            ))
            .await;
        // It would only be watched in vain.
        if let Some(Err(error)) = patched
            && !is_absent(&error)
        {
            tracing::debug!(task = %name, %error, "a TaskRun stays among those that are watched");
        }
    }
    shared.board.forget(name);
    Ok(())
}

/// What a build fetched its source with is of no use any more, here and there.
async fn forget_build(shared: &Shared, name: &TaskName) -> Result<(), String> {
    shared.ask(remove_token(&shared.cluster, name)).await?;
    let (data_dir, build) = (shared.data_dir.clone(), name.clone());
    blocking(move || SourceTokens::forget(&data_dir, &build)).await.map_err(|error| error.to_string())
}

async fn release_run(shared: &Shared, name: &TaskName, mut finalizers: Vec<String>) -> Result<(), String> {
    let runs = &shared.cluster.seen_runs;
    for _ in 0..TRIES {
        let patch: Patch<()> = Patch::Json(operations(&finalizers)?);
        match shared.in_time(runs.patch_metadata(name.as_str(), &PatchParams::default(), &patch)).await {
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) if is_absent(&error) => return Ok(()),
            // Its finalizers are others by now.
            Some(Err(kube::Error::Api(status))) if matches!(status.code, 409 | 422) => {}
            Some(Err(error)) => return Err(in_full(&error)),
            None => return Err(LATE.to_owned()),
        }
        match shared.ask(runs.get_opt(name.as_str())).await? {
            Some(run) => finalizers = run.metadata.finalizers.unwrap_or_default(),
            None => return Ok(()),
        }
    }
    Err("it is written by others all the time".to_owned())
}

/// The finalizer off, the label on.
fn operations(finalizers: &[String]) -> Result<json_patch::Patch, String> {
    let recorded = format!("/metadata/labels/{}", label::RECORDED.replace('/', "~1"));
    let mut operations = without_finalizer(finalizers)?;
    let label = json!({ "op": "add", "path": recorded, "value": "true" });
    operations.0.push(serde_json::from_value(label).map_err(|error| error.to_string())?);
    Ok(operations)
}

/// Others' finalizers stay: ours is taken off by its place, if it is there still.
pub(super) fn without_finalizer(finalizers: &[String]) -> Result<json_patch::Patch, String> {
    let mut operations = vec![];
    if let Some(place) = finalizers.iter().position(|finalizer| finalizer == label::FINALIZER) {
        let path = format!("/metadata/finalizers/{place}");
        operations.push(json!({ "op": "test", "path": path, "value": label::FINALIZER }));
        operations.push(json!({ "op": "remove", "path": path }));
    }
    serde_json::from_value(Value::Array(operations)).map_err(|error| error.to_string())
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Deletes a run that is on record, in the background. One that is not there, or not ours, is done.
pub(super) async fn delete(shared: &Shared, name: &TaskName) -> Result<(), String> {
    let runs = &shared.cluster.seen_runs;
    let Some(run) = shared.ask(runs.get_opt(name.as_str())).await? else { return Ok(()) };
    if !is_ours(&run, &shared.instance) {
        tracing::warn!(task = %name, "a PipelineRun of this name is not one of ours, and stays");
        return Ok(());
    }
    if is_build(&run) {
        forget_build(shared, name).await?;
    }
    let finalizers = run.metadata.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|finalizer| finalizer == label::FINALIZER) {
        release_run(shared, name, finalizers).await?;
    }
    let preconditions = Preconditions { uid: run.metadata.uid, resource_version: None };
    let params = DeleteParams::background().preconditions(preconditions);
    match shared.in_time(runs.delete(name.as_str(), &params)).await.ok_or(LATE)? {
        // Another object has the name by now: ours is gone.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(in_full(&error)),
        Ok(_) => Ok(()),
    }
}

pub(super) fn is_ours(run: &SeenRun, instance: &str) -> bool {
    TaskMeta::read(&run.metadata).is_ok_and(|meta| meta.instance == instance)
}

/// Whether it makes an image, and had a token for that.
pub(super) fn is_build(run: &SeenRun) -> bool {
    run.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(label::IMAGE))
}

/// Asks Tekton to end a run; with `because`, since nobody took it. A run that has ended, or is not there, is done.
pub(super) async fn cancel(shared: &Shared, name: &TaskName, because: Option<&str>) -> Result<(), String> {
    let mut patch = json!({ "spec": { "status": "Cancelled" } });
    if let Some(because) = because {
        patch["metadata"] = json!({ "annotations": { (label::UNSCHEDULABLE): because } });
    }
    let runs: &Api<SeenRun> = &shared.cluster.seen_runs;
    let params = PatchParams::default();
    let patched = shared.in_time(runs.patch(name.as_str(), &params, &Patch::Merge(patch))).await;
    match patched {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) if is_absent(&error) || is_complete(&error) => Ok(()),
        Some(Err(error)) => Err(in_full(&error)),
        None => Err(LATE.to_owned()),
    }
}

/// Tekton's webhook lets nobody change the spec of a run that is complete.
fn is_complete(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 400 && status.message.contains("is complete"))
}
