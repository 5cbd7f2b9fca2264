use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use jiff::Timestamp;
use metrics::gauge;

use super::extract::NoParams;
use super::failure::Failure;
use super::resources::ErrorEnvelope;
use super::service::Shared;
use crate::config::Config;
use crate::task::Phase;

/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`: what was recorded as it happened, and what is true now.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn render(State(serving): State<Shared>, _: NoParams) -> Result<impl IntoResponse, Failure> {
    let (config, now) = (serving.config(), serving.service.clock.now());
    let scan = serving.scan(move |store| {
        let active = store.active_tasks().map(|task| task.map(|task| (task.phase, task.created)));
        Ok((active.collect::<Result<Vec<_>, _>>()?, next_fire(&config, now)))
    });
    let (active, next) = scan.await?;
    for (phase, count) in by_phase(&active) {
        gauge!("tekcron_tasks_active", "phase" => phase.as_str()).set(count as f64);
    }
    let oldest =
        active.iter().filter(|(phase, _)| *phase <= Phase::Pending).map(|(_, created)| *created).min();
    let waiting = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
    gauge!("tekcron_oldest_waiting_seconds").set(waiting);
    if let Some(next) = next {
        gauge!("tekcron_next_fire_timestamp_seconds").set(next.as_second() as f64);
    }
    Ok(([(CONTENT_TYPE, TEXT)], serving.service.metrics.render()))
}

/// The earliest slot of all schedules after `now`.
fn next_fire(config: &Config, now: Timestamp) -> Option<Timestamp> {
    let schedules = config.jobs().flat_map(|(_, job)| &job.schedules);
    schedules.filter_map(|schedule| schedule.next_after(now)).min()
}

/// How many tasks are in each phase that is not the end, zeros included.
fn by_phase(active: &[(Phase, Timestamp)]) -> impl Iterator<Item = (Phase, usize)> {
    let phases = Phase::ALL.into_iter().filter(|phase| !phase.is_terminal());
    phases.map(|phase| (phase, active.iter().filter(|(of, _)| *of == phase).count()))
}
