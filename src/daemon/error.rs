use std::net::SocketAddr;

use crate::api::ApiError;
use crate::causes::in_full;
use crate::config::Problems;
use crate::executor::local::LocalError;
use crate::executor::tekton::ConnectError;
use crate::store::StoreError;
use crate::telemetry::TelemetryError;

/// Why the daemon did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// Nobody could look at the configuration.
    #[error("the config files cannot be looked at: {0}")]
    Look(std::io::Error),
    /// Log or metrics could not be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The store could not be opened, or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedded executor could not start.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// There is no way to a cluster.
    #[error("{}", in_full(.0))]
    Cluster(#[from] ConnectError),
    /// The address is taken, or not this machine's.
    #[error(
        "cannot listen on `{listen}`: {source}\nhint: choose another address with --listen or TEKCRON_LISTEN"
    )]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// The address for probes is taken, or not this machine's.
    #[error(
        "cannot listen on `{listen}` for probes: {source}\nhint: choose another address as `health_listen` or TEKCRON_HEALTH_LISTEN, or leave it out: the API answers probes too"
    )]
    BindProbes {
        /// The address.
        listen: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// The wheel's thread could not start.
    #[error("cannot start the wheel's thread: {0}")]
    Wheel(std::io::Error),
    /// The housekeeping timer could not start.
    #[error("cannot start the housekeeping timer: {0}")]
    Timer(#[from] tokio_cron_scheduler::JobSchedulerError),
    /// The API could not be served.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A part ended without having been asked to.
    #[error("the {0} ended unasked")]
    EndedEarly(&'static str),
    /// A part panicked.
    #[error("a part of the daemon panicked: {0}")]
    Panicked(String),
}
