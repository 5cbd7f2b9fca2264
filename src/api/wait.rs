use std::time::Duration;

use serde::Deserialize;

use super::failure::Failure;
use super::service::Serving;
use crate::task::Task;

/// How long a request waits for a task's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Wait(pub(super) Duration);

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_suffix('s').unwrap_or(&text).parse() {
            Ok(seconds @ 0..=60) => Ok(Self(Duration::from_secs(seconds))),
            _ => Err(format!("expected seconds from 0 to 60, found `{text}`")),
        }
    }
}

/// The task when it has ended, or as it is when the time is up or the service stops.
pub(super) async fn until_ended(serving: &Serving, task: Task, wait: Wait) -> Result<Task, Failure> {
    let _place = serving.places.wait()?;
    let service = &serving.service;
    let mut ended = service.dispatch.ended();
    let mut timeout = std::pin::pin!(service.clock.sleep(wait.0));
    let mut task = task;
    loop {
        // Marked as seen before looking, so that no end falls between.
        ended.borrow_and_update();
        task = service.store.task(&task.app, task.id)?.unwrap_or(task);
        if task.phase.is_terminal() {
            return Ok(task);
        }
        tokio::select! {
            changed = ended.changed() => if changed.is_err() { return Ok(task) },
            () = &mut timeout => return Ok(task),
            () = serving.stop.cancelled() => return Ok(task),
        }
    }
}
