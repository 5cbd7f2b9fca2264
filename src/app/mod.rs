//! Apps: named configuration that tasks inherit.
//!
//! An [`App`] has an image or a local directory, a command, env, service bindings and limits; it has
//! no routes and no long-running process. Everything here is checked already: an [`App`] cannot hold
//! a bad value. What a task finally sees of it is put together in [`mod@env`].

mod binding;
mod command;
mod credentials;
pub mod env;
mod image;
mod label;
mod name;
pub mod pod;
mod quantity;
pub mod security_group;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use self::binding::{CredentialSource, Secrets, Service};
pub use self::command::{Command, CommandError};
pub(crate) use self::credentials::open_file as open_credentials;
pub use self::credentials::{CredentialError, read_secrets, read_secrets_with};
pub use self::image::{ImageError, check_image};
pub(crate) use self::label::{is_label_key, is_label_value};
pub use self::name::{AppName, NameError, ServiceName, suggest_name};
pub(crate) use self::name::{dns_label, label_name};
pub use self::pod::PodTemplate;
pub use self::quantity::{ByteSize, Cpu, QuantityError};
pub use self::security_group::SecurityGroup;
use crate::job::{GroupName, Job, JobName};
use crate::push::RevisionNumber;

/// Named configuration for runs.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    /// The name.
    pub name: AppName,
    /// The file that it stands in, as its author would name it; for one that was pushed what reports call it.
    pub file: String,
    /// Container image, used by the Tekton executor.
    pub image: Option<String>,
    /// Absolute path of the directory that the embedded executor copies for each task.
    pub path: Option<PathBuf>,
    /// The command of a run that names none.
    pub command: Option<Command>,
    /// Environment of every task of this App.
    pub env: BTreeMap<String, String>,
    /// Limits (= requests) of every task of this App.
    pub resources: Resources,
    /// Names of the bound services, in the order they were written.
    pub services: Vec<ServiceName>,
    /// Kubernetes service account.
    pub service_account: Option<String>,
    /// Names of security groups.
    pub security_groups: Vec<String>,
    /// What only a cluster has.
    pub pod_template: PodTemplate,
    /// How long a task may run.
    pub timeout: Timeout,
    /// The most of its tasks that run at once; no bound where unset.
    pub max_running: Option<u32>,
    /// The group whose limit its tasks count against, where their job names none.
    pub group: Option<GroupName>,
    /// What is kept of finished tasks.
    pub retention: Retention,
    /// Whether our copy of a log survives a terminate.
    pub logs_on_terminate: LogsOnTerminate,
    /// Whether the App has one lasting directory, `$TEKCRON_STATE_DIR`.
    pub state: bool,
    /// Whether a task's working directory stays after the task.
    pub keep_workdir: bool,
    /// Whether it was pushed, and stands in no file.
    pub stored: bool,
    /// The revision that it runs, where it was pushed.
    pub revision: Option<RevisionNumber>,
    /// How what is pushed becomes what its tasks run on.
    pub build: Build,
    /// The jobs by name.
    pub jobs: BTreeMap<JobName, Job>,
}

/// How a source becomes what tasks run on, where it takes more than being unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    /// What is executed in the unpacked source; nothing where unset.
    pub command: Option<Command>,
    /// Environment beside, and over, the App's.
    pub env: BTreeMap<String, String>,
    /// Limits over the App's.
    pub resources: Resources,
    /// Time-out over the App's.
    pub timeout: Option<Timeout>,
}

/// CPU, memory and disk of a task: requests and limits alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// CPU share.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<ByteSize>,
    /// Ephemeral disk.
    pub disk: Option<ByteSize>,
}

impl Resources {
    /// These, and where one is unset the other's.
    pub fn or(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.or(other.cpu),
            memory: self.memory.or(other.memory),
            disk: self.disk.or(other.disk),
        }
    }
}

/// How long a task may run, counted by whoever executes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timeout {
    /// No limit (written `0`).
    None,
    /// This long.
    After(SignedDuration),
}

impl Default for Timeout {
    /// One hour, as in Tekton.
    fn default() -> Self {
        Self::After(SignedDuration::from_hours(1))
    }
}

/// What an App keeps of its finished tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest tasks kept.
    pub keep: u32,
    /// Finished tasks older than this go as well.
    pub keep_for: Option<SignedDuration>,
    /// Per job, the newest tasks that no other job's noise pushes out.
    pub keep_per_job: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: 500, keep_for: None, keep_per_job: 1 }
    }
}

/// What becomes of our copy of a terminated task's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogsOnTerminate {
    /// It is kept as long as the task.
    #[default]
    Keep,
    /// It goes when the task has ended.
    Delete,
}
