use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::check::CheckArgs;
use super::cluster;
use super::error::CliError;
use super::next::NextArgs;
use super::plan::PlanArgs;
use super::render::RenderArgs;
use super::schema::SchemaArgs;
use super::{
    app, apps, backfill, bind_service, completions, create_job, create_service, delete, delete_job,
    delete_service, env, explain, export, import, job, job_history, job_schedules, jobs, logs, man, openapi,
    push, queue, reload, rerun, revision, run_job, run_task, schedule_job, serve, services, slots, status,
    steer, store, task, tasks, terminate_task, token, update_service,
};
use crate::config::SettingsOverrides;

/// A cron-style batch scheduler that accounts for every slot.
#[derive(Debug, Parser)]
#[command(name = "tekcron", version, about, arg_required_else_help = true)]
#[command(after_help = AFTER)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

const AFTER: &str = "\
Environment:
  TEKCRON_TOKEN  The token of the service; without it the file `token` in the data directory is read
  Options above that name a variable are set by it too; what is typed wins.";

/// What holds for every verb. A variable that is set to nothing is as good as unset.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// Directory of the configuration
    #[arg(long, global = true, value_name = "DIR", env = "TEKCRON_CONFIG", hide_env_values = true)]
    #[arg(default_value = DEFAULT_CONFIG, value_parser = path())]
    config: PathBuf,
    /// Data directory of the service; without it that of the configuration, or `data` beside that
    #[arg(long, global = true, value_name = "DIR", env = "TEKCRON_DATA_DIR", hide_env_values = true)]
    #[arg(value_parser = path())]
    data_dir: Option<PathBuf>,
    /// Where the service is; without it the data directory is asked
    #[arg(long, global = true, value_name = "URL", env = "TEKCRON_URL", hide_env_values = true)]
    url: Option<String>,
    /// File that holds the service's token
    #[arg(long, global = true, value_name = "FILE", env = "TEKCRON_TOKEN_FILE", hide_env_values = true)]
    #[arg(value_parser = path())]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that the service's must be signed by, in place of the system's
    #[arg(long, global = true, value_name = "FILE", env = "TEKCRON_CA", hide_env_values = true)]
    #[arg(value_parser = path())]
    ca: Option<PathBuf>,
}

const DEFAULT_CONFIG: &str = "config";

/// Takes an empty path, where clap's own parser refuses it.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

impl Globals {
    /// The directory of the configuration.
    pub(super) fn config(&self) -> &Path {
        given(Some(&self.config)).unwrap_or(Path::new(DEFAULT_CONFIG))
    }

    /// The data directory, where one was named.
    pub(super) fn data_dir(&self) -> Option<&Path> {
        given(self.data_dir.as_ref())
    }

    /// The URL of the service, where one was named.
    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| !url.is_empty())
    }

    /// The file of the token, where one was named.
    pub(super) fn token_file(&self) -> Option<&Path> {
        given(self.token_file.as_ref())
    }

    /// The file of the certificates to trust, where one was named.
    pub(super) fn ca(&self) -> Option<&Path> {
        given(self.ca.as_ref())
    }
}

fn given(path: Option<&PathBuf>) -> Option<&Path> {
    path.map(PathBuf::as_path).filter(|path| !path.as_os_str().is_empty())
}

impl Globals {
    /// What environment and flags say over the settings file. Paths of both are relative to where they
    /// are typed, not to the configuration.
    pub(super) fn overrides(&self) -> Result<SettingsOverrides, CliError> {
        self.overrides_and(None)
    }

