//! Configuration: TOML files in, checked values out.
//!
//! `tekcron.toml` holds the settings of the service, each `apps/*.toml` one App with its jobs. Three
//! passes: the files are parsed into trees that know where everything stands; `validate` walks the trees
//! and turns them into [`Config`], whose types cannot hold a bad value; the rest of the program only sees
//! [`Config`]. The walk never stops at the first mistake: [`Problems`] are *all* that is wrong, each with
//! file, line, column and TOML path. A key that nobody asked for is unknown, and refused.
//!
//! [`shape`] says the same once more as JSON Schema, for editors; a test holds the two together.
//! Credentials are never part of a configuration, nor of a report about it.

mod fault;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod ics;
pub mod import;
mod load;
mod overrides;
mod parse;
mod problem;
pub(crate) mod regular;
mod rescan;
mod settings;
pub mod shape;
mod source;
mod stored;
mod table;
mod validate;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::load::{Checked, check, check_app, fingerprint, load};
pub use self::overrides::SettingsOverrides;
pub use self::problem::{Excerpt, Place, Problem, Problems, Severity};
pub use self::rescan::Rescans;
pub use self::settings::{
    BuildSettings, Builder, ExecutorKind, LogFormat, LogStreamTarget, Settings, TektonSettings, TlsFiles,
};
pub(crate) use self::source::{Found, Source};
pub use self::stored::{
    AppEdit, AppPush, Code, EditError, JobEdit, NewRevision, NewService, PushedApp, Resting, RevisionEdit,
    RunningTasks, ServiceEdit, Stored, StoredApp, StoredJob, StoredJobs, StoredName, StoredService,
    service_name,
};
use crate::app::{App, AppName, CredentialSource, SecurityGroup, Service, ServiceName};
use crate::job::{GroupName, Job, JobRef};
use crate::notify::Receivers;
use crate::schedule::ExclusionCalendar;

/// All that was configured, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The directory it was read from.
    pub dir: PathBuf,
    /// Settings of the service.
    pub settings: Settings,
    /// Apps by name.
    pub apps: BTreeMap<AppName, Arc<App>>,
    /// Services that Apps bind to.
    pub services: BTreeMap<ServiceName, Service>,
    /// Security groups that Apps name.
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// Calendars that schedules may name.
    pub calendars: BTreeMap<String, Arc<ExclusionCalendar>>,
    /// Who is told when a job breaks what it promises.
    pub receivers: Receivers,
    /// Groups that Apps and jobs name, with the most tasks of each that run at once.
    pub groups: BTreeMap<GroupName, u32>,
    /// Content hash of all files: changes exactly when they do.
    pub files: String,
    /// What was made by command, also what rests.
    pub stored: Arc<Stored>,
    /// Content hash of files, and of what is stored.
    pub generation: String,
}

impl Config {
    /// The job at `reference` with its App.
    pub fn job(&self, reference: &JobRef) -> Option<(&Arc<App>, &Job)> {
        let app = self.apps.get(&reference.app)?;
        Some((app, app.jobs.get(&reference.job)?))
    }

    /// Whether the job promises anything beyond its schedules.
    pub fn is_watched(&self, reference: &JobRef) -> bool {
        self.job(reference).is_some_and(|(_, job)| job.terms.watch.is_some())
    }

    /// The services that `app` binds to, in its order.
    pub fn services_of<'a>(&'a self, app: &'a App) -> impl Iterator<Item = &'a Service> {
        app.services.iter().filter_map(|name| self.services.get(name))
    }

    /// Whether `app` binds to a service whose credentials come from this side, and not from the cluster.
    pub fn brings_credentials(&self, app: &App) -> bool {
        // A service that is gone counts: asking for its credentials says so.
        let from_cluster = self
            .services_of(app)
            .filter(|service| matches!(service.credentials, CredentialSource::Secret(_)));
        from_cluster.count() < app.services.len()
    }

    /// Every job, in order of App and name.
    pub fn jobs(&self) -> impl Iterator<Item = (&Arc<App>, &Job)> {
        self.apps.values().flat_map(|app| app.jobs.values().map(move |job| (app, job)))
    }
}
