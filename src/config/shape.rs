//! The shapes of the files as JSON Schema, for editors that complete and check TOML.
//!
//! [`AppFile`] is a file in `apps`, [`SettingsFile`] is `tekcron.toml`; a field's words are what an editor
//! shows. What the schema accepts, tekcron may still refuse: it cannot look at other files, at directories or
//! at the calendar. These types are never read from anything: the walk in `validate` is what counts.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The JSON Schema of an App file.
pub fn app_file() -> Schema {
    generated::<AppFile>("tekcron App file")
}

/// The JSON Schema of `tekcron.toml`.
pub fn settings_file() -> Schema {
    generated::<SettingsFile>("tekcron settings")
}

/// Draft 7, which is what TOML editors know.
fn generated<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}

/// TOML has no null: what is optional is left out.
fn without_null(schema: &mut Schema) {
    let null = |value: &Value| value == "null" || value == &json!({ "type": "null" });
    for key in ["type", "anyOf"] {
        let Some(choices) = schema.get_mut(key).and_then(Value::as_array_mut) else { continue };
        choices.retain(|choice| !null(choice));
        if choices.len() > 1 {
            continue;
        }
        match (key, choices.pop()) {
            ("type", Some(only)) => {
                schema.insert(key.to_owned(), only);
            }
            (_, Some(Value::Object(only))) => {
                schema.remove(key);
                // Draft 7 ignores what stands beside a `$ref`.
                schema.insert("allOf".to_owned(), json!([only]));
            }
            _ => {}
        }
    }
}

/// An App with its jobs.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AppFile {
    /// Named configuration for runs
    pub app: App,
    /// Named commands on the App, with zero or more schedules each
    pub jobs: Option<Vec<Job>>,
}

/// Named configuration for runs.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct App {
    /// The name, unlike that of any other App
    pub name: Name,
    /// Container image, used by the Tekton executor
    pub image: Option<String>,
    /// Directory that the embedded executor copies for each task; relative to the config directory's parent
    pub path: Option<String>,
    /// The command of a run that names none
    pub command: Option<Command>,
    /// Environment of every task
    pub env: Option<Env>,
    /// CPU of a task, as in `500m` or `2`
    pub cpu: Option<Cpu>,
    /// Memory of a task, as in `256Mi` or `1G`
    pub memory: Option<ByteSize>,
    /// Disk of a task, as in `1Gi`
    pub disk: Option<ByteSize>,
    /// How long a task may run; `0` for no limit
    #[schemars(extend("default" = "1h"))]
    pub timeout: Option<Duration>,
    /// The newest tasks kept
    #[schemars(extend("default" = 500), range(min = 1, max = 1_000_000))]
    pub keep: Option<u32>,
    /// Finished tasks older than this go as well, as in `30d`
    pub keep_for: Option<Duration>,
    /// Per job, the newest tasks that no other job's noise pushes out
    #[schemars(extend("default" = 1), range(min = 0, max = 1_000_000))]
    pub keep_per_job: Option<u32>,
    /// Names of bound services, declared in `tekcron.toml`
    pub services: Option<Vec<Name>>,
    /// Kubernetes service account
    pub service_account: Option<String>,
    /// Names of security groups
    pub security_groups: Option<Vec<String>>,
    /// What becomes of the log of a terminated task
    #[schemars(extend("default" = "keep"))]
    pub logs_on_terminate: Option<LogsOnTerminate>,
    /// Whether the App has one lasting directory, `$TEKCRON_STATE_DIR`
    #[schemars(extend("default" = false))]
    pub state: Option<bool>,
    /// Whether a task's working directory stays after the task
    #[schemars(extend("default" = false))]
    pub keep_workdir: Option<bool>,
}

