//! What was made by command, beside what the files say: Apps that were pushed, services and jobs.
//!
//! Each is kept as the TOML that it would be in a file, and read by the same walk: what a file may not say, a
//! command may not either. A file has the last word: where it names one of the same name, the stored one rests,
//! and where what it needs is gone it waits, with its reason.

mod app;
mod error;
mod job;
mod push;
mod service;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use toml::Table as Toml;

pub use self::app::{AppEdit, PushedApp, StoredApp};
pub use self::error::{EditError, RunningTasks};
pub use self::job::{JobEdit, StoredJob, StoredJobs};
pub use self::push::{AppPush, Code, NewRevision, RevisionEdit};
pub use self::service::{NewService, ServiceEdit, StoredService, service_name};
use super::Config;
use super::problem::{Problem, Problems};
use super::validate::{Lints, ReceiverNames, Surroundings};
use crate::app::{AppName, CredentialSource, ServiceName};
use crate::job::JobRef;
use crate::push::Revisions;

/// All that was made by command, also what rests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// The Apps that were pushed.
    pub apps: BTreeMap<AppName, StoredApp>,
    /// The services.
    pub services: BTreeMap<ServiceName, StoredService>,
    /// The jobs.
    pub jobs: StoredJobs,
    /// What the Apps run.
    pub revisions: BTreeMap<AppName, Revisions>,
}

/// One of them, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredName {
    /// An App.
    App(AppName),
    /// A service.
    Service(ServiceName),
    /// A job.
    Job(JobRef),
}

/// One that has no effect, and why.
pub type Resting = (StoredName, Problems);

/// As reports call it.
impl fmt::Display for StoredName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(app) => write!(f, "stored App {app}"),
            Self::Service(service) => write!(f, "stored service {service}"),
            Self::Job(job) => write!(f, "stored job {job}"),
        }
    }
}

impl StoredName {
    /// What removes it.
    fn removal(&self) -> String {
        match self {
            Self::App(app) => format!("`tekcron delete {app}`"),
            Self::Service(service) => format!("`tekcron delete-service {service}`"),
            Self::Job(job) => format!("`tekcron delete-job {job}`"),
        }
    }

    fn waits(self, message: impl Into<String>) -> Resting {
        let hint = format!("{} removes the stored one", self.removal());
        let problem = Problem::of_file(self.to_string(), message, hint);
        (self, problem.into())
    }

    fn toml_of(&self, object: Map<String, Json>) -> Result<Toml, Problems> {
        Toml::try_from(object).map_err(|_| {
            let message = "expected values that TOML has, found `null`";
            Problem::of_file(self.to_string(), message, "leave out what is not set").into()
        })
    }
}

impl Config {
    /// What these files say with what is stored, and for each that has no effect the reason. Nothing that a file
    /// says is ever replaced.
    pub fn with_stored(&self, stored: impl Into<Arc<Stored>>) -> (Self, Vec<Resting>) {
        let stored = stored.into();
        let mut config = Self { generation: generation(&self.files, &stored), ..self.clone() };
        config.apps.retain(|_, app| !app.stored);
        config.services.retain(|_, service| !service.stored);
        for app in config.apps.values_mut().filter(|app| app.jobs.values().any(|job| job.stored)) {
            Arc::make_mut(app).jobs.retain(|_, job| !job.stored);
        }
        let mut resting = Vec::new();
        config.add_services(&stored, &mut resting);
        config.add_apps(&stored, &mut resting);
        config.add_jobs(&stored, &mut resting);
        config.stored = stored;
        (config, resting)
    }

    /// What is stored is checked against the same as what a file says.
    fn surroundings(&self) -> Surroundings {
        let from_cluster =
            |service: &&crate::app::Service| matches!(service.credentials, CredentialSource::Secret(_));
        Surroundings {
            base: self.dir.parent().unwrap_or(&self.dir).to_owned(),
            data_dir: self.settings.data_dir.clone(),
            executor: self.settings.executor,
            services: Some(self.services.keys().map(ToString::to_string).collect()),
            secret_services: self
                .services
                .values()
                .filter(from_cluster)
                .map(|service| service.name.to_string())
                .collect(),
            security_groups: Some(self.security_groups.keys().cloned().collect()),
            calendars: self.calendars.clone(),
            calendar_names: Some(self.calendars.keys().cloned().collect()),
            receivers: Some(ReceiverNames::of(&self.receivers)),
            groups: Some(self.groups.keys().map(ToString::to_string).collect()),
            now: None,
            pushed: false,
            lints: Lints::default(),
            recurrences: RefCell::default(),
            rules: RefCell::default(),
        }
    }
}

/// That of the files, unless there is more than files.
fn generation(files: &str, stored: &Stored) -> String {
    if *stored == Stored::default() {
        return files.to_owned();
    }
    let mut hash = Sha256::new();
    hash.update(files.as_bytes());
    let mut add = |parts: &[&str]| {
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    };
    for (reference, job) in &stored.jobs {
        add(&[&reference.to_string(), job.toml()]);
    }
    for (name, service) in &stored.services {
        add(&["service", name.as_str(), &service.toml]);
    }
    for (name, app) in stored.apps.iter().filter(|(_, app)| !app.deleting) {
        let current = app.current.map(|current| current.to_string()).unwrap_or_default();
        add(&["app", name.as_str(), &app.toml, &current]);
    }
    let digest = HEXLOWER.encode(&hash.finalize());
    digest[..files.len().min(digest.len())].to_owned()
}
