//! Old slots run again: the ledger is searched here, the dispatcher claims.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use super::extract::{Body, NoBody, NoParams, Segments};
use super::failure::{Code, Failure};
use super::lookup;
use super::resources::{
    BackfillBody, BackfillResource, BackfillSelect, ErrorEnvelope, OldSlotResource, TaskResource,
};
use super::run::idempotency_key;
use super::service::Shared;
use crate::job::JobRef;
use crate::store::SlotOutcome;
use crate::task::{
    Backfill, BackfillError, BackfillRequest, OldSlot, RunRequest, Select, Trigger, base32_hash, old_slots,
    slot_of,
};

/// `POST /v1/jobs/{job}/backfill`.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job}/backfill",
    params(("job" = String, Path)),
    request_body = BackfillBody,
    responses((status = 200, description = "The slots, and their tasks on disk", body = BackfillResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn of_job(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<BackfillBody>,
) -> Result<Json<BackfillResource>, Failure> {
    let config = serving.config();
    let (app, job) = lookup::job(&config, &job)?;
    let job_ref = JobRef::of(app, job);
    let missing = |field: &str| Failure::bad_request(format!("`{field}` is missing"));
    let (from, to) = (body.from.ok_or_else(|| missing("from"))?, body.to.ok_or_else(|| missing("to"))?);
    if to < from {
        return Err(Failure::bad_request(format!("expected `to` behind `from`, found `{from}` and `{to}`")));
    }
    let now = serving.service.clock.now();
    if to > now {
        let hint = "hint: what is due from now on runs by itself";
        return Err(Failure::bad_request(format!("expected `to` in the past, found `{to}`\n{hint}")));
    }
    let max_running = body.max_running.unwrap_or(1);
    if max_running == 0 {
        return Err(Failure::bad_request("`max_running`: expected at least 1, found `0`"));
    }
    let schedule = body.schedule.as_deref().map(str::parse).transpose();
    let schedule = schedule.map_err(|error| Failure::bad_request(format!("`schedule`: {error}")))?;
    let select = match body.select {
        BackfillSelect::Missing => Select::Missing,
        BackfillSelect::Failed => Select::Failed,
        BackfillSelect::All => Select::All,
    };
    let words =
        [job_ref.to_string(), from.to_string(), to.to_string(), format!("{select:?} {:?}", body.schedule)];
    let hash = base32_hash(&words.each_ref().map(String::as_str));
    let backfill = Backfill { job: job_ref.clone(), from, to, select, schedule };
    let (job, most) = (job.clone(), config.settings.max_backfill);
    let scan = serving.scan(move |store| match old_slots(store, &job, &backfill, most) {
        Err(BackfillError::Store(error)) => Err(error),
        found => Ok(found),
    });
    let slots = scan.await??;
    let shown = slots.iter().map(|old| resource(&job_ref, old)).collect();
    if body.dry_run {
        return Ok(Json(BackfillResource { slots: shown, claimed: Vec::new(), under_way: Vec::new() }));
    }
    let request = BackfillRequest { job: job_ref, slots, max_running, hash, once: select == Select::All };
    let done = serving.service.dispatch.backfill(request).await?;
    let tasks = |tasks: &[crate::task::Task]| tasks.iter().map(TaskResource::from).collect();
    let mut under_way = done.under_way;
    under_way.sort_by_key(|task| task.id);
    let (claimed, under_way) = (tasks(&done.claimed), tasks(&under_way));
    Ok(Json(BackfillResource { slots: shown, claimed, under_way }))
}

fn resource(job: &JobRef, old: &OldSlot) -> OldSlotResource {
    let was = match (old.newest, old.was) {
        (Some((_, phase)), _) => phase.to_string(),
        (None, Some(SlotOutcome::Skipped { reason })) => format!("skipped: {reason}"),
        (None, Some(outcome)) => outcome.as_str().to_owned(),
        (None, None) => "unknown".to_owned(),
    };
    let name = format!("{job}@{}", old.slot);
    OldSlotResource { name, schedule: old.schedule.to_string(), slot: old.slot, was }
}

/// `POST /v1/apps/{app}/tasks/{id}/rerun`: the same slot, or the same run by hand, once more.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/tasks/{id}/rerun",
    params(("app" = String, Path), ("id" = u64, Path), ("idempotency-key" = Option<String>, Header, description = "Of a run by hand: a repeated request is the same task", min_length = 1, max_length = 200, pattern = "^[!-~]+$")),
    responses((status = 200, description = "The new task, on disk", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn rerun(
    State(serving): State<Shared>,
    Segments((app, id)): Segments<(String, String)>,
    _: NoParams,
    headers: HeaderMap,
    _: NoBody,
) -> Result<Json<TaskResource>, Failure> {
    let task = lookup::task(&serving, &app, &id)?;
    if task.trigger == Trigger::Build {
        let text = format!("task {} of App `{}` built a revision, which is done once", task.id, task.app);
        return Err(
            Failure::bad_request(text).hint(format!("`tekcron restage {}` builds its source anew", task.app))
        );
    }
    if !task.phase.is_terminal() {
        let (app, id, phase) = (&task.app, task.id, task.phase);
        let text = format!("task {id} of App `{app}` has not ended: it is `{phase}`");
        return Err(Failure::new(Code::NotEnded, text).hint(format!(
            "`tekcron terminate-task {app} {id}` ends it; a job runs beside itself with `run-job`"
        )));
    }
    let dispatch = &serving.service.dispatch;
    let (of_task, job) = (task.clone(), task.job_ref());
    let slot = serving.scan(move |store| slot_of(store, &of_task)).await?;
    if let (Some(old), Some(job)) = (slot, job) {
        if let Some((_, phase)) = old.newest.filter(|(_, phase)| !phase.is_terminal()) {
            let text = format!("another run of the slot {} has not ended: it is `{phase}`", old.slot);
            return Err(Failure::new(Code::NotEnded, text));
        }
        let hash = uuid::Uuid::new_v4().to_string();
        let request = BackfillRequest { job, slots: vec![old], max_running: 1, hash, once: false };
        let done = dispatch.backfill(request).await?;
        let gone = || Failure::new(Code::NotEnded, "another run of the slot has just been asked for");
        return Ok(Json(TaskResource::from(done.claimed.first().ok_or_else(gone)?)));
    }
    let request = RunRequest {
        app: task.app,
        job: task.job,
        display_name: Some(task.display_name),
        overrides: task.overrides,
        builds: None,
        idempotency_key: idempotency_key(&headers)?,
    };
    Ok(Json(TaskResource::from(&dispatch.run(request).await?)))
}
