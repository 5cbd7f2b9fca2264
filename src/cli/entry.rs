use std::io;
use std::process::ExitCode;

use clap::Parser;

use super::args::{Cli, Verb};
use super::error::CliError;
use super::session::Session;
use super::{
    app, apps, completions, exit_code, job, job_history, jobs, logs, man, next, offline, output, reload,
    run_job, run_task, schema, serve, task, tasks, terminate_task, token,
};

/// The program: parses the arguments, runs the verb, says what went wrong.
pub fn main() -> ExitCode {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit_code::USAGE } else { exit_code::SUCCESS });
        }
    };
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let prefix = if error.is_report() { "" } else { "error: " };
            output::say(format!("{prefix}{error}").trim_end());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<u8, CliError> {
    let session = Session::new(cli.globals);
    match cli.verb {
        Verb::Serve(args) => serve::run(&args, session)?,
        Verb::Check(args) => return offline::check(&args, &session),
        Verb::Schema(args) => schema::run(&args, &mut io::stdout().lock()).map_err(CliError::Output)?,
        Verb::Next(args) => next::run(&args, &*session.clock, &mut io::stdout().lock())?,
        Verb::Render(args) => offline::render(&args, &session.globals)?,
        Verb::RunTask(args) => return online(run_task::run(args, &session)),
        Verb::RunJob(args) => return online(run_job::run(args, &session)),
        Verb::Tasks(args) => online(tasks::run(&args, &session))?,
        Verb::Task(args) => online(task::run(&args, &session))?,
        Verb::TerminateTask(args) => online(terminate_task::run(&args, &session))?,
        Verb::Logs(args) => online(logs::run(&args, &session))?,
        Verb::Apps(args) => online(apps::run(&args, &session))?,
        Verb::App(args) => online(app::run(&args, &session))?,
        Verb::Jobs(args) => online(jobs::run(&args, &session))?,
        Verb::Job(args) => online(job::run(&args, &session))?,
        Verb::JobHistory(args) => online(job_history::run(&args, &session))?,
        Verb::Token(args) => online(token::run(&args, &session))?,
        Verb::Reload(_) => online(reload::run(&session))?,
        Verb::Completions(args) => completions::run(&args)?,
        Verb::Man(args) => man::run(&args)?,
    }
    Ok(exit_code::SUCCESS)
}

/// Runs a verb that speaks to the service.
fn online<T>(verb: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::Start)?.block_on(verb)
}
