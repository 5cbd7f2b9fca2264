//! What an App says of its pods, as Tekton takes it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, LocalObjectReference, PersistentVolumeClaimVolumeSource,
    PodSecurityContext, SecretVolumeSource, Toleration, Volume, VolumeMount,
};

use super::build::BuildError;
use super::object::PodTemplate;
use crate::app::pod::{self, VolumeSource};
use crate::app::{App, is_label_key, is_label_value};

/// Where Tekton mounts the workspace of the App's lasting directory.
pub const STATE_PATH: &str = "/workspace/state";

/// None for an App that says nothing of them.
pub(super) fn template(app: &App) -> Option<PodTemplate> {
    let said = &app.pod_template;
    let template = PodTemplate {
        node_selector: said.node_selector.clone(),
        tolerations: said.tolerations.iter().map(toleration).collect(),
        security_context: security_context(said),
        volumes: said.volumes.iter().enumerate().map(volume).collect(),
        image_pull_secrets: said
            .image_pull_secrets
            .iter()
            .map(|name| LocalObjectReference { name: name.clone() })
            .collect(),
    };
    (template != PodTemplate::default()).then_some(template)
}

/// Where the step mounts the volumes.
///
/// # Errors
/// [`BuildError::Mount`] where two would lie in one place, which Tekton's webhook or Kubernetes refuse.
pub(super) fn mounts(app: &App) -> Result<Vec<VolumeMount>, BuildError> {
    let mut taken = BTreeSet::new();
    if app.state {
        taken.insert(STATE_PATH.to_owned());
    }
    let mount = |(index, volume): (usize, &pod::Volume)| {
        let mount_path = volume.mount_path.to_string();
        if !taken.insert(mount_path.clone()) {
            return Err(BuildError::Mount { app: app.name.clone(), path: mount_path });
        }
        Ok(VolumeMount {
            name: volume_name(index),
            mount_path,
            read_only: volume.read_only.then_some(true),
            ..VolumeMount::default()
        })
    };
    app.pod_template.volumes.iter().enumerate().map(mount).collect()
}

/// Refuses labels that the API server would refuse only when the pod is made.
///
/// # Errors
/// [`BuildError::Label`].
pub(super) fn check_labels(app: &App) -> Result<(), BuildError> {
    for (key, value) in &app.pod_template.node_selector {
        if !is_label_key(key) || !(value.is_empty() || is_label_value(value)) {
            return Err(BuildError::Label { key: key.clone(), found: value.clone() });
        }
    }
    Ok(())
}

fn volume_name(index: usize) -> String {
    format!("tekcron-volume-{index}")
}

fn volume((index, volume): (usize, &pod::Volume)) -> Volume {
    let mut made = Volume { name: volume_name(index), ..Volume::default() };
    match &volume.source {
        VolumeSource::Secret(name) => {
            let secret_name = Some(name.clone());
            made.secret = Some(SecretVolumeSource { secret_name, ..SecretVolumeSource::default() });
        }
        VolumeSource::ConfigMap(name) => {
            made.config_map =
                Some(ConfigMapVolumeSource { name: name.clone(), ..ConfigMapVolumeSource::default() });
        }
        VolumeSource::EmptyDir => made.empty_dir = Some(EmptyDirVolumeSource::default()),
        VolumeSource::PersistentVolumeClaim(name) => {
            let read_only = volume.read_only.then_some(true);
            let claim = PersistentVolumeClaimVolumeSource { claim_name: name.clone(), read_only };
            made.persistent_volume_claim = Some(claim);
        }
    }
    made
}

fn toleration(said: &pod::Toleration) -> Toleration {
    let operator = if said.value.is_some() { "Equal" } else { "Exists" };
    Toleration {
        key: said.key.clone(),
        operator: Some(operator.to_owned()),
        value: said.value.clone(),
        effect: said.effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: said.seconds.map(i64::from),
    }
}

fn security_context(said: &pod::PodTemplate) -> Option<PodSecurityContext> {
    let context = PodSecurityContext {
        run_as_user: said.run_as_user.map(i64::from),
        run_as_group: said.run_as_group.map(i64::from),
        fs_group: said.fs_group.map(i64::from),
        run_as_non_root: said.run_as_non_root,
        ..PodSecurityContext::default()
    };
    (context != PodSecurityContext::default()).then_some(context)
}
