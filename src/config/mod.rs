//! Configuration: TOML files in, checked values out.
//!
//! Three passes: TOML becomes a tree with places; `reader` walks it, refuses unknown keys, and notes
//! *all* problems with file, line, column and TOML path; what comes out is [`Config`], whose types
//! cannot hold a bad value. The rest of the program only sees [`Config`].

mod app_file;
mod job_file;
mod load;
mod problem;
mod reader;
mod settings;
mod settings_file;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::load::{fingerprint, load};
pub use self::problem::{Problem, Problems};
pub use self::settings::{LogFormat, Settings, TlsFiles};
pub use self::settings_file::SettingsOverrides;
use crate::app::{App, AppName, Service, ServiceName};
use crate::job::{Job, JobRef};

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
    /// Content hash of all files: changes exactly when they do.
    pub generation: String,
}

impl Config {
    /// The job at `reference` with its App.
    pub fn job(&self, reference: &JobRef) -> Option<(&Arc<App>, &Job)> {
        let app = self.apps.get(&reference.app)?;
        Some((app, app.jobs.get(&reference.job)?))
    }

    /// Every job, in order of App and name.
    pub fn jobs(&self) -> impl Iterator<Item = (&Arc<App>, &Job)> {
        self.apps.values().flat_map(|app| app.jobs.values().map(move |job| (app, job)))
    }
}