/// A named command on an App.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Job {
    /// The name, unlike that of any other job of the App
    pub name: Name,
    /// When it runs: short for `schedules = [{ cron = "…" }]`
    pub schedule: Option<Cron>,
    /// When it runs; without any it is run by hand
    pub schedules: Option<Vec<Schedule>>,
    /// The time zone of schedules that name none
    #[schemars(extend("default" = "UTC"))]
    pub timezone: Option<String>,
    /// How schedules that do not say so meet daylight saving
    #[schemars(extend("default" = "vixie"))]
    pub dst: Option<Dst>,
    /// What is done about slots missed by schedules that do not say so
    #[schemars(extend("default" = "latest"))]
    pub catch_up: Option<CatchUp>,
    /// Older slots are not caught up; none for `latest`, `24h` for `all` unless set
    pub catch_up_window: Option<Duration>,
    /// The most slots caught up at once
    #[schemars(extend("default" = 100), range(min = 1, max = 1_000_000))]
    pub max_catch_up: Option<u32>,
    /// How late a slot may still start
    pub start_deadline: Option<Duration>,
    /// Starts are spread over this long after the slot, repeatably
    pub jitter: Option<Duration>,
    /// The command; the App's where unset
    pub command: Option<Command>,
    /// Environment beside, and over, the App's
    pub env: Option<Env>,
    /// CPU over the App's
    pub cpu: Option<Cpu>,
    /// Memory over the App's
    pub memory: Option<ByteSize>,
    /// Disk over the App's
    pub disk: Option<ByteSize>,
    /// Time-out over the App's
    pub timeout: Option<Duration>,
    /// What happens to a slot that is due while a run of this job is active
    #[schemars(extend("default" = "allow"))]
    pub overlap: Option<Overlap>,
    /// Whether and how a failed run is tried again
    pub retries: Option<Retries>,
}

/// One schedule of a job.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Schedule {
    /// When it is due
    pub cron: Cron,
    /// Its identity, where expression, time zone and dst mode are not to be it
    #[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"))]
    pub id: Option<String>,
    /// Its time zone
    pub timezone: Option<String>,
    /// How it meets daylight saving
    pub dst: Option<Dst>,
    /// What is done about missed slots
    pub catch_up: Option<CatchUp>,
    /// Older slots are not caught up
    pub catch_up_window: Option<Duration>,
    /// The most slots caught up at once
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_catch_up: Option<u32>,
    /// How late a slot may still start
    pub start_deadline: Option<Duration>,
    /// Starts are spread over this long after the slot, repeatably
    pub jitter: Option<Duration>,
}

/// Whether and how a failed run is tried again.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retries {
    /// How many more attempts follow the first
    #[schemars(range(min = 0, max = 1000))]
    pub attempts: u32,
    /// The wait before the first retry; doubled for each further one
    #[schemars(extend("default" = "10s"))]
    pub backoff: Option<Duration>,
    /// The longest wait
    #[schemars(extend("default" = "10m"))]
    pub max_backoff: Option<Duration>,
    /// Whether a lost run is retried too
    #[schemars(extend("default" = false))]
    pub on_lost: Option<bool>,
}

/// Settings of the service. Each is also an environment variable: `TEKCRON_` and its name in capitals.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SettingsFile {
    /// Names this tekcron among others on one cluster
    #[schemars(extend("default" = "tekcron"))]
    pub instance: Option<Name>,
    /// Kubernetes namespace of the PipelineRuns
    #[schemars(extend("default" = "default"))]
    pub namespace: Option<Name>,
    /// The data directory; `data` beside the config directory unless set
    pub data_dir: Option<String>,
    /// Where the API listens
    #[schemars(extend("default" = "127.0.0.1:7070"))]
    pub listen: Option<String>,
    /// Certificate and key, for HTTPS
    pub tls: Option<Tls>,
    /// Whether listening beyond loopback without TLS is accepted
    #[schemars(extend("default" = false))]
    pub insecure: Option<bool>,
    /// The most tasks that the embedded executor runs at once
    #[schemars(extend("default" = 64), range(min = 1, max = 10_000))]
    pub max_children: Option<u32>,
    /// Between SIGTERM and SIGKILL of a task
    #[schemars(extend("default" = "10s"))]
    pub grace: Option<Duration>,
    /// How long a stopping daemon waits for requests and writes in flight
    #[schemars(extend("default" = "10s"))]
    pub drain: Option<Duration>,
    /// How long claims are held while the executor is unreachable
    #[schemars(extend("default" = "5m"))]
    pub hold: Option<Duration>,
    /// The most bytes of log kept of one task
    #[schemars(extend("default" = "10Mi"))]
    pub max_log: Option<ByteSize>,
    /// The most bytes of log kept of all finished tasks
    #[schemars(extend("default" = "2Gi"))]
    pub log_budget: Option<ByteSize>,
    /// How tekcron's own log is written
    #[schemars(extend("default" = "text"))]
    pub log_format: Option<LogFormat>,
    /// What tekcron's own log holds, as in `info,tekcron::store=debug`
    #[schemars(extend("default" = "info"))]
    pub log: Option<String>,
    /// Environment of every task
    pub env: Option<Env>,
    /// Services that Apps bind to, by name
    pub services: Option<BTreeMap<String, Service>>,
}

