//! `tekcron create-job`: a job on an App, kept by the service beside those of the files.

use clap::Args;
use serde_json::{Map, Value};

use super::error::CliError;
use super::output::{self, OutputArgs, say};
use super::run_options::{self as options, variable};
use super::session::Session;
use super::{detail, reference};

/// Arguments of `create-job`.
#[derive(Debug, Args)]
pub(super) struct CreateJobArgs {
    /// The App that it runs on
    #[arg(value_parser = reference::app)]
    app: String,
    /// What the job is called on that App
    #[arg(value_name = "JOB", value_parser = reference::job)]
    name: String,
    /// Shell line to run; without it the App's command
    #[arg(value_name = "COMMAND", value_parser = options::shell_line, allow_hyphen_values = true)]
    command: Option<String>,
    /// Memory limit, as in 256M or 1Gi
    #[arg(short, long, value_name = "SIZE", value_parser = options::size, allow_hyphen_values = true)]
    memory: Option<String>,
    /// Disk limit, as in 1G
    #[arg(short = 'k', long, value_name = "SIZE", value_parser = options::size, allow_hyphen_values = true)]
    disk: Option<String>,
    /// CPU limit in cores, as in 0.5 or 500m
    #[arg(long, value_name = "CORES", value_parser = options::cores, allow_hyphen_values = true)]
    cpu_cores: Option<String>,
    /// How long a run may take, as in 90s or 1h30m; 0 for no limit
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    timeout: Option<String>,
    /// Environment variable of its runs; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// What becomes of a run that is due while another has not ended
    #[arg(long, value_name = "POLICY")]
    overlap: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    /// Program and arguments to run as they are, without a shell
    #[arg(last = true, value_name = "PROGRAM", conflicts_with = "command")]
    program: Vec<String>,
}

/// Makes a job.
pub(super) async fn run(args: &CreateJobArgs, session: &Session) -> Result<(), CliError> {
    let job = session.client()?.create_job(&args.app, &args.job()).await?;
    say(&format!(
        "created the job `{}`; `tekcron schedule-job {} EXPRESSION` lets it run by itself",
        job.name, job.name
    ));
    output::one(&job, args.output.output, |job| detail::job(job, session.now()))
}

impl CreateJobArgs {
    /// The keys of a `[[jobs]]` table.
    fn job(&self) -> Map<String, Value> {
        let program = (!self.program.is_empty()).then(|| Value::from(self.program.clone()));
        let text = |text: &Option<String>| text.clone().map(Value::from);
        let env: Map<String, Value> =
            self.env.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let keys = [
            ("name", Some(self.name.clone().into())),
            ("command", text(&self.command).or(program)),
            ("memory", text(&self.memory)),
            ("disk", text(&self.disk)),
            ("cpu", text(&self.cpu_cores)),
            ("timeout", text(&self.timeout)),
            ("env", (!env.is_empty()).then_some(Value::Object(env))),
            ("overlap", text(&self.overlap)),
        ];
        set(keys)
    }
}

/// Those that have a value.
pub(super) fn set<'a>(keys: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Map<String, Value> {
    keys.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
