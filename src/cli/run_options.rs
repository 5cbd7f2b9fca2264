//! What `run-task` and `run-job` have in common: what a run changes, and how its end is waited for.

use std::collections::BTreeMap;

use clap::Args;

use super::output::OutputArgs;
use crate::api::resources::{CommandBody, RunBody};
use crate::app::{ByteSize, Command, Cpu};
use crate::task::check_display_name;

/// What a run changes.
#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// Shell line to run, in place of the configured command
    #[arg(short, long, value_name = "LINE", value_parser = shell_line, allow_hyphen_values = true)]
    command: Option<String>,
    /// Display name of the task
    #[arg(long, value_name = "NAME", value_parser = display_name)]
    name: Option<String>,
    /// Memory limit, as in 256M or 1Gi
    #[arg(short, long, value_name = "SIZE", value_parser = size, allow_hyphen_values = true)]
    memory: Option<String>,
    /// Disk limit, as in 1G
    #[arg(short = 'k', long, value_name = "SIZE", value_parser = size, allow_hyphen_values = true)]
    disk: Option<String>,
    /// CPU limit in cores, as in 0.5 or 500m
    #[arg(long, value_name = "CORES", value_parser = cores, allow_hyphen_values = true)]
    cpu_cores: Option<String>,
    /// How long it may run, as in 90s or 1h30m; 0 for no limit
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    timeout: Option<String>,
    /// Environment variable of this run; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Wait for the end, and end with the task's exit code
    #[arg(long)]
    pub(super) wait: bool,
    /// Print the log while waiting for the end; implies --wait
    #[arg(long, conflicts_with = "output")]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// Program and arguments to run as they are, without a shell
    #[arg(last = true, value_name = "PROGRAM", conflicts_with = "command")]
    program: Vec<String>,
}

impl RunOptions {
    /// The request that says so.
    pub(super) fn body(&self) -> RunBody {
        let program = (!self.program.is_empty()).then(|| CommandBody::Exec(self.program.clone()));
        RunBody {
            command: self.command.clone().map(CommandBody::Shell).or(program),
            display_name: self.name.clone(),
            env: self.env.iter().cloned().collect::<BTreeMap<_, _>>(),
            cpu: self.cpu_cores.clone(),
            memory: self.memory.clone(),
            disk: self.disk.clone(),
            timeout: self.timeout.clone(),
            overlap: None,
        }
    }
}

pub(super) fn shell_line(text: &str) -> Result<String, String> {
    Command::shell(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn display_name(text: &str) -> Result<String, String> {
    check_display_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn size(text: &str) -> Result<String, String> {
    text.parse::<ByteSize>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn cores(text: &str) -> Result<String, String> {
    text.parse::<Cpu>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("expected NAME=VALUE, found `{text}`")),
    }
}
