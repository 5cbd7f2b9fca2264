use std::fmt;

use crate::app::{AppName, ServiceName};
use crate::config::problem::Problems;
use crate::job::JobRef;
use crate::push::RevisionNumber;
use crate::schedule::ScheduleKey;
use crate::task::TaskId;

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
    #[error("the App `{0}` is being deleted\nhint: `tekcron delete {0}` waits until it is gone")]
    Deleting(AppName),
    /// Tasks of the App have not ended.
    #[error(
        "{} of the App `{app}` {} not ended: {}\nhint: `tekcron delete {app} -f` terminates first what runs",
        tasks.len_in_words(), if tasks.0.len() == 1 { "has" } else { "have" }, tasks
    )]
    Running {
        /// The App.
        app: AppName,
        /// Its tasks.
        tasks: RunningTasks,
    },
    /// There is such a service.
    #[error("the service `{0}` exists already\nhint: `tekcron delete-service {0}` makes room")]
    ServiceExists(ServiceName),
    /// A file says what the service is.
    #[error(
        "the service `{service}` stands in a file, and is read-only here\nhint: edit `{file}`, then `tekcron reload`"
    )]
    ServiceInFile {
        /// The service.
        service: ServiceName,
        /// The file.
        file: String,
    },
    /// Apps bind the service.
    #[error(
        "the service `{service}` is bound by {}\nhint: `tekcron unbind-service APP {service}` first",
        quoted(apps)
    )]
    Bound {
        /// The service.
        service: ServiceName,
        /// The Apps.
        apps: Vec<AppName>,
    },
    /// One push of an App at a time.
    #[error(
        "revision {revision} of App `{app}` is being built\nhint: `tekcron app {app}` shows how far it is; ask again when that has ended"
    )]
    Building {
        /// The App.
        app: AppName,
        /// The revision.
        revision: RevisionNumber,
    },
    /// There is no such revision.
    #[error("App `{app}` has no revision {revision}\nhint: {}", numbered(known))]
    NoRevision {
        /// The App.
        app: AppName,
        /// The number that was named.
        revision: RevisionNumber,
        /// Those that tasks can run on.
        known: Vec<RevisionNumber>,
    },
    /// It was never ready.
    #[error(
        "revision {revision} of App `{app}` has failed: nothing can run on it\nhint: {}",
        numbered(known)
    )]
    NotReady {
        /// The App.
        app: AppName,
        /// The revision.
        revision: RevisionNumber,
        /// Those that tasks can run on.
        known: Vec<RevisionNumber>,
    },
    /// There is nothing to go back to.
    #[error("revision {revision} of App `{app}` is the one that its tasks run")]
    Current {
        /// The App.
        app: AppName,
        /// The revision.
        revision: RevisionNumber,
    },
    /// Nothing can be written beside what there is, or removed.
    #[error(
        "the files of the revision cannot be moved: {0}\nhint: the data directory needs room, and is to be written to"
    )]
    Files(std::io::Error),
    /// An image is what it is.
    #[error(
        "App `{0}` was not pushed as a source, so that there is nothing to build\nhint: `tekcron push {0} --task --path DIR` pushes one"
    )]
    NothingToBuild(AppName),
    /// An image is made by a builder, and there is none.
    #[error(
        "App `{0}` is a source, of which tasks on a cluster need an image, and the settings name no builder\nhint: a table `[build]` in `tekcron.toml`, then `tekcron reload`; or `tekcron push {0} --task --image IMAGE`"
    )]
    NoBuilder(AppName),
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

fn numbered(known: &[RevisionNumber]) -> String {
    match known {
        [] => "none is ready".to_owned(),
        known => {
            let known: Vec<_> = known.iter().map(ToString::to_string).collect();
            format!("those that are ready: {}", known.join(", "))
        }
    }
}

/// Tasks that have not ended.
#[derive(Debug)]
pub struct RunningTasks(pub Vec<TaskId>);

impl RunningTasks {
    fn len_in_words(&self) -> String {
        match self.0.len() {
            1 => "a task".to_owned(),
            several => format!("{several} tasks"),
        }
    }
}

/// The first of them, by their numbers.
impl fmt::Display for RunningTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let first: Vec<_> = self.0.iter().take(SHOWN).map(ToString::to_string).collect();
        f.write_str(&first.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

fn quoted(names: &[impl fmt::Display]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn listed(keys: &[String]) -> String {
    match keys {
        [] => "it has none".to_owned(),
        keys => format!("it has {}", quoted(keys)),
    }
}
