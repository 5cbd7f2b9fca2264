//! Decisions about the slots of a job: pause, resume, skip the next ones.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;

use super::extract::{Body, NoParams, Segments};
use super::failure::Failure;
use super::resources::{
    ErrorEnvelope, JobResource, PauseBody, ResumeBody, ResumeResource, SkipNextBody, as_recorded,
};
use super::service::{Serving, Shared};
use super::{jobs, lookup};
use crate::job::JobRef;
use crate::schedule::CatchUp;
use crate::task::{Steer, Steered};

pub(super) const LONGEST_NAME: usize = 200;
const LONGEST_NOTE: usize = 1000;

/// `POST /v1/jobs/{job}/pause`.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job}/pause",
    params(("job" = String, Path)),
    request_body(content = Option<PauseBody>, description = "May be empty."),
    responses((status = 200, description = "The job, paused on disk", body = JobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn pause(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<PauseBody>,
) -> Result<Json<JobResource>, Failure> {
    let until = body.until.as_deref().map(time).transpose()?;
    let by = body.by.map(|by| line("by", by, LONGEST_NAME)).transpose()?;
    let note = body.note.map(|note| line("note", note, LONGEST_NOTE)).transpose()?;
    let (job, _) = steer(&serving, &job, Steer::Pause { until, by, note }).await?;
    Ok(Json(job))
}

/// `POST /v1/jobs/{job}/resume`.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job}/resume",
    params(("job" = String, Path)),
    request_body(content = Option<ResumeBody>, description = "May be empty."),
    responses((status = 200, description = "The job, on disk", body = ResumeResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn resume(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<ResumeBody>,
) -> Result<Json<ResumeResource>, Failure> {
    let catch_up = body.catch_up.map(|word| word.parse::<CatchUp>()).transpose();
    let catch_up = catch_up.map_err(|error| Failure::bad_request(format!("`catch_up`: {error}")))?;
    let (job, caught_up) = steer(&serving, &job, Steer::Resume { catch_up }).await?;
    Ok(Json(ResumeResource { job, caught_up: caught_up as u64 }))
}

/// `POST /v1/jobs/{job}/skip-next`.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job}/skip-next",
    params(("job" = String, Path)),
    request_body(content = Option<SkipNextBody>, description = "May be empty."),
    responses((status = 200, description = "The job, on disk", body = JobResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn skip_next(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    Body(body, _place): Body<SkipNextBody>,
) -> Result<Json<JobResource>, Failure> {
    let by = body.by.map(|by| line("by", by, LONGEST_NAME)).transpose()?;
    let count = body.count.unwrap_or(1);
    let (job, _) = steer(&serving, &job, Steer::SkipNext { count, by }).await?;
    Ok(Json(job))
}

/// The job as it is then, and how many slots of a pause were caught up.
async fn steer(serving: &Serving, job: &str, steer: Steer) -> Result<(JobResource, usize), Failure> {
    let name = lookup::job(&serving.config(), job).map(|(app, job)| JobRef::of(app, job))?;
    let Steered { steering, caught_up } = serving.service.dispatch.steer(name.clone(), steer).await?;
    let config = serving.config();
    let (app, job) = lookup::job(&config, &name.to_string())?;
    Ok((jobs::shown(serving, app, job, &steering).await?, caught_up))
}

fn time(text: &str) -> Result<Timestamp, Failure> {
    let time: Option<Timestamp> = text.parse().ok();
    time.map(as_recorded).ok_or_else(|| {
        Failure::bad_request(format!("`until`: expected a time as in `2026-01-01T00:00:00Z`, found `{text}`"))
    })
}

/// A text of one line that somebody signs or explains with.
pub(super) fn line(field: &str, text: String, longest: usize) -> Result<String, Failure> {
    let text = text.trim().to_owned();
    let length = text.chars().count();
    if length == 0 || length > longest || text.contains(char::is_control) {
        let expected = format!("a line of 1 to {longest} characters");
        return Err(Failure::bad_request(format!("`{field}`: expected {expected}, found {length}")));
    }
    Ok(text)
}
