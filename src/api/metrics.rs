use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics::gauge;

use super::extract::NoParams;
use super::failure::Failure;
use super::service::Shared;
use crate::task::{Phase, Task};

/// Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`.
pub(super) async fn render(State(serving): State<Shared>, _: NoParams) -> Result<impl IntoResponse, Failure> {
    let active = serving.scan(|store| store.active_tasks()).await?;
    for (phase, count) in by_phase(&active) {
        gauge!("tekcron_tasks_active", "phase" => phase.as_str()).set(count as f64);
    }
    let now = serving.service.clock.now();
    let oldest = active.iter().filter(|task| task.phase <= Phase::Pending).map(|task| task.created).min();
    let waiting = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
    gauge!("tekcron_oldest_waiting_seconds").set(waiting);
    Ok(([(CONTENT_TYPE, TEXT)], serving.service.metrics.render()))
}

/// How many tasks are in each phase that is not the end, zeros included.
fn by_phase(active: &[Task]) -> impl Iterator<Item = (Phase, usize)> {
    let phases = Phase::ALL.into_iter().filter(|phase| !phase.is_terminal());
    phases.map(|phase| (phase, active.iter().filter(|task| task.phase == phase).count()))
}
