//! Jobs that were created by command. Each is kept as the `[[jobs]]` table that it would be in its App's file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use toml::{Table as Toml, Value};

use super::{EditError, Resting, Stored, StoredName};
use crate::app::{App, AppName};
use crate::config::Config;
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::problem::{Problem, Problems};
use crate::config::source::Source;
use crate::config::table::Table;
use crate::config::validate::{Surroundings, jobs};
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
    StoredName::Job(job.clone()).to_string()
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
            Self::Delete(job) => match config.stored.jobs.contains_key(&job) {
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
        let fault: Fault = parse::bad_name(name, &error);
        EditError::from(Problems::from(Problem::of_file(format!("job on {app}"), fault.message, fault.hint)))
    })?;
    let reference = JobRef::new(app, name);
    if config.stored.jobs.contains_key(&reference) {
        return Err(EditError::Exists(reference));
    }
    if config.job(&reference).is_some() {
        return Err(config.not_stored(reference));
    }
    let table = toml_of(&reference, job)?;
    Ok((reference, Some(StoredJob::of(table))))
}

fn toml_of(job: &JobRef, object: Map<String, Json>) -> Result<Toml, Problems> {
    StoredName::Job(job.clone()).toml_of(object)
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
    pub(super) fn add_jobs(&mut self, stored: &Stored, resting: &mut Vec<Resting>) {
        let around = self.surroundings();
        for (reference, job) in &stored.jobs {
            let called = || StoredName::Job(reference.clone());
            let Some(app) = self.apps.get_mut(&reference.app) else {
                if stored.apps.get(&reference.app).is_some_and(|app| app.deleting) {
                    continue;
                }
                resting.push(called().waits(format!("its App `{}` is not configured", reference.app)));
                continue;
            };
            if app.jobs.contains_key(&reference.job) {
                let message = format!("`{}` has a job of that name, which is the one that runs", app.file);
                resting.push(called().waits(message));
                continue;
            }
            match job.read(reference, app, &around) {
                Ok(job) => {
                    Arc::make_mut(app).jobs.insert(job.name.clone(), job);
                }
                Err(problems) => resting.push((called(), problems)),
            }
        }
    }

    fn stored_table(&self, job: &JobRef) -> Result<Toml, EditError> {
        match self.stored.jobs.get(job) {
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
}
