//! What a task sees: its environment variables, and where each one comes from.
//!
//! [`variables`] puts them together, later wins: service-wide, App, job, run, then the system's own,
//! which are those of a Cloud Foundry task and `TEKCRON_*`. Values are as the author wrote them; how an
//! object carries them is the builder's business. Credentials are never values here: they are named,
//! and looked up where the task runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use super::{App, Resources};
use crate::config::{Config, Settings};
use crate::job::Job;
use crate::task::Task;

/// The variable that holds the credentials of all bound services.
pub const VCAP_SERVICES: &str = "VCAP_SERVICES";
/// The variable that holds the first URI among them.
pub const DATABASE_URL: &str = "DATABASE_URL";
/// The variable that names the App's lasting directory.
pub const STATE_DIR: &str = "TEKCRON_STATE_DIR";

/// The port that a task would be found at, had it one.
const PORT: u16 = 8080;

/// The variables that [`variables`] adds for certain, each where there is something to say.
const SYSTEM: [&str; 22] = [
    "CF_INSTANCE_IP",
    "CF_INSTANCE_INTERNAL_IP",
    "VCAP_APP_HOST",
    "CF_INSTANCE_PORT",
    "CF_INSTANCE_ADDR",
    "CF_INSTANCE_GUID",
    "INSTANCE_GUID",
    "MEMORY_LIMIT",
    "MEMORY_LIMIT_IN_MB",
    "DISK_LIMIT",
    "LANG",
    "VCAP_APPLICATION",
    VCAP_SERVICES,
    "TEKCRON_TASK_ID",
    "TEKCRON_TASK_NAME",
    "TEKCRON_JOB",
    "TEKCRON_TRIGGER",
    "TEKCRON_ATTEMPT",
    "TEKCRON_REVISION",
    "TEKCRON_SCHEDULED_TIME",
    "TEKCRON_PREVIOUS_SUCCESS_TIME",
    STATE_DIR,
];

/// One environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub value: Value,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Here: exactly this text.
    Text(String),
    /// The address at which the task runs.
    Address,
    /// The same with a port.
    AddressAndPort(u16),
    /// The unique id of what runs the task.
    InstanceId,
    /// The App's credentials, under the variable's own name.
    Credential {
        /// Whether it may be absent; then so is the variable.
        optional: bool,
    },
    /// The path of the App's lasting directory.
    StateDirectory,
}

/// Every variable of `task`: the authors' by name, then the system's in a fixed order. Where a name
/// comes twice, the later one wins if it has a value.
pub fn variables(
    config: &Config,
    app: &App,
    job: Option<&Job>,
    task: &Task,
    resources: Resources,
    previous_success: Option<Timestamp>,
) -> Vec<Variable> {
    let mut authors: BTreeMap<&str, &str> = BTreeMap::new();
    let layers = [
        Some(&config.settings.env),
        Some(&app.env),
        job.map(|job| &job.terms.env),
        job.and_then(|job| job.parameters(task.schedule.as_ref())).map(|parameters| &parameters.env),
        Some(&task.overrides.env),
    ];
    for layer in layers.into_iter().flatten() {
        authors.extend(layer.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }
    let system = [
        instance(),
        limits(resources),
        vec![variable("LANG", Value::Text("en_US.UTF-8".to_owned()))],
        vec![text("VCAP_APPLICATION", vcap_application(&config.settings, app, resources))],
        credentials(config, app),
        ours(app, task, previous_success),
    ]
    .concat();
    // What may turn out to be absent must not take an author's value along.
    let certain = |variable: &&Variable| variable.value != Value::Credential { optional: true };
    for variable in system.iter().filter(certain) {
        authors.remove(variable.name.as_str());
    }
    authors.into_iter().map(|(name, value)| text(name, value)).chain(system).collect()
}

/// Whether `name` is one of the variables that tekcron sets itself, over whatever an author says. Not so
/// [`DATABASE_URL`], which a binding may leave alone.
pub fn is_system(name: &str) -> bool {
    SYSTEM.contains(&name)
}

/// Whether `name` may name an environment variable: letters, digits, `_`, `.` and `-`, not beginning
/// with a digit, as every Kubernetes release takes it.
pub fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(inner)
}

fn instance() -> Vec<Variable> {
    vec![
        variable("CF_INSTANCE_IP", Value::Address),
        variable("CF_INSTANCE_INTERNAL_IP", Value::Address),
        variable("VCAP_APP_HOST", Value::Address),
        text("CF_INSTANCE_PORT", PORT),
        variable("CF_INSTANCE_ADDR", Value::AddressAndPort(PORT)),
        variable("CF_INSTANCE_GUID", Value::InstanceId),
        variable("INSTANCE_GUID", Value::InstanceId),
    ]
}

fn limits(resources: Resources) -> Vec<Variable> {
    let memory = resources.memory.map(|memory| memory.mebibytes());
    let disk = resources.disk.map(|disk| disk.mebibytes());
    let all = [
        memory.map(|mebibytes| text("MEMORY_LIMIT", format!("{mebibytes}M"))),
        memory.map(|mebibytes| text("MEMORY_LIMIT_IN_MB", mebibytes)),
        disk.map(|mebibytes| text("DISK_LIMIT", mebibytes)),
    ];
    all.into_iter().flatten().collect()
}

fn vcap_application(settings: &Settings, app: &App, resources: Resources) -> String {
    let mut limits = serde_json::Map::new();
    for (key, amount) in [("mem", resources.memory), ("disk", resources.disk)] {
        if let Some(amount) = amount {
            limits.insert(key.to_owned(), amount.mebibytes().into());
        }
    }
    json!({
        "application_id": app.name.as_str(),
        "application_name": app.name.as_str(),
        "name": app.name.as_str(),
        "application_uris": [],
        "uris": [],
        "process_type": "task",
        "space_id": settings.namespace,
        "space_name": settings.namespace,
        "limits": limits,
    })
    .to_string()
}

/// Nothing where all services are Secrets of the cluster: what they say of these variables counts.
fn credentials(config: &Config, app: &App) -> Vec<Variable> {
    if app.services.is_empty() {
        return vec![text(VCAP_SERVICES, "{}")];
    }
    if !config.brings_credentials(app) {
        return vec![];
    }
    vec![
        variable(VCAP_SERVICES, Value::Credential { optional: false }),
        variable(DATABASE_URL, Value::Credential { optional: true }),
    ]
}

fn ours(app: &App, task: &Task, previous_success: Option<Timestamp>) -> Vec<Variable> {
    let all = [
        Some(text("TEKCRON_TASK_ID", task.id)),
        Some(text("TEKCRON_TASK_NAME", &task.name)),
        task.job.as_ref().map(|job| text("TEKCRON_JOB", job)),
        Some(text("TEKCRON_TRIGGER", task.trigger)),
        Some(text("TEKCRON_ATTEMPT", task.attempt)),
        task.revision.map(|revision| text("TEKCRON_REVISION", revision)),
        task.scheduled.map(|slot| text("TEKCRON_SCHEDULED_TIME", slot)),
        previous_success.map(|time| text("TEKCRON_PREVIOUS_SUCCESS_TIME", time)),
        app.state.then(|| variable(STATE_DIR, Value::StateDirectory)),
    ];
    all.into_iter().flatten().collect()
}

fn variable(name: &str, value: Value) -> Variable {
    Variable { name: name.to_owned(), value }
}

fn text(name: &str, value: impl ToString) -> Variable {
    variable(name, Value::Text(value.to_string()))
}
