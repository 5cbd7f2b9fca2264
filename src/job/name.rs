use std::fmt;
use std::str::FromStr;

use super::Job;
use crate::app::{App, AppName, NameError, label_name};

label_name! {
    /// The name of a job within its App: a DNS label, because it becomes a Kubernetes label value.
    JobName, 63
}

label_name! {
    /// The name of a group of runs that share a limit: a DNS label, like the others.
    GroupName, 63
}

/// A job wherever it is: `APP.JOB`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobRef {
    /// The App.
    pub app: AppName,
    /// The job on it.
    pub job: JobName,
}

/// Why a text is not `APP.JOB`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobRefError {
    /// There is no dot, or more than one.
    #[error("expected `APP.JOB`, found `{0}`")]
    Shape(String),
    /// One of the two is no name.
    #[error("`{part}` is not a name")]
    Name {
        /// The part that is wrong.
        part: String,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
}

impl JobRef {
    /// The job `job` of `app`.
    pub fn new(app: AppName, job: JobName) -> Self {
        Self { app, job }
    }

    /// How the job `job` of `app` is called.
    pub fn of(app: &App, job: &Job) -> Self {
        Self::new(app.name.clone(), job.name.clone())
    }
}

impl FromStr for JobRef {
    type Err = JobRefError;

    fn from_str(text: &str) -> Result<Self, JobRefError> {
        let shape = || JobRefError::Shape(text.to_owned());
        let (app, job) = text.split_once('.').ok_or_else(shape)?;
        let named = |part: &str, source| JobRefError::Name { part: part.to_owned(), source };
        Ok(Self {
            app: app.parse().map_err(|source| named(app, source))?,
            job: job.parse().map_err(|source| named(job, source))?,
        })
    }
}

impl fmt::Display for JobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.app, self.job))
    }
}
