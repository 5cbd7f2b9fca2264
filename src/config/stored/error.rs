use crate::app::{AppName, ServiceName};
use crate::config::problem::Problems;
use crate::job::JobRef;
use crate::schedule::ScheduleKey;

/// Why what is stored is not as it was asked for. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such App.
    #[error("the App `{0}` does not exist")]
    NoApp(AppName),
    /// A file says what the App is.
    #[error(
        "the App `{app}` stands in a file, and is read-only here\nhint: edit `{file}`, then `tekcron reload`"
    )]
    AppInFile {
        /// The App.
        app: AppName,
        /// Its file.
        file: String,
    },
    /// The App is on its way out.
    #[error("the App `{0}` is being deleted\nhint: it is gone when `tekcron apps` no longer lists it")]
    Deleting(AppName),
    /// There is no such service.
    #[error("the service `{0}` does not exist\nhint: `tekcron services` lists them")]
    NoService(ServiceName),
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
