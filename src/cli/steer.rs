//! `tekcron pause`, `resume` and `skip-next`: what becomes of the slots of a job.

use clap::Args;
use jiff::Timestamp;

use super::error::CliError;
use super::output::say;
use super::session::Session;
use super::{age, moment, reference};
use crate::api::resources::{PauseBody, ResumeBody, SkipNextBody};
use crate::schedule::CatchUp;

/// Arguments of `pause`.
#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// When the pause ends by itself: RFC 3339, or a date or date and time in UTC
    #[arg(long, value_name = "TIME", value_parser = moment::in_utc, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    /// What the pause is for, for whoever finds the job paused
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// What is done about the slots of the pause: latest or all; without it they stay skipped
    #[arg(long, value_name = "POLICY", value_parser = catch_up)]
    catch_up: Option<CatchUp>,
}

/// Arguments of `skip-next`.
#[derive(Debug, Args)]
pub(super) struct SkipNextArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// How many slots
    #[arg(value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    count: u32,
}

fn catch_up(text: &str) -> Result<CatchUp, String> {
    text.parse::<CatchUp>().map_err(|error| error.to_string())
}

/// Pauses a job.
pub(super) async fn pause(args: PauseArgs, session: &Session) -> Result<(), CliError> {
    let until = args.until.map(|until| until.to_string());
    let body = PauseBody { until, by: caller(), note: args.note };
    let job = session.client()?.pause(&args.job, &body).await?;
    let until = args.until.map(|until| format!(" until {until} (in {})", age::until(until, session.now())));
    say(&format!("job `{}` is paused{}", job.name, until.unwrap_or_default()));
    Ok(())
}

/// Ends the pause of a job.
pub(super) async fn resume(args: &ResumeArgs, session: &Session) -> Result<(), CliError> {
    let body = ResumeBody { catch_up: args.catch_up.map(|policy| policy.to_string()) };
    let resumed = session.client()?.resume(&args.job, &body).await?;
    let caught_up = match (args.catch_up, resumed.caught_up) {
        (None, _) => String::new(),
        (_, 1) => "; 1 slot of the pause is caught up".to_owned(),
        (_, count) => format!("; {count} slots of the pause are caught up"),
    };
    say(&format!("job `{}` is no longer paused{caught_up}", resumed.job.name));
    Ok(())
}

/// Skips slots.
pub(super) async fn skip_next(args: &SkipNextArgs, session: &Session) -> Result<(), CliError> {
    let body = SkipNextBody { count: Some(args.count), by: caller() };
    let job = session.client()?.skip_next(&args.job, &body).await?;
    let next = job.next.map(|next| format!("; it runs next at {next}"));
    let slots = if job.skip_next == 1 { "next slot is" } else { "next slots are" };
    let count = if job.skip_next == 1 { String::new() } else { format!("{} ", job.skip_next) };
    say(&format!("the {count}{slots} skipped of job `{}`{}", job.name, next.unwrap_or_default()));
    Ok(())
}

/// Who types this, as far as the environment says. It is written down, and opens nothing.
pub(super) fn caller() -> Option<String> {
    let names = ["USER", "LOGNAME"].into_iter();
    names.filter_map(|name| std::env::var(name).ok()).find(|name| !name.trim().is_empty())
}
