use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;

use super::extract::{Params, Segments};
use super::failure::Failure;
use super::lookup;
use super::page::{Binding, Limit};
use super::resources::{Page, SlotResource};
use super::service::Shared;
use crate::store::{SlotOutcome, SlotRow};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// `GET /v1/jobs/{job}/slots`: oldest first, those that begin from `from` to `to`.
pub(super) async fn list(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Page<SlotResource>>, Failure> {
    let job = lookup::job(&serving.config(), &job).map(|(app, job)| lookup::reference(app, job))?;
    let (from, to) = (query.from.unwrap_or(Timestamp::MIN), query.to.unwrap_or(Timestamp::MAX));
    if from > to {
        return Err(Failure::bad_request(format!("expected `from` before `to`, found `{from}` and `{to}`")));
    }
    let binding = Binding::new(&["slots", &job.to_string(), &from.to_string(), &to.to_string()]);
    let after: Option<(Timestamp, String)> = binding.position(query.cursor.as_deref())?;
    let begin = after.as_ref().map_or(from, |(first, _)| *first);
    let (limit, name) = (query.limit, job.to_string());
    let scan = serving.scan(move |store| {
        let behind = |row: &SlotRow| after.as_ref().is_none_or(|(first, key)| place(row) > (*first, key));
        let mut rows = Vec::new();
        // No page holds more of one schedule than it holds in all.
        for schedule in store.slot_schedules(&job)? {
            let of_schedule = store.slots_of(&job, &schedule, begin..=to);
            let of_schedule = of_schedule.filter(|row| row.as_ref().map_or(true, behind));
            rows.extend(of_schedule.take(limit.0 + 1).collect::<Result<Vec<_>, _>>()?);
        }
        rows.sort_unstable_by(|a, b| place(a).cmp(&place(b)));
        rows.truncate(limit.0 + 1);
        Ok(rows)
    });
    let rows = scan.await?.into_iter().map(|row| resource(&name, &row)).collect();
    Ok(Json(binding.page(rows, limit, |row: &SlotResource| (row.first, row.schedule.clone()))))
}

fn place(row: &SlotRow) -> (Timestamp, &str) {
    (row.first, row.schedule.as_str())
}

fn resource(job: &str, row: &SlotRow) -> SlotResource {
    SlotResource {
        job: job.to_owned(),
        schedule: row.schedule.to_string(),
        first: row.first,
        last: row.last,
        outcome: row.outcome.as_str().to_owned(),
        reason: match row.outcome {
            SlotOutcome::Skipped { reason } => Some(reason.to_string()),
            _ => None,
        },
        task: row.outcome.task(),
    }
}