    /// The same, with what `--listen` says.
    pub(super) fn overrides_and(&self, listen: Option<SocketAddr>) -> Result<SettingsOverrides, CliError> {
        let data_dir = self.data_dir().map(absolute).transpose().map_err(CliError::Start)?;
        let flags = SettingsOverrides { data_dir, listen, ..SettingsOverrides::default() };
        Ok(flags.over_env(|name| std::env::var_os(name))?)
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the service: fire schedules, run tasks, answer requests
    Serve(serve::ServeArgs),
    /// Say all that is wrong with the configuration
    Check(CheckArgs),
    /// Print the JSON Schema of a config file, for editors
    Schema(SchemaArgs),
    /// Print the OpenAPI document of the HTTP API
    Openapi(openapi::OpenapiArgs),
    /// Show when an expression fires next
    Next(NextArgs),
    /// Say why a job is due at a time, or is not, and what became of it
    Explain(explain::ExplainArgs),
    /// Show all that the configuration will start, and what starts together
    Plan(PlanArgs),
    /// Take the finalizer off PipelineRuns that nobody will record any more
    Release(cluster::ReleaseArgs),
    /// Print the PipelineRun of an App or job, as it would be submitted
    Render(RenderArgs),
    /// Make App files of a crontab, of Kubernetes' CronJobs, of Kf's TaskSchedules
    Import(import::ImportArgs),
    /// Run a task on an App
    RunTask(run_task::RunTaskArgs),
    /// Run a job now
    RunJob(run_job::RunJobArgs),
    /// List tasks, newest first
    Tasks(tasks::TasksArgs),
    /// Show a task
    Task(task::TaskArgs),
    /// Terminate a task
    TerminateTask(terminate_task::TerminateTaskArgs),
    /// Print the log of a task
    Logs(logs::LogsArgs),
    /// Make an App of a directory of source, or of an image, for tasks to run on
    Push(push::PushArgs),
    /// Go back to the code of an earlier revision of an App that was pushed
    Rollback(revision::RollbackArgs),
    /// Build the source of an App once more
    Restage(revision::RestageArgs),
    /// List Apps
    Apps(apps::AppsArgs),
    /// Show an App and its jobs
    App(app::AppArgs),
    /// Delete an App that was pushed, with all that is kept of it
    Delete(delete::DeleteArgs),
    /// Show the variables of an App's tasks
    Env(env::EnvArgs),
    /// Set a variable of an App that was pushed
    SetEnv(env::SetEnvArgs),
    /// Remove a variable from an App that was pushed
    UnsetEnv(env::UnsetEnvArgs),
    /// List the services that Apps bind
    Services(services::ServicesArgs),
    /// Keep credentials under a name for Apps
    #[command(visible_alias = "cups")]
    CreateUserProvidedService(create_service::CreateServiceArgs),
    /// Change the credentials or tags of a service
    #[command(visible_alias = "uups")]
    UpdateUserProvidedService(update_service::UpdateServiceArgs),
    /// Give the credentials of a service to an App that was pushed
    BindService(bind_service::BindServiceArgs),
    /// Take them away again
    UnbindService(bind_service::BindServiceArgs),
    /// Delete a service with its credentials
    DeleteService(delete_service::DeleteServiceArgs),
    /// List jobs
    Jobs(jobs::JobsArgs),
    /// Show a job and its schedules
    Job(job::JobArgs),
    /// List the tasks of a job, newest first
    JobHistory(job_history::JobHistoryArgs),
    /// Make a job on an App, beside those of the files
    CreateJob(create_job::CreateJobArgs),
    /// Give a job that was created by command a schedule more
    ScheduleJob(schedule_job::ScheduleJobArgs),
    /// List the schedules of all jobs, or of one
    JobSchedules(job_schedules::JobSchedulesArgs),
    /// Take a schedule from a job that was created by command
    DeleteJobSchedule(delete_job::DeleteJobScheduleArgs),
    /// Delete a job that was created by command
    DeleteJob(delete_job::DeleteJobArgs),
    /// Print an App that was pushed, or jobs that were created by command, as they would stand in files
    Export(export::ExportArgs),
    /// List the slots of a job and what became of each, newest first
    Slots(slots::SlotsArgs),
    /// Pause a job: its slots are skipped
    Pause(steer::PauseArgs),
    /// End the pause of a job
    Resume(steer::ResumeArgs),
    /// Skip the next slots of a job
    SkipNext(steer::SkipNextArgs),
    /// Say whether everything that should have run, has run; exit code 1 where not
    Status(status::StatusArgs),
    /// Run old slots of a job again, and wait for their ends
    Backfill(backfill::BackfillArgs),
    /// Run the slot of a task, or the same run by hand, once more
    Rerun(rerun::RerunArgs),
    /// Show what waits to start and for what, change the order, or take one out
    Queue(queue::QueueArgs),
    /// Manage the token that opens the service
    Token(token::TokenArgs),
    /// Verify, export, import or compact the store, while no service runs
    Store(store::StoreArgs),
    /// Make the service read its configuration again
    Reload(reload::ReloadArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual, or write a page for each verb
    Man(man::ManArgs),
}