/// Files of a TLS server, PEM.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain
    pub certificate: Option<String>,
    /// Private key
    pub key: Option<String>,
}

/// A service that Apps bind to.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Service {
    /// `label` in `VCAP_SERVICES`
    #[schemars(extend("default" = "user-provided"))]
    pub label: Option<String>,
    /// `tags` in `VCAP_SERVICES`
    pub tags: Option<Vec<String>>,
    /// Where the credentials come from; never the credentials themselves
    pub credentials: Credentials,
}

/// Where credentials come from.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Credentials {
    /// An environment variable of the daemon that holds a JSON object, or a URI
    Env(String),
    /// A file of mode 0600 that holds a JSON object, or a URI; relative to the config directory's parent
    File(String),
}

/// A name that Kubernetes takes as a label.
#[derive(Debug, JsonSchema)]
pub struct Name(#[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))] pub String);

/// A shell line, or a program with its arguments.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Command {
    /// A line for `/bin/sh -c`
    Shell(#[schemars(length(min = 1))] String),
    /// A program and its arguments, executed as they are
    Exec(#[schemars(length(min = 1))] Vec<String>),
}

/// Variables by name.
#[derive(Debug, JsonSchema)]
pub struct Env(
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_.-][A-Za-z0-9_.-]*$" }))]
    pub  BTreeMap<String, String>,
);

/// Cores, as in `500m`, `0.5` or `2`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Cpu {
    /// As in `500m`
    Text(#[schemars(regex(pattern = "^ *[0-9.]+m? *$"))] String),
    /// As in `0.5`
    Number(#[schemars(range(min = 0.001, max = 1024))] f64),
}

/// An amount with its unit, as in `256Mi` or `1G`.
#[derive(Debug, JsonSchema)]
pub struct ByteSize(#[schemars(regex(pattern = "^ *[0-9.]+([KkMmGgTt][Ii]?[Bb]?|[Bb]) *$"))] pub String);

/// A duration with its units, as in `90s`, `1h 30m` or `7d`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Duration {
    /// As in `1h 30m`
    Text(#[schemars(regex(pattern = "[A-Za-z]|^ *0 *$"))] String),
    /// None at all
    Zero(#[schemars(range(min = 0, max = 0))] u8),
}

/// A cron expression of five fields, of six with the seconds first, or a shorthand as `@daily`.
#[derive(Debug, JsonSchema)]
pub struct Cron(#[schemars(length(min = 1))] pub String);

/// How a schedule meets daylight saving.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Dst {
    /// A skipped fixed time runs right after the jump, a repeated one once
    Vixie,
    /// A skipped time is not run, a repeated one once
    Skip,
    /// A skipped time is not run, a repeated one twice
    Literal,
}

/// What is done about slots that were due while nobody watched.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum CatchUp {
    /// The latest of them runs
    Latest,
    /// All of them run, within window and maximum
    All,
    /// None runs
    None,
}

/// What happens to a slot that is due while a run of the same job is active. Kf's and Kubernetes' words are
/// known too.
#[derive(Debug, JsonSchema)]
pub enum Overlap {
    /// It starts beside the other
    #[schemars(rename = "allow")]
    Allow,
    /// It is skipped for good
    #[schemars(rename = "skip")]
    Skip,
    /// The other is cancelled; when that has ended, it starts
    #[schemars(rename = "replace")]
    Replace,
    /// Kf's word for `allow`
    Always,
    /// Kubernetes' word for `allow`
    #[schemars(rename = "Allow")]
    AllowAsKubernetes,
    /// Kubernetes' word for `skip`
    Forbid,
    /// Kubernetes' word for `replace`
    #[schemars(rename = "Replace")]
    ReplaceAsKubernetes,
}

/// What becomes of the log of a terminated task.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum LogsOnTerminate {
    /// It is kept as long as the task
    Keep,
    /// It goes when the task has ended
    Delete,
}

/// How tekcron's own log is written.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}
