//! The way to the cluster.
//!
//! Which cluster, and as whom: the kubeconfig that is set, else `KUBECONFIG` and `~/.kube/config`, else the
//! service account of the pod. The client's own retry is off: it repeats POSTs, and hides how long a claim waits.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use kube::{Api, Client, Config, Resource};

use super::executor::TektonOptions;
use super::object::{SeenRun, SeenTaskRun};
use crate::executor::label;
use crate::executor::pipeline_run::MANAGER;

/// How long the API server may take for a request that is no stream, and how long the connection.
pub(super) const REQUEST: Duration = Duration::from_secs(15);
/// How long a create that nobody heard of may still be carried out: the server is told [`REQUEST`] too.
pub(super) const LINGER: SignedDuration = SignedDuration::from_secs(20);
/// What is said of a request that took longer than [`REQUEST`].
pub(super) const LATE: &str = "the API server did not answer in time";

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file that was named cannot be used.
    #[error("expected a kubeconfig at `{}`, found none that can be used\nhint: `kubectl --kubeconfig {} config view` says what is wrong with it", path.display(), path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// The context cannot be used.
    #[error("expected a context `{context}` with cluster and user in the kubeconfig{known}")]
    Context {
        /// The context.
        context: String,
        /// Those that are there, as a hint.
        known: String,
        /// What is wrong.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// There is none anywhere.
    #[error(
        "found no kubeconfig, and no service account of a pod\nhint: set `kubeconfig`, or KUBECONFIG, or use `executor = \"local\"`"
    )]
    Nothing(#[source] kube::config::KubeconfigError),
    /// The service account's files cannot be used.
    #[error("the pod's service account cannot be used")]
    InCluster(#[source] kube::config::InClusterError),
    /// Certificates, proxy or credentials of the kubeconfig cannot be used.
    #[error("no client can be made of the kubeconfig")]
    Client(#[source] Box<kube::Error>),
}

/// The API server, for what tekcron asks of it.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    pub(super) url: String,
    pub(super) namespace: String,
    pub(super) seen_runs: Api<SeenRun>,
    pub(super) seen_task_runs: Api<SeenTaskRun>,
    pub(super) pods: Api<Pod>,
    pub(super) secrets: Api<Secret>,
    pub(super) policies: Api<NetworkPolicy>,
    /// Everything of this instance.
    pub(super) selector: String,
    /// As whom this instance writes what others may write too.
    pub(super) manager: String,
}

impl Cluster {
    pub(super) async fn connect(options: &TektonOptions) -> Result<Self, ConnectError> {
        let TektonOptions { kubeconfig, context, namespace, instance, .. } = options;
        let mut config = config(kubeconfig.clone(), context.clone()).await?;
        config.default_retry = false;
        config.connect_timeout = Some(REQUEST);
        let url = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))?;
        Ok(Self {
            url,
            namespace: namespace.clone(),
            seen_runs: Api::namespaced(client.clone(), namespace),
            seen_task_runs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client.clone(), namespace),
            policies: Api::namespaced(client.clone(), namespace),
            selector: format!("{}={MANAGER},{}={instance}", label::MANAGED_BY, label::INSTANCE),
            manager: format!("{MANAGER}-{instance}"),
            client,
        })
    }

    /// How far the server's clock is ahead of `now`, by the head of its answer to the smallest list.
    pub(super) async fn clock(&self, now: Timestamp) -> Option<SignedDuration> {
        let params = ListParams::default().labels(&self.selector).limit(1);
        let listed = Request::new(SeenRun::url_path(&(), Some(&self.namespace))).list(&params).ok()?;
        let answer = self.client.send(listed.map(kube::client::Body::from)).await.ok()?;
        let date = jiff::fmt::rfc2822::parse(answer.headers().get("date")?.to_str().ok()?).ok()?;
        Some(date.timestamp().duration_since(now))
    }
}

async fn config(kubeconfig: Option<PathBuf>, context: Option<String>) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
    let read = match kubeconfig {
        Some(path) => {
            Kubeconfig::read_from(&path).map_err(|source| ConnectError::Kubeconfig { path, source })?
        }
        None => match Kubeconfig::read() {
            Ok(found) => found,
            Err(_) if context.is_none() && in_a_pod() => {
                return Config::incluster().map_err(ConnectError::InCluster);
            }
            Err(error) => return Err(ConnectError::Nothing(error)),
        },
    };
    let known = known_contexts(&read);
    let context = context.or_else(|| read.current_context.clone()).unwrap_or_default();
    Config::from_custom_kubeconfig(read, &options).await.map_err(|source| ConnectError::Context {
        context,
        known,
        source,
    })
}

fn in_a_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn known_contexts(kubeconfig: &Kubeconfig) -> String {
    let names: Vec<String> =
        kubeconfig.contexts.iter().map(|context| format!("`{}`", context.name)).collect();
    match names.is_empty() {
        true => "\nhint: it has no contexts at all".to_owned(),
        false => format!("\nhint: it has {}", names.join(", ")),
    }
}
