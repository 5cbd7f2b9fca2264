use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use serde::Deserialize;
use utoipa::IntoParams;

use super::extract::{Params, Segments};
use super::failure::Failure;
use super::ledger::{self, Order, Wanted};
use super::lookup;
use super::page::{Binding, Limit};
use super::resources::{ErrorEnvelope, Page, SlotResource, as_recorded};
use super::service::Shared;
use crate::job::JobRef;
use crate::schedule::{Schedule, SlotRange, UnknownWord, count_slots};
use crate::store::{Fate, SlotOutcome, SlotRow, Store, StoreError};

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
    /// Only rows of this outcome.
    #[param(value_type = Option<String>, pattern = "^(ran|caught-up|skipped|missed)$")]
    outcome: Option<Outcome>,
    /// What comes first; the oldest unless it is said.
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(oldest|newest)$")]
    order: Order,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Outcome(Fate);

impl TryFrom<String> for Outcome {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, UnknownWord> {
        text.parse().map(Self)
    }
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

/// `GET /v1/jobs/{job}/slots`: the rows that hold a time from `from` to `to`.
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
    let config = serving.config();
    let (app, job) = lookup::job(&config, &job)?;
    let reference = JobRef::of(app, job);
    let from = query.from.map_or(Timestamp::MIN, |Instant(from)| from);
    let to = query.to.map_or(Timestamp::MAX, |Instant(to)| to);
    if from > to {
        return Err(Failure::bad_request(format!("expected `from` before `to`, found `{from}` and `{to}`")));
    }
    let fate = query.outcome.map(|Outcome(fate)| fate);
    let wanted = Wanted { range: (from, to), fate, order: query.order };
    let binding = Binding::new(&[
        "slots",
        &reference.to_string(),
        &from.to_string(),
        &to.to_string(),
        fate.map_or("", Fate::as_str),
        if query.order == Order::Newest { "newest" } else { "" },
    ]);
    let after = binding.position(query.cursor.as_deref())?;
    let (limit, schedules, now) = (query.limit, job.schedules.clone(), serving.service.clock.now());
    let scan = serving.scan(move |store| {
        let mut paused = ledger::paused(store, &reference, &schedules, now)?;
        let (rows, next) = loop {
            let page = ledger::rows(store, &reference, &wanted, paused.clone(), limit.0, after.as_ref())?;
            // Should the pause have ended in between, its rows are there twice.
            match ledger::paused(store, &reference, &schedules, now)? {
                still if still == paused => break page,
                changed => paused = changed,
            }
        };
        let mut counted = MOST_COUNTED;
        let shown = rows.iter().map(|row| resource(store, &reference, &schedules, row, &mut counted));
        Ok((shown.collect::<Result<Vec<_>, _>>()?, next))
    });
    let (items, next) = scan.await?;
    Ok(Json(Page { items, next: next.map(|next| binding.cursor(&next)) }))
}

/// A range of more slots is not counted, nor all ranges of a page that hold more together.
const MOST_COUNTED: u64 = 100_000;

fn resource(
    store: &Store,
    job: &JobRef,
    schedules: &[Arc<Schedule>],
    row: &SlotRow,
    counted: &mut u64,
) -> Result<SlotResource, StoreError> {
    let schedule = schedules.iter().find(|schedule| schedule.key == row.schedule);
    let task = row.outcome.task().map(|id| store.task(&job.app, id)).transpose()?;
    let actual = match &task {
        Some(Some(task)) => task.started,
        // Its record is gone.
        Some(None) => row.claim.map(|claim| claim.at),
        None => None,
    };
    let due = row.claim.map_or(row.first, |claim| claim.due);
    Ok(SlotResource {
        job: job.to_string(),
        schedule: row.schedule.to_string(),
        first: row.first,
        last: row.last,
        slots: count(row, schedule.map(Arc::as_ref), counted),
        outcome: row.outcome.as_str().to_owned(),
        reason: match row.outcome {
            SlotOutcome::Skipped { reason } => Some(reason.to_string()),
            _ => None,
        },
        note: row.note.clone(),
        task: row.outcome.task(),
        claimed: row.claim.map(|claim| as_recorded(claim.at)),
        actual: actual.map(as_recorded),
        lateness_ms: actual.map(|actual| {
            let late = actual.duration_since(due).as_millis();
            i64::try_from(late).unwrap_or(i64::MAX)
        }),
    })
}

fn count(row: &SlotRow, schedule: Option<&Schedule>, left: &mut u64) -> Option<u64> {
    let range = SlotRange { first: row.first, last: row.last };
    if range.first == range.last {
        return Some(1);
    }
    let counted = count_slots(&schedule?.recurrence, range, *left);
    *left = left.saturating_sub(counted.unwrap_or(*left));
    counted
}
