//! Jobs that were created by command, beside those of the files.
//!
//! Each is kept as the `[[jobs]]` table that it would be in its App's file, and read by the same walk: what a file
//! may not say, a command may not either. A file has the last word: where it names a job of the same name, the
//! stored one rests, and where its App is gone, or does not fit it any more, it waits, with its reason.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use toml::{Table as Toml, Value};

use super::problem::{Problem, Problems};
use super::source::Source;
use super::table::Table;
use super::validate::{Lints, ReceiverNames, Surroundings, jobs};
use super::{Config, fault::Fault};
use crate::app::{App, AppName, CredentialSource};
use crate::job::{Job, JobName, JobRef};
use crate::schedule::ScheduleKey;

/// The stored jobs by App and name.
pub type StoredJobs = BTreeMap<JobRef, StoredJob>;

/// A job as it was created, not yet checked against its App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    toml: String,
}

/// What is to become of the stored jobs.
#[derive(Debug, Clone)]
pub enum JobEdit {
    /// A new job on an App, in the keys of a `[[jobs]]` table.
    Create(AppName, Map<String, Json>),
    /// One schedule more, in the keys of an item of `schedules`.
    Schedule(JobRef, Map<String, Json>),
    /// One schedule less.
    Unschedule(JobRef, ScheduleKey),
    /// No such job any more.
    Delete(JobRef),
}

/// Why a stored job is not as it was asked for. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such App.
    #[error("the App `{0}` does not exist")]
    NoApp(AppName),
    /// There is no such job.
    #[error("the job `{0}` does not exist")]
    NoJob(JobRef),
    /// There is such a job.
    #[error(
        "the job `{0}` exists already\nhint: `tekcron delete-job {0}` makes room, `tekcron schedule-job {0}` gives it a schedule more"
    )]
    Exists(JobRef),
    /// A file says what the job is.
    #[error(
        "the job `{job}` stands in a file, and is read-only here\nhint: edit `{file}`, then `tekcron reload`"
    )]
    InFile {
        /// The job.
        job: JobRef,
        /// Its file.
        file: String,
    },
    /// There is no such schedule.
    #[error("the job `{job}` has no schedule `{key}`\nhint: {}", listed(known))]
    NoSchedule {
        /// The job.
        job: JobRef,
        /// The key that was named.
        key: ScheduleKey,
        /// The keys that there are.
        known: Vec<String>,
    },
    /// What it would be is wrong.
    #[error(transparent)]
    Wrong(#[from] Problems),
}

