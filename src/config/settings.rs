use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;

use crate::app::{AppName, ByteSize, Timeout};

/// Settings of the service: `config/tekcron.toml`, then `TEKCRON_*`, then flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Names this tekcron among others on one cluster; part of every task's name.
    pub instance: String,
    /// Kubernetes namespace of the PipelineRuns; part of every task's name.
    pub namespace: String,
    /// Absolute path of the data directory.
    pub data_dir: PathBuf,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Certificate and key, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// Whether listening beyond loopback without TLS is accepted.
    pub insecure: bool,
    /// The most tasks that the embedded executor runs at once.
    pub max_children: usize,
    /// The most slots of one backfill.
    pub max_backfill: usize,
    /// Between SIGTERM and SIGKILL of a task.
    pub grace: SignedDuration,
    /// How long a stopping daemon waits for requests and writes in flight.
    pub drain: SignedDuration,
    /// How long claims are held while the executor is unreachable.
    pub hold: SignedDuration,
    /// The most bytes of log kept of one task.
    pub max_log: ByteSize,
    /// The most bytes of log kept of all finished tasks.
    pub log_budget: ByteSize,
    /// The most bytes of a source that is pushed.
    pub max_source: ByteSize,
    /// How long rows of the slot ledger are kept.
    pub keep_slots: SignedDuration,
    /// Environment of every task.
    pub env: BTreeMap<String, String>,
    /// How our own log is written.
    pub log_format: LogFormat,
    /// What our own log holds, as a `tracing` filter.
    pub log: String,
    /// Where probes are answered without a token, beside [`Settings::listen`].
    pub health_listen: Option<SocketAddr>,
    /// Who runs the tasks.
    pub executor: ExecutorKind,
    /// What only the Tekton executor reads.
    pub tekton: TektonSettings,
    /// Where the API is reached from elsewhere, without a slash at its end.
    pub public_url: Option<String>,
    /// How sources that are pushed become images on a cluster; they do not where unset.
    pub build: Option<BuildSettings>,
}

/// Who runs the tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExecutorKind {
    /// This machine, as processes.
    #[default]
    Local,
    /// A cluster, as PipelineRuns.
    Tekton,
}

/// Settings of the Tekton executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TektonSettings {
    /// Absolute path of the kubeconfig; where unset, `KUBECONFIG`, then `~/.kube/config`, then the pod's
    /// service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; its current one where unset.
    pub kube_context: Option<String>,
    /// The most creates in flight.
    pub max_creates: usize,
    /// The most unfinished tasks that the cluster is given at once; what is beyond waits as `pending`.
    pub max_submitted: usize,
    /// Whether a PipelineRun stays, whoever deletes it, until outcome and log are recorded.
    pub finalizer: bool,
    /// How long a task may wait for a node, its image or quota before it is given up; for ever where unset.
    pub unschedulable_after: Option<SignedDuration>,
    /// Where captured lines of tasks go beside the log store.
    pub log_stream: LogStreamTarget,
}

impl Default for TektonSettings {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            kube_context: None,
            max_creates: 16,
            max_submitted: 10_000,
            finalizer: true,
            unschedulable_after: None,
            log_stream: LogStreamTarget::None,
        }
    }
}

/// Where captured lines of tasks go beside the log store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogStreamTarget {
    /// Nowhere.
    #[default]
    None,
    /// The service's own output, as JSON, one object a line.
    Stdout,
}

/// How sources become images on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSettings {
    /// Who builds.
    pub builder: Builder,
    /// Its image.
    pub image: String,
    /// What it is called with beside what it needs; of [`Builder::Custom`], all that it is called with.
    pub args: Vec<String>,
    /// Where images are pushed to, as in `registry.example/team`: each App is a repository in it.
    pub registry: String,
    /// The Secret with the registry's credentials, of type `kubernetes.io/dockerconfigjson`.
    pub registry_secret: Option<String>,
    /// The image that fetches and unpacks the source.
    pub fetch_image: String,
    /// The service account of builds; the namespace's own where unset.
    pub service_account: Option<String>,
    /// How long a build may take whose App does not say so.
    pub timeout: Timeout,
}

impl BuildSettings {
    /// The image that fetches where nobody names one: a shell, and a `wget` that checks certificates.
    pub const FETCH_IMAGE: &str = "docker.io/library/alpine:3.22";

    /// The repository of the images of `app`.
    pub fn repository(&self, app: &AppName) -> String {
        format!("{}/{app}", self.registry)
    }
}

/// Who makes an image of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// `creator` of Cloud Native Buildpacks, in a builder image.
    Buildpacks,
    /// Buildah, by the source's Dockerfile.
    Buildah,
    /// Kaniko, by the source's Dockerfile.
    Kaniko,
    /// Any other program.
    Custom,
}

/// Files of a TLS server, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// How our own log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
