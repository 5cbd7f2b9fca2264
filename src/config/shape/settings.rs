use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::pod::ObjectName;
use super::value::{ByteSize, Cron, Duration, Env, Executor, LogFormat, LogStream, Name};

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
    /// The most slots of one backfill
    #[schemars(extend("default" = 1000), range(min = 1, max = 10_000))]
    pub max_backfill: Option<u32>,
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
    /// The most bytes of a source that is pushed
    #[schemars(extend("default" = "1Gi"))]
    pub max_source: Option<ByteSize>,
    /// How long rows of the slot ledger are kept
    #[schemars(extend("default" = "90d"))]
    pub keep_slots: Option<Duration>,
    /// How tekcron's own log is written
    #[schemars(extend("default" = "text"))]
    pub log_format: Option<LogFormat>,
    /// What tekcron's own log holds, as in `info,tekcron::store=debug`
    #[schemars(extend("default" = "info"))]
    pub log: Option<String>,
    /// Where probes are answered without a token; nowhere unless set
    pub health_listen: Option<String>,
    /// Who runs the tasks
    #[schemars(extend("default" = "local"))]
    pub executor: Option<Executor>,
    /// The kubeconfig; `KUBECONFIG`, `~/.kube/config`, then the pod's service account unless set
    pub kubeconfig: Option<String>,
    /// The context in it; its current one unless set
    #[schemars(length(min = 1))]
    pub kube_context: Option<String>,
    /// The most creates in flight
    #[schemars(extend("default" = 16), range(min = 1, max = 256))]
    pub max_creates: Option<u32>,
    /// The most unfinished tasks that the cluster is given at once
    #[schemars(extend("default" = 10_000), range(min = 1, max = 1_000_000))]
    pub max_submitted: Option<u32>,
    /// Whether a PipelineRun stays, whoever deletes it, until outcome and log are recorded
    #[schemars(extend("default" = true))]
    pub finalizer: Option<bool>,
    /// How long a task may wait for a node, its image or quota before it fails; for ever unless set
    pub unschedulable_after: Option<Duration>,
    /// Where captured lines of tasks go beside the log store
    #[schemars(extend("default" = "none"))]
    pub log_stream: Option<LogStream>,
    /// Where pods of the cluster reach the API, for builds
    #[schemars(regex(pattern = "^ *https?://"))]
    pub public_url: Option<String>,
    /// How sources that are pushed become images on a cluster
    pub build: Option<Build>,
    /// Environment of every task
    pub env: Option<Env>,
    /// Who is told when a job breaks what it promises
    pub notify: Option<Notify>,
    /// Services that Apps bind to, by name
    pub services: Option<BTreeMap<String, Service>>,
    /// What the tasks of Apps may reach on a cluster, by name
    pub security_groups: Option<BTreeMap<String, SecurityGroup>>,
    /// Times at which schedules that name the calendar do not run, by name
    pub calendars: Option<BTreeMap<String, Calendar>>,
    /// What bounds the tasks of all that name it together, by name
    pub groups: Option<BTreeMap<String, Group>>,
}

/// How sources that are pushed become images on a cluster.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Build {
    /// Who builds
    pub builder: Builder,
    /// Its image
    #[schemars(length(min = 1))]
    pub image: String,
    /// What it is called with beside what it needs; of `custom`, all that it is called with
    pub args: Option<Vec<String>>,
    /// Where images are pushed to, as in `registry.example/team`; each App is a repository in it
    #[schemars(length(min = 1))]
    pub registry: String,
    /// The Secret with the registry's credentials, of type `kubernetes.io/dockerconfigjson`
    pub registry_secret: Option<ObjectName>,
    /// The image that fetches and unpacks the source: a shell, `tar`, `sha256sum`, and `curl` or `wget`
    #[schemars(length(min = 1), extend("default" = "docker.io/library/alpine:3.22"))]
    pub fetch_image: Option<String>,
    /// The service account of builds; the namespace's own unless set
    pub service_account: Option<ObjectName>,
    /// How long a build may take whose App does not say so; `0` for no limit
    #[schemars(extend("default" = "1h"))]
    pub timeout: Option<Duration>,
}

/// Who makes an image of a source.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Builder {
    /// `creator` of Cloud Native Buildpacks
    Buildpacks,
    /// Buildah, by the source's Dockerfile
    Buildah,
    /// Kaniko, by the source's Dockerfile
    Kaniko,
    /// Any other program: `args` is all that it is called with
    Custom,
}

/// Times at which schedules do not run.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Calendar {
    /// Days as in `2026-12-25`, or from one to another as in `2026-12-24..2027-01-01`
    pub dates: Option<Vec<String>>,
    /// Expressions of five fields; each minute that one matches is excluded
    pub cron: Option<Vec<Cron>>,
    /// An iCalendar file in the config directory, as in `holidays.ics`
    pub ics: Option<String>,
}

/// Who is told when a job breaks what it promises.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Notify {
    /// The webhook that is told of jobs that name nobody
    pub webhook: Option<Name>,
    /// The mail that is told of jobs that name nobody
    pub mail: Option<Name>,
    /// Webhooks by name
    pub webhooks: Option<BTreeMap<String, Webhook>>,
    /// Mails by name
    pub mails: Option<BTreeMap<String, Mail>>,
}

/// Where notices are posted to, signed by Standard Webhooks.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Webhook {
    /// `https://…`
    #[schemars(regex(pattern = "^https?://"))]
    pub url: String,
    /// Where the key comes from, `whsec_…`; never the key itself
    pub secret: Secret,
}

/// Whom notices are mailed to.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Mail {
    /// The SMTP server, as in `smtp.example.org:587`
    #[schemars(length(min = 1))]
    pub server: String,
    /// How the connection is kept private
    #[schemars(extend("default" = "starttls"))]
    pub tls: Option<MailTls>,
    /// The sender
    pub from: String,
    /// Everybody who gets it
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
    /// Who logs in
    pub username: Option<String>,
    /// Where the password comes from; never the password itself
    pub password: Option<Secret>,
}

/// How the connection to an SMTP server is kept private.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum MailTls {
    /// Turned into TLS before anything is said
    StartTls,
    /// TLS from the beginning
    Implicit,
    /// Not at all
    None,
}

/// Where a secret comes from.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Secret {
    /// A variable of the daemon
    Env(String),
    /// A file of mode 0600; relative to the config directory's parent
    File(String),
}

/// What bounds the tasks of all that name it together.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Group {
    /// The most that run at once
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_running: u32,
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
    /// An existing Secret of the cluster, whose keys become variables
    Secret(ObjectName),
}

/// What the tasks of an App that names the group may reach.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecurityGroup {
    /// Each allows something; nothing else is
    pub rules: Vec<Rule>,
}

/// A rule in Cloud Foundry's form.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rule {
    /// `tcp`, `udp` or `all`
    pub protocol: Protocol,
    /// An address, a block as in `10.0.0.0/8`, a range as in `10.0.0.1-10.0.0.9`, or several with commas between
    #[schemars(length(min = 1))]
    pub destination: String,
    /// Of `tcp` and `udp`: as in `443` or `53,8000-8080`
    #[schemars(regex(pattern = "^ *[0-9][0-9, -]*$"))]
    pub ports: Option<String>,
    /// What it is for
    pub description: Option<String>,
    /// Only `false`: a NetworkPolicy does not log
    #[schemars(extend("default" = false))]
    pub log: Option<bool>,
}

/// What is spoken.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP
    Tcp,
    /// UDP
    Udp,
    /// Everything
    All,
}
