//! Runs by hand: the body of a request, checked, then the dispatcher's to claim.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::extract::{Body, NoParams, Segments};
use super::failure::Failure;
use super::lookup;
use super::resources::{CommandBody, ErrorEnvelope, RunBody, TaskResource};
use super::service::{Serving, Shared};
use crate::app::env::is_name;
use crate::app::{AppName, Command, CommandError, Resources, Timeout};
use crate::job::JobName;
use crate::task::{Overrides, RunRequest, check_display_name};

const LONGEST_KEY: usize = 200;
const LONGEST_TIMEOUT: SignedDuration = SignedDuration::from_hours(366 * 24);

/// `POST /v1/apps/{app}/tasks`.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/tasks",
    params(("app" = String, Path), ("idempotency-key" = Option<String>, Header, description = "A repeated request is the same task", min_length = 1, max_length = 200, pattern = "^[!-~]+$")),
    request_body(content = Option<RunBody>, description = "May be empty."),
    responses((status = 201, description = "The task, on disk", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn on_app(
    State(serving): State<Shared>,
    Segments(app): Segments<String>,
    _: NoParams,
    headers: HeaderMap,
    Body(body, _place): Body<RunBody>,
) -> Result<impl IntoResponse, Failure> {
    let app = lookup::app(&serving.config(), &app)?.name.clone();
    run(&serving, app, None, &headers, body).await
}

/// `POST /v1/jobs/{job}/tasks`.
#[utoipa::path(
    post,
    path = "/v1/jobs/{job}/tasks",
    params(("job" = String, Path), ("idempotency-key" = Option<String>, Header, description = "A repeated request is the same task", min_length = 1, max_length = 200, pattern = "^[!-~]+$")),
    request_body(content = Option<RunBody>, description = "May be empty."),
    responses((status = 201, description = "The task, on disk", body = TaskResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn of_job(
    State(serving): State<Shared>,
    Segments(job): Segments<String>,
    _: NoParams,
    headers: HeaderMap,
    Body(body, _place): Body<RunBody>,
) -> Result<impl IntoResponse, Failure> {
    let config = serving.config();
    let (app, job) = lookup::job(&config, &job)?;
    run(&serving, app.name.clone(), Some(job.name.clone()), &headers, body).await
}

async fn run(
    serving: &Serving,
    app: AppName,
    job: Option<JobName>,
    headers: &HeaderMap,
    body: RunBody,
) -> Result<impl IntoResponse + use<>, Failure> {
    let idempotency_key = idempotency_key(headers)?;
    let display_name = body.display_name.as_deref().map(display_name).transpose()?;
    let overrides = overrides(body)?;
    let request = RunRequest { app, job, display_name, overrides, builds: None, idempotency_key };
    let task = serving.service.dispatch.run(request).await?;
    let location = format!("/v1/apps/{}/tasks/{}", task.app, task.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(TaskResource::from(&task))))
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key)
            if (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Failure::bad_request(format!(
            "expected an `Idempotency-Key` of 1 to {LONGEST_KEY} visible ASCII characters"
        ))),
    }
}

pub(super) fn display_name(text: &str) -> Result<String, Failure> {
    check_display_name(text).map_err(|error| wrong("display_name", error))?;
    Ok(text.to_owned())
}

pub(super) fn overrides(body: RunBody) -> Result<Overrides, Failure> {
    check_env(&body.env)?;
    Ok(Overrides {
        command: body.command.map(command).transpose().map_err(|error| wrong("command", error))?,
        env: body.env,
        resources: Resources {
            cpu: parsed("cpu", body.cpu)?,
            memory: parsed("memory", body.memory)?,
            disk: parsed("disk", body.disk)?,
        },
        timeout: body.timeout.as_deref().map(timeout).transpose()?,
        overlap: parsed("overlap", body.overlap)?,
    })
}

fn command(body: CommandBody) -> Result<Command, CommandError> {
    match body {
        CommandBody::Shell(line) => Command::shell(line),
        CommandBody::Exec(words) => Command::exec(words),
    }
}

fn check_env(env: &BTreeMap<String, String>) -> Result<(), Failure> {
    for (name, value) in env {
        if !is_name(name) {
            let expected = "letters, digits, `_`, `.` and `-`, no digit first";
            return Err(wrong("env", format!("expected a name of {expected}, found `{name}`")));
        }
        if value.contains('\0') {
            return Err(wrong("env", format!("the value of `{name}` holds a NUL byte")));
        }
    }
    Ok(())
}

/// Days have 24 hours, as in config files.
fn timeout(text: &str) -> Result<Timeout, Failure> {
    let text = text.trim();
    if text == "0" {
        return Ok(Timeout::None);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let expected = format!("a unit, as in `{text}s` or `{text}m`");
        return Err(wrong("timeout", format!("expected {expected}, found `{text}` alone")));
    }
    let span = text.parse::<Span>().ok();
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    match duration {
        Some(duration) if (SignedDuration::from_secs(1)..=LONGEST_TIMEOUT).contains(&duration) => {
            Ok(Timeout::After(duration))
        }
        Some(_) => {
            let expected = "between `1s` and `366d`, or `0` for none";
            Err(wrong("timeout", format!("expected {expected}, found `{text}`")))
        }
        None => Err(wrong("timeout", format!("expected a duration as in `90s` or `1h 30m`, found `{text}`"))),
    }
}

fn parsed<T: FromStr<Err: Display>>(field: &str, text: Option<String>) -> Result<Option<T>, Failure> {
    text.map(|text| text.parse().map_err(|error| wrong(field, error))).transpose()
}

fn wrong(field: &str, error: impl Display) -> Failure {
    Failure::bad_request(format!("`{field}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        overrides(serde_json::from_str(json).unwrap()).unwrap_err().message
    }

    #[test]
    fn each_wrong_value_is_named_by_its_field() {
        for (json, expected) in [
            (r#"{"memory": "512"}"#, "`memory`: expected a unit"),
            (r#"{"memory": "-1Gi"}"#, "`memory`: expected"),
            (r#"{"disk": "9999999Ti"}"#, "`disk`: expected between"),
            (r#"{"cpu": "-1"}"#, "`cpu`: expected cores"),
            (r#"{"timeout": "-5s"}"#, "`timeout`: expected between"),
            (r#"{"timeout": "99999h"}"#, "`timeout`: expected between"),
            (r#"{"timeout": "30"}"#, "`timeout`: expected a unit, as in `30s`"),
            (r#"{"timeout": "1 month"}"#, "`timeout`: expected a duration"),
            (r#"{"timeout": "soon"}"#, "`timeout`: expected a duration"),
            (r#"{"overlap": "never"}"#, "`overlap`: expected one of"),
            (r#"{"command": " "}"#, "`command`: expected a shell line"),
            (r#"{"command": []}"#, "`command`: expected a shell line"),
            (r#"{"env": {"A=B": "c"}}"#, "`env`: expected a name of letters"),
            (r#"{"env": {"A": "\u0000"}}"#, "`env`: the value of `A`"),
        ] {
            assert!(refusal(json).starts_with(expected), "{json}: {}", refusal(json));
        }
    }

    #[test]
    fn a_timeout_is_a_duration_or_none() {
        assert_eq!(timeout("0"), Ok(Timeout::None));
        assert_eq!(timeout("1h 30m"), Ok(Timeout::After(SignedDuration::from_mins(90))));
        assert_eq!(timeout("2 days"), Ok(Timeout::After(SignedDuration::from_hours(48))));
        assert_eq!(timeout("90s"), Ok(Timeout::After(SignedDuration::from_secs(90))));
    }
}
