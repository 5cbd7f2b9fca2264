//! Our own log and metrics.
//!
//! Log lines go to stderr, for people or as JSON; metrics are kept in process and rendered in
//! Prometheus' text format. No credential ever reaches either: what is logged are names and numbers.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};
use crate::task::Phase;
use crate::watch::BreachKind;

/// Why our own log or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The `log` setting is no filter.
    #[error(
        "`log = \"{filter}\"` is not a log filter: {message}\nhint: as in `info` or `info,tekcron::store=debug`"
    )]
    Filter {
        /// What stands there.
        filter: String,
        /// What is wrong.
        message: String,
    },
    /// Metrics could not be set up.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(String),
}

/// Libraries that tell at `info` what only they need to know. A directive of the setting goes before.
const QUIET: &str = "tokio_cron_scheduler=warn,kube_client=off,kube_runtime=off";

/// Sends log lines to stderr from now on. Only the first call in a process has an effect.
///
/// # Errors
/// [`TelemetryError::Filter`].
pub fn log_to_stderr(settings: &Settings) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", settings.log)).map_err(|error| {
        TelemetryError::Filter { filter: settings.log.clone(), message: error.to_string() }
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second daemon in one process (a test) shares the first one's log.
    let _ = match settings.log_format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Records metrics from now on. Only the first call in a process installs the recorder; later ones
/// render nothing.
///
/// # Errors
/// [`TelemetryError::Metrics`].
pub fn record_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let failed = |error: metrics_exporter_prometheus::BuildError| TelemetryError::Metrics(error.to_string());
    let seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
        .map_err(failed)?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // A second daemon in one process (a test) shares the first one's recorder.
    let _ = metrics::set_global_recorder(recorder);
    describe();
    begin_at_zero();
    Ok(handle)
}

fn describe() {
    metrics::describe_counter!("tekcron_slots_total", "Slots decided, by outcome");
    metrics::describe_histogram!("tekcron_lateness_seconds", "From a slot's due time to its claim");
    metrics::describe_counter!("tekcron_tasks_total", "Tasks ended, by phase");
    metrics::describe_gauge!("tekcron_tasks_active", "Tasks that have not ended, by phase");
    metrics::describe_histogram!("tekcron_commit_seconds", "Time of a group commit, to the end of its sync");
    metrics::describe_counter!("tekcron_commits_total", "Commits made durable");
    metrics::describe_gauge!("tekcron_next_fire_timestamp_seconds", "When the next slot is due, Unix time");
    metrics::describe_gauge!("tekcron_store_bytes", "Size of the store on disk");
    metrics::describe_counter!("tekcron_retention_removed_total", "Tasks removed by retention");
    metrics::describe_gauge!("tekcron_oldest_waiting_seconds", "Age of the oldest task that waits to start");
    metrics::describe_gauge!("tekcron_jobs_late", "Jobs of which a slot has not started in time");
    metrics::describe_gauge!("tekcron_breaches", "Promises of jobs that are broken, by kind");
    metrics::describe_counter!("tekcron_notices_total", "Notices of breaches, by what became of a delivery");
    metrics::describe_counter!("tekcron_breaches_total", "Promises of jobs that were broken, by kind");
    metrics::describe_counter!("tekcron_http_requests_total", "Requests answered, by route and status");
    metrics::describe_counter!("tekcron_config_reloads_total", "Reloads of the config, by result");
}

/// A count that is absent until its first event cannot be told from one that nobody keeps.
fn begin_at_zero() {
    for outcome in ["ran", "caught-up", "skipped", "missed"] {
        metrics::counter!("tekcron_slots_total", "outcome" => outcome).increment(0);
    }
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_terminal()) {
        metrics::counter!("tekcron_tasks_total", "phase" => phase.as_str()).increment(0);
    }
    for result in ["sent", "failed", "given-up", "dropped"] {
        metrics::counter!("tekcron_notices_total", "result" => result).increment(0);
    }
    for kind in BreachKind::ALL {
        metrics::counter!("tekcron_breaches_total", "kind" => kind.as_str()).increment(0);
    }
    drop(metrics::histogram!("tekcron_lateness_seconds"));
}
