use std::io;
use std::path::PathBuf;

use reqwest::StatusCode;

use super::connection::ConnectionError;
use super::exit_code;
use super::explain::ExplainError;
use super::import;
use super::next::NextError;
use super::plan::PlanError;
use super::push::PushError;
use super::render::RenderError;
use crate::api::ApiError;
use crate::api::client::ClientError;
use crate::causes::in_full;
use crate::config::Problems;
use crate::daemon::DaemonError;
use crate::executor::tekton::{ConnectError, ReleaseError};
use crate::hint::did_you_mean;
use crate::store::{ExportError, ImportError, StoreError};

/// Why a verb did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The service was not found.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The service did not answer, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A task was run, and its end not seen.
    #[error("lost sight of the task `{task}`: {source}\nhint: `tekcron task {task}` shows it")]
    LostSight {
        /// Its name.
        task: String,
        /// What went wrong.
        source: Box<CliError>,
    },
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The daemon did not start, or stopped.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The store was refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was not exported.
    #[error(transparent)]
    Export(ExportError),
    /// The file of an export could not be written.
    #[error("cannot write `{path}`: {source}")]
    ExportTo {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The store was not imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What another scheduler reads was not taken over.
    #[error(transparent)]
    TakeOver(#[from] import::ImportError),
    /// There is nothing to show of an expression.
    #[error(transparent)]
    Next(#[from] NextError),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is nothing to explain.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// There is nothing to render.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Nothing was pushed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// A revision was made, and its end not seen.
    #[error(
        "lost sight of revision {number} of the App `{app}`: {source}\nhint: `tekcron app {app}` shows it"
    )]
    LostRevision {
        /// The App.
        app: String,
        /// Its number.
        number: u32,
        /// What went wrong.
        source: Box<CliError>,
    },
    /// The configuration has no such App.
    #[error("the App `{app}` does not exist{}", did_you_mean(nearest.as_deref()))]
    NoApp {
        /// What was asked for.
        app: String,
        /// The App of the nearest name.
        nearest: Option<String>,
    },
    /// There is no way to a cluster.
    #[error("{}", in_full(.0))]
    Connect(#[from] ConnectError),
    /// Runs were not released.
    #[error("{}", in_full(.0))]
    Release(#[from] ReleaseError),
    /// The App has run nothing.
    #[error("the App `{app}` has no task yet\nhint: `tekcron run-task {app}` runs one")]
    NoTask {
        /// The App.
        app: String,
    },
    /// The task belongs to another App.
    #[error(
        "the task `{task}` is one of the App `{found}`, not of `{expected}`\nhint: `tekcron logs {found} --task {task}`"
    )]
    OtherApp {
        /// The task.
        task: String,
        /// The App that was named.
        expected: String,
        /// Its App.
        found: String,
    },
    /// Which schedule is meant is not clear.
    #[error("the job `{job}` has {} schedules\nhint: name one of them: {}", keys.len(), keys.join(", "))]
    WhichSchedule {
        /// The job.
        job: String,
        /// The keys of its schedules.
        keys: Vec<String>,
    },
    /// Nobody is there to agree.
    #[error("this deletes, and nobody is there to be asked\nhint: `--force` deletes without asking")]
    NotAsked,
    /// Somebody was asked, and did not agree.
    #[error("nothing was deleted")]
    NotAgreed,
    /// Credentials are no JSON object. Nothing of them is said.
    #[error(
        "credentials in `{place}`: expected a JSON object, found {found}\nhint: as in `-p '{{\"uri\": \"…\"}}'`, `-p FILE`, or `-p user,password` to be asked for them"
    )]
    Credentials {
        /// Where they stand.
        place: String,
        /// What is wrong.
        found: String,
    },
    /// Nobody is there to type credentials.
    #[error(
        "nobody is there to be asked for {names}, and there is no such file\nhint: `-p -` reads a JSON object from stdin"
    )]
    NobodyToAsk {
        /// What would be asked for.
        names: String,
    },
    /// Man pages could not be written.
    #[error("cannot write man pages to `{dir}`: {source}")]
    Man {
        /// Where to.
        dir: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The program cannot find itself, which it starts for each task.
    #[error("cannot find the tekcron program that runs: {0}")]
    Program(io::Error),
    /// Threads or signal handlers could not be had.
    #[error("cannot start: {0}")]
    Start(io::Error),
    /// Stdout failed.
    #[error("cannot write to stdout: {0}")]
    Output(io::Error),
}

impl CliError {
    /// Whether stdout was closed by its reader, who has seen enough.
    pub(super) fn is_closed_pipe(&self) -> bool {
        match self {
            Self::Output(error)
            | Self::Next(NextError::Write(error))
            | Self::Plan(PlanError::Write(error))
            | Self::Render(RenderError::Write(error)) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::LostSight { source, .. } | Self::LostRevision { source, .. } => source.is_closed_pipe(),
            _ => false,
        }
    }

