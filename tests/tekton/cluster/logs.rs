//! The logs of pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures::stream;
use jiff::Timestamp;

use super::call::Call;
use super::faults::Act;
use super::objects::{Refused, not_found};
use super::{Shared, serve};

/// What a container wrote.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// With the time at which the runtime read each; the text with its newline, where it has one.
    pub(crate) lines: Vec<(Timestamp, String)>,
    /// It writes no more.
    pub(crate) ended: bool,
}

/// What the containers of a pod wrote, by their names.
pub(crate) type Logs = BTreeMap<String, Log>;

/// The container of a task's command.
pub(crate) const USER: &str = "step-user-container";

pub(super) fn read(shared: &Arc<Shared>, call: &Call, act: Option<&Act>) -> Result<Response<Body>, Refused> {
    let container = call.query("container").to_owned();
    let has_container = shared.lock().logs.get(&call.name).map(|logs| logs.contains_key(&container));
    let Some(has_container) = has_container else { return Err(not_found("pods", &call.name)) };
    if !has_container {
        return Err((
            400,
            "BadRequest",
            format!("container {} is not valid for pod {}", call.query("container"), call.name),
        ));
    }
    let reading = Reading {
        shared: Arc::clone(shared),
        pod: call.name.clone(),
        container,
        since: call.query("sinceTime").parse().ok(),
        follow: call.query("follow") == "true",
        timestamps: call.query("timestamps") == "true",
        at: 0,
    };
    let cut = match act {
        Some(Act::Cut(bytes)) => Some(*bytes),
        _ => None,
    };
    let pieces = stream::unfold(reading, |mut reading| async move { Some((reading.next().await?, reading)) });
    Ok(serve::streamed(pieces, cut))
}

struct Reading {
    shared: Arc<Shared>,
    pod: String,
    container: String,
    since: Option<Timestamp>,
    follow: bool,
    timestamps: bool,
    at: usize,
}

impl Reading {
    async fn next(&mut self) -> Option<Bytes> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            {
                let state = self.shared.lock();
                let log = state.logs.get(&self.pod)?.get(&self.container)?;
                while let Some((time, text)) = log.lines.get(self.at) {
                    self.at += 1;
                    if self.since.is_none_or(|since| *time >= since) {
                        let time = if self.timestamps { format!("{time:.9} ") } else { String::new() };
                        return Some(Bytes::from(format!("{time}{text}")));
                    }
                }
                if log.ended || !self.follow {
                    return None;
                }
            }
            changed.changed().await.ok()?;
        }
    }
}
