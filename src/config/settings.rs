use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;

use crate::app::ByteSize;

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
    /// Environment of every task.
    pub env: BTreeMap<String, String>,
    /// How our own log is written.
    pub log_format: LogFormat,
    /// What our own log holds, as a `tracing` filter.
    pub log: String,
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