    /// Whether it is a report that stands by itself.
    pub(super) fn is_report(&self) -> bool {
        match self {
            Self::Config(_) | Self::Daemon(DaemonError::Config(_)) | Self::Push(PushError::Manifest(_)) => {
                true
            }
            // One of the service's.
            Self::Client(ClientError::Refused { body, .. }) => {
                ["error: ", "warning: "].iter().any(|word| body.message.starts_with(word))
            }
            _ => false,
        }
    }

    /// How the program ends.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Connection(error) => error.exit_code(),
            Self::Client(error) => of_client(error),
            Self::LostSight { .. } | Self::LostRevision { .. } => exit_code::NO_EXIT_CODE,
            Self::Push(error) => error.exit_code(),
            Self::Daemon(error) => of_daemon(error),
            Self::Store(error)
            | Self::Export(ExportError::Store(error))
            | Self::Import(ImportError::Store(error)) => of_store(error),
            Self::Export(ExportError::Write(_)) | Self::Import(ImportError::Read { .. }) => exit_code::IO,
            Self::ExportTo { .. } => exit_code::CANNOT_CREATE,
            Self::TakeOver(error) => error.exit_code(),
            Self::Import(ImportError::Line { .. }) => exit_code::FAILURE,
            Self::Output(_)
            | Self::Program(_)
            | Self::Next(NextError::Write(_))
            | Self::Plan(PlanError::Write(_))
            | Self::Render(RenderError::Write(_)) => exit_code::IO,
            Self::Config(_)
            | Self::Next(_)
            | Self::Plan(_)
            | Self::Explain(ExplainError::Time(_))
            | Self::Connect(_)
            | Self::Release(ReleaseError::Connect(_)) => exit_code::USAGE,
            Self::Man { .. } => exit_code::CANNOT_CREATE,
            Self::Start(_) | Self::Release(ReleaseError::Cluster { .. }) => exit_code::UNAVAILABLE,
            Self::WhichSchedule { .. }
            | Self::NotAsked
            | Self::Credentials { .. }
            | Self::NobodyToAsk { .. } => exit_code::USAGE,
            Self::NotAgreed
            | Self::Release(_)
            | Self::Render(_)
            | Self::Explain(ExplainError::Unknown { .. } | ExplainError::Ambiguous { .. })
            | Self::NoApp { .. }
            | Self::NoTask { .. }
            | Self::OtherApp { .. } => exit_code::FAILURE,
        }
    }
}

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::Authority(_) => exit_code::USAGE,
        ClientError::Token => exit_code::NO_PERMISSION,
        ClientError::Unreachable { .. }
        | ClientError::Untrusted { .. }
        | ClientError::AuthorityServes { .. }
        | ClientError::Protocol { .. }
        | ClientError::Broken { .. }
        | ClientError::Answer { .. } => exit_code::UNAVAILABLE,
        ClientError::Refused { status, .. } => match *status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => exit_code::NO_PERMISSION,
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => exit_code::USAGE,
            StatusCode::SERVICE_UNAVAILABLE => exit_code::UNAVAILABLE,
            _ => exit_code::FAILURE,
        },
    }
}

fn of_daemon(error: &DaemonError) -> u8 {
    match error {
        DaemonError::Config(_) | DaemonError::Telemetry(_) | DaemonError::Cluster(_) => exit_code::USAGE,
        DaemonError::Store(error) => of_store(error),
        DaemonError::Bind { .. }
        | DaemonError::BindProbes { .. }
        | DaemonError::Local(_)
        | DaemonError::Look(_)
        | DaemonError::Wheel(_)
        | DaemonError::Timer(_) => exit_code::UNAVAILABLE,
        DaemonError::Api(error) => of_api(error),
        DaemonError::EndedEarly(_) | DaemonError::Panicked(_) => exit_code::FAILURE,
    }
}

fn of_store(error: &StoreError) -> u8 {
    match error {
        StoreError::Directory { .. } | StoreError::Beside { .. } => exit_code::CANNOT_CREATE,
        StoreError::InUse { .. } => exit_code::UNAVAILABLE,
        StoreError::Missing { .. } | StoreError::NotEmpty { .. } => exit_code::FAILURE,
        _ => exit_code::IO,
    }
}

fn of_api(error: &ApiError) -> u8 {
    match error {
        ApiError::Exposed { .. }
        | ApiError::TlsRead { .. }
        | ApiError::TlsFile { .. }
        | ApiError::TlsPair { .. }
        | ApiError::TokenGiven { .. } => exit_code::USAGE,
        ApiError::TokenMode { .. } | ApiError::TokenNotOurs => exit_code::NO_PERMISSION,
        ApiError::TokenWrite { .. } | ApiError::Address { .. } => exit_code::CANNOT_CREATE,
        ApiError::TokenRead { .. } | ApiError::TokenShape { .. } => exit_code::IO,
        ApiError::Random | ApiError::Serve(_) => exit_code::UNAVAILABLE,
    }
}
