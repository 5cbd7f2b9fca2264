use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Settings of the pods of an App's tasks. On this machine they mean nothing.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PodTemplate {
    /// Labels that a node must have
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints of nodes that do not keep the tasks away
    pub tolerations: Option<Vec<Toleration>>,
    /// Volumes of the tasks
    pub volumes: Option<Vec<Volume>>,
    /// Secrets with the credentials of registries
    pub image_pull_secrets: Option<Vec<ObjectName>>,
    /// The user of the processes; the image's unless set
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_user: Option<u32>,
    /// Their group; the image's unless set
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_group: Option<u32>,
    /// The group that owns the volumes
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub fs_group: Option<u32>,
    /// Whether an image whose user is root is refused
    pub run_as_non_root: Option<bool>,
}

/// A taint of nodes that does not keep the tasks away.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Toleration {
    /// The taint's key; any unless set
    pub key: Option<String>,
    /// The taint's value; any unless set
    pub value: Option<String>,
    /// The taint's effect; any unless set
    pub effect: Option<TaintEffect>,
    /// How long a task that runs already is left alone; for ever unless set
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub toleration_seconds: Option<u32>,
}

/// What a taint does to those that do not tolerate it, by Kubernetes' words.
#[derive(Debug, Serialize, JsonSchema)]
pub enum TaintEffect {
    /// None is placed there
    NoSchedule,
    /// None is placed there where that can be helped
    PreferNoSchedule,
    /// Those that run there are ended, too
    NoExecute,
}

/// A volume: one of `secret`, `config_map`, `empty_dir`, `persistent_volume_claim`, and where it is mounted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Volume {
    /// A Secret, whose keys become files
    pub secret: Option<ObjectName>,
    /// A ConfigMap, whose keys become files
    pub config_map: Option<ObjectName>,
    /// `true`: an empty directory, gone with the task
    pub empty_dir: Option<bool>,
    /// A PersistentVolumeClaim
    pub persistent_volume_claim: Option<ObjectName>,
    /// Where it is mounted, as in `/etc/certs`
    #[schemars(regex(pattern = "^/."))]
    pub mount_path: String,
    /// Whether the tasks may only read it
    #[schemars(extend("default" = false))]
    pub read_only: Option<bool>,
}

/// The name of an object in the cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ObjectName(#[schemars(regex(pattern = "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"))] pub String);
