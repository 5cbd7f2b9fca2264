use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{Params, Segments};
use super::failure::Failure;
use super::lookup;
use super::page::{Binding, Limit};
use super::resources::{ErrorEnvelope, Page, SlotResource};
use super::service::Shared;
use crate::job::JobRef;
use crate::store::{SlotOutcome, SlotRow, Store, StoreError};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The most items.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows that hold a time from here on.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Instant>,
    /// Rows that hold a time up to here.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Instant>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Instant(Timestamp);

impl TryFrom<String> for Instant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("expected a time as in `2026-01-01T00:00:00Z`, found `{text}`");
        text.parse().ok().or_else(|| beyond_all(&text)).map(Self).ok_or_else(wrong)
    }
}

/// The end of time on whose other side `text` is: `9999-12-31T23:59:59Z` is how many programs say "for ever".
fn beyond_all(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    pieces.offset().zip(pieces.time())?;
    Some(if pieces.date().year() > 0 { Timestamp::MAX } else { Timestamp::MIN })
}

/// `GET /v1/jobs/{job}/slots`: the rows that hold a time from `from` to `to`, oldest first.
#[utoipa::path(
    get,
    path = "/v1/jobs/{job}/slots",
    params(("job" = String, Path), ListQuery),
    responses((status = 200, description = "A page", body = Page<SlotResource>), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn list(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Page<SlotResource>>, Failure> {
    let job = lookup::job(&serving.config(), &job).map(|(app, job)| JobRef::of(app, job))?;
    let from = query.from.map_or(Timestamp::MIN, |Instant(from)| from);
    let to = query.to.map_or(Timestamp::MAX, |Instant(to)| to);
    if from > to {
        return Err(Failure::bad_request(format!("expected `from` before `to`, found `{from}` and `{to}`")));
    }
    let binding = Binding::new(&["slots", &job.to_string(), &from.to_string(), &to.to_string()]);
    let after = binding.position(query.cursor.as_deref())?;
    let (limit, name) = (query.limit, job.to_string());
    let rows = serving.scan(move |store| rows(store, &job, from..=to, limit.0 + 1, after.as_ref())).await?;
    let rows = rows.iter().map(|row| resource(&name, row)).collect();
    Ok(Json(binding.page(rows, limit, |row: &SlotResource| (row.first, row.schedule.clone()))))
}

/// The first `count` rows behind `after`.
fn rows(
    store: &Store,
    job: &JobRef,
    range: RangeInclusive<Timestamp>,
    count: usize,
    after: Option<&(Timestamp, String)>,
) -> Result<Vec<SlotRow>, StoreError> {
    let (from, to) = range.into_inner();
    let behind = |row: &SlotRow| after.is_none_or(|(first, key)| place(row) > (*first, key));
    let mut rows = Vec::new();
    for schedule in store.slot_schedules(job)? {
        let before = store.slots_of(job, &schedule, Timestamp::MIN..=from).next_back().transpose()?;
        // A row of several slots may begin before `from`.
        let begin = before.filter(|row| row.last >= from).map_or(from, |row| row.first);
        let begin = after.map_or(begin, |(first, _)| begin.max(*first));
        let of_schedule = store.slots_of(job, &schedule, begin..=to);
        let of_schedule = of_schedule.filter(|row| row.as_ref().map_or(true, behind));
        // No page holds more of one schedule than it holds in all.
        rows.extend(of_schedule.take(count).collect::<Result<Vec<_>, _>>()?);
    }
    rows.sort_unstable_by(|a, b| place(a).cmp(&place(b)));
    rows.truncate(count);
    Ok(rows)
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
