//! What each verb does.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures::stream;
use serde_json::{Value, json};

use super::call::Call;
use super::faults::{Act, status};
use super::objects::{Refused, event, not_found, selected};
use super::{RUNS, Shared, serve, tekton};

pub(super) fn get(shared: &Shared, call: &Call) -> Result<Value, Refused> {
    let state = shared.lock();
    state
        .objects
        .get(&call.resource, &call.name)
        .cloned()
        .ok_or_else(|| not_found(&call.resource, &call.name))
}

/// In pages; `continue` is the last name of the page before.
pub(super) fn list(shared: &Shared, call: &Call) -> Result<Value, Refused> {
    let state = shared.lock();
    let limit = call.query("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let after = call.query("continue");
    let name = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<Value> = state
        .objects
        .all(&call.resource)
        .filter(|object| selected(object, call.query("labelSelector")) && name(object).as_str() > after)
        .cloned()
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(name);
    let (kind, version) = match call.resource.as_str() {
        "networkpolicies" => ("NetworkPolicyList", "networking.k8s.io/v1"),
        "secrets" => ("SecretList", "v1"),
        "pipelineruns" => ("PipelineRunList", "tekton.dev/v1"),
        _ => ("TaskRunList", "tekton.dev/v1"),
    };
    Ok(json!({
        "kind": kind, "apiVersion": version, "items": found,
        "metadata": { "resourceVersion": state.objects.version.to_string(), "continue": next },
    }))
}

pub(super) fn create(shared: &Shared, call: &Call) -> Result<Value, Refused> {
    if call.query("dryRun") == "All" {
        return Ok(call.body.clone());
    }
    shared.with(|state| {
        let now = state.now(&shared.clock);
        state.objects.create(&call.resource, call.body.clone(), &now)
    })
}

pub(super) fn patch(shared: &Shared, call: &Call) -> Result<Value, Refused> {
    shared.with(|state| {
        let applies = call.content_type.starts_with("application/apply-patch");
        if applies && state.objects.get(&call.resource, &call.name).is_none() {
            let now = state.now(&shared.clock);
            return state.objects.create(&call.resource, call.body.clone(), &now);
        }
        if applies && call.query("force") != "true" {
            not_anothers(state.objects.get(&call.resource, &call.name), &call.body)?;
        }
        let patched = state.objects.change(&call.resource, &call.name, |object| {
            let before = object.clone();
            if call.content_type.starts_with("application/json-patch") {
                let operations: json_patch::Patch = serde_json::from_value(call.body.clone())
                    .map_err(|error| (400, "BadRequest", error.to_string()))?;
                json_patch::patch(object, &operations)
                    .map_err(|error| (422, "Invalid", error.to_string()))?;
            } else {
                // What a manager applied before and applies no more goes; what others wrote stays.
                if applies && instance(&before) == instance(&call.body) && !before["data"].is_null() {
                    object["data"] = json!({});
                }
                json_patch::merge(object, &call.body);
            }
            match tekton::is_complete(&before) && object["spec"] != before["spec"] {
                true => Err(tekton::complete()),
                false => Ok(()),
            }
        })?;
        if call.resource == RUNS && state.cancels && patched["spec"]["status"] == "Cancelled" {
            tekton::cancel(state, &call.name);
        }
        Ok(patched)
    })
}

const INSTANCE: &str = "app.kubernetes.io/instance";

fn instance(object: &Value) -> Option<&str> {
    object["metadata"]["labels"][INSTANCE].as_str()
}

/// As a server says to one who applies what another manager has.
fn not_anothers(there: Option<&Value>, applied: &Value) -> Result<(), Refused> {
    match there.and_then(instance).filter(|theirs| Some(*theirs) != instance(applied)) {
        Some(theirs) => {
            let message = format!(
                "Apply failed with 1 conflict: conflict with \"tekcron-{theirs}\": .metadata.labels.{INSTANCE}"
            );
            Err((409, "Conflict", message))
        }
        None => Ok(()),
    }
}

pub(super) fn delete(shared: &Shared, call: &Call) -> Result<Value, Refused> {
    shared.with(|state| {
        let now = state.now(&shared.clock);
        let uid = call.body["preconditions"]["uid"].as_str();
        state.objects.delete(&call.resource, &call.name, uid, &now)
    })
}

/// Whatever happened since the version that is asked for, and whatever happens from now on.
pub(super) fn watch(shared: &Arc<Shared>, call: &Call, act: Option<&Act>) -> Response<Body> {
    let from: u64 = call.query("resourceVersion").parse().unwrap_or(0);
    let (compacted, ended) = {
        let state = shared.lock();
        (state.objects.compacted, state.watches_ended)
    };
    if from < compacted {
        let gone = status(410, "Expired", &format!("too old resource version: {from} ({compacted})"));
        let error = json!({ "type": "ERROR", "object": gone });
        return serve::streamed(stream::iter([line(&error)]), None);
    }
    let until = match act {
        Some(Act::EndAfter(duration)) => *duration,
        _ => Duration::from_secs(3600),
    };
    let cut = match act {
        Some(Act::Cut(bytes)) => Some(*bytes),
        _ => None,
    };
    let watch = Watch {
        shared: Arc::clone(shared),
        resource: call.resource.clone(),
        selector: call.query("labelSelector").to_owned(),
        bookmarks: call.query("allowWatchBookmarks") == "true",
        seen: from,
        ended,
        over: Box::pin(tokio::time::sleep(until)),
    };
    serve::streamed(stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }), cut)
}

struct Watch {
    shared: Arc<Shared>,
    resource: String,
    selector: String,
    bookmarks: bool,
    seen: u64,
    ended: u64,
    over: std::pin::Pin<Box<tokio::time::Sleep>>,
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(event) = self.event() {
                return Some(line(&event));
            }
            if self.shared.lock().watches_ended != self.ended {
                return None;
            }
            tokio::select! {
                changed = changed.changed() => changed.ok()?,
                () = &mut self.over => return None,
            }
        }
    }

    fn event(&mut self) -> Option<Value> {
        let state = self.shared.lock();
        let history = &state.objects.history;
        let begin = history.partition_point(|change| change.version <= self.seen);
        for change in &history[begin..] {
            self.seen = change.version;
            if change.hidden || change.resource != self.resource {
                continue;
            }
            let bookmark = change.before.is_none() && change.after.is_none();
            let found = match bookmark && self.bookmarks {
                true => Some(json!({ "type": "BOOKMARK", "object": {
                    "kind": "PipelineRun", "apiVersion": "tekton.dev/v1",
                    "metadata": { "resourceVersion": change.version.to_string(), "creationTimestamp": null },
                } })),
                false => event(change, &self.selector),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

fn line(event: &Value) -> Bytes {
    Bytes::from(format!("{event}\n"))
}