fn listed(keys: &[String]) -> String {
    match keys {
        [] => "it has none".to_owned(),
        keys => {
            format!("it has {}", keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

impl StoredJob {
    /// As the store keeps it: a text that holds one `[[jobs]]` table.
    pub fn from_toml(toml: String) -> Self {
        Self { toml }
    }

    /// The text.
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// The text of one table.
    fn of(table: Toml) -> Self {
        let jobs = Toml::from_iter([("jobs".to_owned(), Value::Array(vec![Value::Table(table)]))]);
        Self { toml: toml::to_string_pretty(&jobs).expect("a table of values is TOML") }
    }

    fn table(&self, job: &JobRef) -> Result<Toml, Problems> {
        let read: Result<Toml, _> = self.toml.parse();
        let jobs = read.ok().and_then(|mut root| match root.remove("jobs") {
            Some(Value::Array(jobs)) => jobs.into_iter().next(),
            _ => None,
        });
        match jobs {
            Some(Value::Table(table)) => Ok(table),
            _ => {
                Err(Problem::of_file(shown(job), "this is no job", "`tekcron delete-job` removes it").into())
            }
        }
    }

    /// The job that it is on `app`.
    fn read(&self, reference: &JobRef, app: &App, around: &Surroundings) -> Result<Job, Problems> {
        let source = Source::new(shown(reference), self.toml.as_str());
        let tree = source.parse();
        let mut root = Table::root(&source, tree.get_ref());
        let (read, _) = jobs(&mut root, app.name.as_str(), app.command.is_some(), around);
        root.finish();
        drop(tree);
        let sound = source.is_sound();
        match read.into_values().next() {
            Some(job) if sound && job.name == reference.job => Ok(Job { stored: true, ..job }),
            _ => Err(source.into_problems().into_iter().collect()),
        }
    }
}

/// What a stored job is called in reports.
fn shown(job: &JobRef) -> String {
    format!("stored job {job}")
}

impl JobEdit {
    /// The job that it is about, and what there is to be stored of it then; nothing where it is deleted.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn apply(self, config: &Config) -> Result<(JobRef, Option<StoredJob>), EditError> {
        match self {
            Self::Create(app, job) => create(config, app, job),
            Self::Schedule(job, schedule) => {
                let mut table = config.stored_table(&job)?;
                let schedule = toml_of(&job, schedule)?;
                schedules_of(&mut table).push(Value::Table(schedule));
                Ok((job, Some(StoredJob::of(table))))
            }
            Self::Unschedule(job, key) => {
                let mut table = config.stored_table(&job)?;
                // The schedules of one that rests are not those in effect.
                if config.job(&job).is_some_and(|(_, found)| !found.stored) {
                    return Err(config.not_stored(job));
                }
                let known = config.job(&job).map(|(_, job)| job.schedules.as_slice()).unwrap_or_default();
                let Some(place) = known.iter().position(|schedule| schedule.key == key) else {
                    let known = known.iter().map(|schedule| schedule.key.to_string()).collect();
                    return Err(EditError::NoSchedule { job, key, known });
                };
                // They are read in the order in which they stand.
                schedules_of(&mut table).remove(place);
                Ok((job, Some(StoredJob::of(table))))
            }
            Self::Delete(job) => match config.stored.contains_key(&job) {
                true => Ok((job, None)),
                false => Err(config.not_stored(job)),
            },
        }
    }
}

fn create(
    config: &Config,
    app: AppName,
    job: Map<String, Json>,
) -> Result<(JobRef, Option<StoredJob>), EditError> {
    if !config.apps.contains_key(&app) {
        return Err(EditError::NoApp(app));
    }
    let wrong = |message: &str| {
        EditError::from(Problems::from(Problem::of_file(format!("job on {app}"), message, "as in `nightly`")))
    };
    let name =
        job.get("name").and_then(Json::as_str).ok_or_else(|| wrong("expected a `name`, found none"))?;
    let name: JobName = name.parse().map_err(|error| {
        let fault: Fault = super::parse::bad_name(name, &error);
        EditError::from(Problems::from(Problem::of_file(format!("job on {app}"), fault.message, fault.hint)))
    })?;
    let reference = JobRef::new(app, name);
    if config.stored.contains_key(&reference) {
        return Err(EditError::Exists(reference));
    }
    if config.job(&reference).is_some() {
        return Err(config.not_stored(reference));
    }
    let table = toml_of(&reference, job)?;
    Ok((reference, Some(StoredJob::of(table))))
}

fn toml_of(job: &JobRef, object: Map<String, Json>) -> Result<Toml, Problems> {
    Toml::try_from(object).map_err(|_| {
        let message = "expected values that TOML has, found `null`";
        Problem::of_file(shown(job), message, "leave out what is not set").into()
    })
}

/// The array of a job's schedules; the short form becomes one of its items.
fn schedules_of(job: &mut Toml) -> &mut Vec<Value> {
    let short = job.remove("schedule");
    let entry = job.entry("schedules".to_owned()).or_insert_with(|| Value::Array(Vec::new()));
    if !entry.is_array() {
        *entry = Value::Array(Vec::new());
    }
    let schedules = entry.as_array_mut().expect("it has just been made one");
    if let Some(cron) = short {
        schedules.push(Value::Table(Toml::from_iter([("cron".to_owned(), cron)])));
    }
    schedules
}

impl Config {
    /// These files' Apps with these stored jobs, and for each that cannot be one the reason. A job of a file is never
    /// replaced.
    pub fn with_stored(&self, stored: StoredJobs) -> (Self, Vec<(JobRef, Problems)>) {
        let mut config = Self { generation: generation(&self.files, &stored), ..self.clone() };
        let mut refused = Vec::new();
        for app in config.apps.values_mut().filter(|app| app.jobs.values().any(|job| job.stored)) {
            Arc::make_mut(app).jobs.retain(|_, job| !job.stored);
        }
        let around = self.surroundings();
        for (reference, job) in &stored {
            let Some(app) = config.apps.get_mut(&reference.app) else {
                let message = format!("its App `{}` is not configured", reference.app);
                refused.push((reference.clone(), waits(reference, message).into()));
                continue;
            };
            if app.jobs.contains_key(&reference.job) {
                let message = format!("`{}` has a job of that name, which is the one that runs", app.file);
                refused.push((reference.clone(), waits(reference, message).into()));
                continue;
            }
            match job.read(reference, app, &around) {
                Ok(job) => {
                    Arc::make_mut(app).jobs.insert(job.name.clone(), job);
                }
                Err(problems) => refused.push((reference.clone(), problems)),
            }
        }
        config.stored = Arc::new(stored);
        (config, refused)
    }

    fn stored_table(&self, job: &JobRef) -> Result<Toml, EditError> {
        match self.stored.get(job) {
            Some(stored) => Ok(stored.table(job)?),
            None => Err(self.not_stored(job.clone())),
        }
    }

    /// Why a job cannot be edited by command.
    fn not_stored(&self, job: JobRef) -> EditError {
        match self.job(&job) {
            Some((app, _)) => EditError::InFile { file: app.file.clone(), job },
            None => EditError::NoJob(job),
        }
    }

    /// What a stored job is checked against: the same as a file's.
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
            lints: Lints::default(),
            recurrences: RefCell::default(),
        }
    }
}

fn waits(job: &JobRef, message: String) -> Problem {
    Problem::of_file(shown(job), message, format!("`tekcron delete-job {job}` removes the stored one"))
}

/// That of the files, unless there is more than files.
fn generation(files: &str, stored: &StoredJobs) -> String {
    if stored.is_empty() {
        return files.to_owned();
    }
    let mut hash = Sha256::new();
    hash.update(files.as_bytes());
    for (reference, job) in stored {
        for part in [reference.to_string().as_str(), job.toml()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let digest = HEXLOWER.encode(&hash.finalize());
    digest[..files.len().min(digest.len())].to_owned()
}
