//! `tekcron schedule-job`: one schedule more for a job that was created by command.

use clap::Args;
use serde_json::{Map, Value};

use super::create_job::set;
use super::error::CliError;
use super::output::{self, OutputArgs};
use super::session::Session;
use super::{detail, reference};

/// Arguments of `schedule-job`.
#[derive(Debug, Args)]
pub(super) struct ScheduleJobArgs {
    /// The job: APP.JOB, or JOB where that is unique
    #[arg(value_parser = reference::job)]
    job: String,
    /// A cron expression, quoted: "0 2 * * *", or with the second first: "0 0 2 * * *"
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    cron: String,
    /// The time zone whose wall clock it follows; UTC unless set
    #[arg(long, value_name = "TZ")]
    timezone: Option<String>,
    /// How it meets changes of the clocks: vixie, skip or literal
    #[arg(long, value_name = "MODE")]
    dst: Option<String>,
    /// What is done about slots that were missed: latest, all or none
    #[arg(long, value_name = "POLICY")]
    catch_up: Option<String>,
    /// How late a slot may still start, as in 10m
    #[arg(long, value_name = "TIME")]
    start_deadline: Option<String>,
    /// Starts are spread over this long after the slot, as in 30s
    #[arg(long, value_name = "TIME")]
    jitter: Option<String>,
    /// What the schedule is called; without it its key is a hash of what it is
    #[arg(long, value_name = "KEY")]
    id: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Schedules a job.
pub(super) async fn run(args: &ScheduleJobArgs, session: &Session) -> Result<(), CliError> {
    let job = session.client()?.schedule_job(&args.job, &args.schedule()).await?;
    output::one(&job, args.output.output, |job| detail::job(job, session.now()))
}

impl ScheduleJobArgs {
    /// The keys of an item of `schedules`.
    fn schedule(&self) -> Map<String, Value> {
        let text = |text: &Option<String>| text.clone().map(Value::from);
        set([
            ("cron", Some(self.cron.clone().into())),
            ("timezone", text(&self.timezone)),
            ("dst", text(&self.dst)),
            ("catch_up", text(&self.catch_up)),
            ("start_deadline", text(&self.start_deadline)),
            ("jitter", text(&self.jitter)),
            ("id", text(&self.id)),
        ])
    }
}
