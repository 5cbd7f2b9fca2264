//! What only a cluster has: where the pods of an App's tasks run, as whom, and with which volumes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Settings of the pods of an App's tasks. On this machine they mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodTemplate {
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that do not keep the pods away.
    pub tolerations: Vec<Toleration>,
    /// Volumes beside the App's lasting directory.
    pub volumes: Vec<Volume>,
    /// Secrets with the credentials of registries.
    pub image_pull_secrets: Vec<String>,
    /// The user of the processes.
    pub run_as_user: Option<u32>,
    /// Their group.
    pub run_as_group: Option<u32>,
    /// The group that owns the volumes.
    pub fs_group: Option<u32>,
    /// Whether an image whose user is root is refused.
    pub run_as_non_root: Option<bool>,
}

/// A taint of nodes that does not keep a pod away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    /// The taint's key; any where unset.
    pub key: Option<String>,
    /// The taint's value; any where unset.
    pub value: Option<String>,
    /// The taint's effect; any where unset.
    pub effect: Option<TaintEffect>,
    /// How long a pod that runs already is left alone, by a taint that would end it.
    pub seconds: Option<u32>,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaintEffect {
    /// None is placed there.
    NoSchedule,
    /// None is placed there where that can be helped.
    PreferNoSchedule,
    /// Those that run there are ended, too.
    NoExecute,
}

impl TaintEffect {
    /// All of them, by Kubernetes' words.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("NoSchedule", Self::NoSchedule),
        ("PreferNoSchedule", Self::PreferNoSchedule),
        ("NoExecute", Self::NoExecute),
    ];

    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// A volume, and where a task finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// What is in it.
    pub source: VolumeSource,
    /// Where it is mounted.
    pub mount_path: MountPath,
    /// Whether the task may only read it.
    pub read_only: bool,
}

/// What is in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// The values of a Secret, a file a key.
    Secret(String),
    /// The values of a ConfigMap, a file a key.
    ConfigMap(String),
    /// Nothing yet; gone with the pod.
    EmptyDir,
    /// What was claimed.
    PersistentVolumeClaim(String),
}

/// A place in a container where Tekton lets a volume be: absolute, clean, and none of Tekton's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MountPath(String);

/// Why nothing can be mounted at a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountPathError {
    /// It is not absolute, or not written in its shortest form.
    #[error("expected an absolute path without `.`, `..` and `//`, found `{0}`\nhint: as in `/etc/etl`")]
    Form(String),
    /// A character that Kubernetes or Tekton read otherwise.
    #[error(
        "expected a path without `:` and `$`, found `{0}`\nhint: Kubernetes refuses `:`, Tekton substitutes `$(…)`"
    )]
    Character(String),
    /// It is Tekton's.
    #[error(
        "expected a path apart from Tekton's own, found `{0}`\nhint: `/tekton` holds what starts the task; `/tekton/home` is free"
    )]
    Tekton(String),
}

impl MountPath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MountPath {
    type Err = MountPathError;

    fn from_str(text: &str) -> Result<Self, MountPathError> {
        let clean = text.strip_suffix('/').unwrap_or(text);
        let parts = || clean.split('/').skip(1);
        if !clean.starts_with('/') || parts().any(|part| matches!(part, "" | "." | "..")) {
            return Err(MountPathError::Form(text.to_owned()));
        }
        if clean.contains([':', '$', '\0']) {
            return Err(MountPathError::Character(text.to_owned()));
        }
        match parts().collect::<Vec<_>>().as_slice() {
            ["tekton"] => Err(MountPathError::Tekton(text.to_owned())),
            ["tekton", second, ..] if *second != "home" => Err(MountPathError::Tekton(text.to_owned())),
            _ => Ok(Self(clean.to_owned())),
        }
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_lies_where_tekton_lets_it() {
        for (text, path) in
            [("/certs", "/certs"), ("/etc/etl/", "/etc/etl"), ("/tekton/home/x", "/tekton/home/x")]
        {
            assert_eq!(text.parse::<MountPath>().map(|path| path.to_string()), Ok(path.to_owned()));
        }
        for text in ["", "/", "certs", "./certs", "/a/../b", "/a//b", "/."] {
            assert!(matches!(text.parse::<MountPath>(), Err(MountPathError::Form(_))), "{text}");
        }
        for text in ["/a:b", "/$(params.x)"] {
            assert!(matches!(text.parse::<MountPath>(), Err(MountPathError::Character(_))), "{text}");
        }
        for text in ["/tekton", "/tekton/", "/tekton/bin", "/tekton/homes"] {
            assert!(matches!(text.parse::<MountPath>(), Err(MountPathError::Tekton(_))), "{text}");
        }
    }
}
