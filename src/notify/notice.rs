use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::job::JobRef;
use crate::task::TaskId;
use crate::watch::BreachKind;

/// Who is told, by its configured name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Receiver {
    /// A webhook.
    Webhook(String),
    /// A mail.
    Mail(String),
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A promise was broken.
    Broken,
    /// It is kept again.
    Recovered,
}

/// What one receiver is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Known by it when it comes twice. Sorts by time.
    pub id: String,
    /// Who is told.
    pub to: Receiver,
    /// What has happened.
    pub event: Event,
    /// The job.
    pub job: JobRef,
    /// What it breaks, or broke.
    pub kind: BreachKind,
    /// Since when.
    pub since: Timestamp,
    /// When that was found.
    pub at: Timestamp,
    /// The task that it is about, where there is one.
    pub task: Option<TaskId>,
    /// What is wrong, in a sentence; or that it is not any more.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Event {
    /// The word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Recovered => "recovered",
        }
    }
}

impl Notice {
    /// An id that no other notice has.
    pub fn new_id() -> String {
        format!("msg_{}", Uuid::now_v7().simple())
    }

    /// The body of a webhook, the same each time it is sent.
    pub(super) fn body(&self, instance: &str) -> String {
        let body: Value = json!({
            "type": format!("job.{}", self.event.as_str()),
            "timestamp": self.at,
            "data": {
                "instance": instance,
                "app": self.job.app.as_str(),
                "job": self.job.to_string(),
                "kind": self.kind.as_str(),
                "since": self.since,
                "task": self.task,
                "what": self.what,
                "hint": self.hint,
            },
        });
        body.to_string()
    }

    /// The subject of a mail.
    pub(super) fn subject(&self, instance: &str) -> String {
        match self.event {
            Event::Broken => format!("[{instance}] {}: {}", self.job, self.kind),
            Event::Recovered => format!("[{instance}] {}: {} is over", self.job, self.kind),
        }
    }

    /// The text of a mail.
    pub(super) fn text(&self, instance: &str) -> String {
        let mut text = format!(
            "{}\n\nJob:      {}\nInstance: {instance}\nSince:    {}\nFound:    {}\n",
            self.what, self.job, self.since, self.at
        );
        if let Some(task) = self.task {
            text.push_str(&format!("Task:     {task}\n"));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n{hint}\n"));
        }
        text
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(name) => write!(f, "webhook `{name}`"),
            Self::Mail(name) => write!(f, "mail `{name}`"),
        }
    }
}
