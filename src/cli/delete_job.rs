//! `tekcron delete-job` and `tekcron delete-job-schedule`: of jobs that were created by command.

use clap::Args;

use super::agreed::agreed;
use super::error::CliError;
use super::output::say;
use super::reference;
use super::session::Session;

/// Arguments of `delete-job`.
#[derive(Debug, Args)]
pub(super) struct DeleteJobArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Arguments of `delete-job-schedule`.
#[derive(Debug, Args)]
pub(super) struct DeleteJobScheduleArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// The schedule's key, as `job-schedules` shows it; may be left out where there is one alone
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// Deletes a job.
pub(super) async fn job(args: &DeleteJobArgs, session: &Session) -> Result<(), CliError> {
    agreed(args.force, &format!("the job `{}`", args.job))?;
    let job = session.client()?.delete_job(&args.job).await?;
    say(&match (job.runs, job.file) {
        (false, Some(file)) => {
            format!(
                "deleted the job `{}` that was created by command; what `{file}` says of it stays",
                job.name
            )
        }
        _ => format!("deleted the job `{}`; its running tasks go on, and its history stays", job.name),
    });
    Ok(())
}

/// Takes a schedule from a job.
pub(super) async fn schedule(args: &DeleteJobScheduleArgs, session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let key = match &args.key {
        Some(key) => key.clone(),
        None => {
            let job = client.job(&args.job).await?;
            let keys: Vec<_> = job.schedules.into_iter().map(|schedule| schedule.key).collect();
            match <[String; 1]>::try_from(keys) {
                Ok([only]) => only,
                Err(keys) => return Err(CliError::WhichSchedule { job: job.name, keys }),
            }
        }
    };
    agreed(args.force, &format!("the schedule `{key}` of the job `{}`", args.job))?;
    let job = client.unschedule_job(&args.job, &key).await?;
    say(&format!("deleted the schedule `{key}` of the job `{}`", job.name));
    Ok(())
}
