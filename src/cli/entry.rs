use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::{Cli, Verb};
use super::error::CliError;
use super::next::NextArgs;
use super::session::Session;
use super::{
    app, apps, backfill, bind_service, cluster, completions, create_job, create_service, delete, delete_job,
    delete_service, env, exit_code, explain, export, import, job, job_history, job_schedules, jobs, logs,
    man, moment, next, offline, openapi, output, push, queue, reload, rerun, revision, run_job, run_task,
    schedule_job, schema, serve, services, slots, status, steer, store, task, tasks, terminate_task, token,
    update_service,
};

/// The program: parses the arguments, runs the verb, says what went wrong.
pub fn main() -> ExitCode {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if error.kind() == ErrorKind::UnknownArgument && is_unquoted(std::env::args().skip(1)) {
                output::say("hint: quote the expression, as in `tekcron next \"0 2 * * *\"`");
            }
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
        Verb::Openapi(_) => openapi::run(&mut io::stdout().lock()).map_err(CliError::Output)?,
        Verb::Next(args) => next_slots(&args, &session)?,
        Verb::Explain(args) => online(explain::run(&args, &session))?,
        Verb::Plan(args) => return online(offline::plan(&args, &session)),
        Verb::Release(args) => cluster::release(&args, &session)?,
        Verb::Render(args) => offline::render(&args, &session.globals)?,
        Verb::Import(args) => import::run(&args)?,
        Verb::RunTask(args) => return online(run_task::run(args, &session)),
        Verb::RunJob(args) => return online(run_job::run(args, &session)),
        Verb::Tasks(args) => online(tasks::run(&args, &session))?,
        Verb::Task(args) => online(task::run(&args, &session))?,
        Verb::TerminateTask(args) => online(terminate_task::run(&args, &session))?,
        Verb::Logs(args) => online(logs::run(&args, &session))?,
        Verb::Push(args) => return online(push::run(&args, &session)),
        Verb::Rollback(args) => return online(revision::rollback(&args, &session)),
        Verb::Restage(args) => return online(revision::restage(&args, &session)),
        Verb::Apps(args) => online(apps::run(&args, &session))?,
        Verb::App(args) => online(app::run(&args, &session))?,
        Verb::Delete(args) => online(delete::run(&args, &session))?,
        Verb::Env(args) => online(env::show(&args, &session))?,
        Verb::SetEnv(args) => online(env::set(&args, &session))?,
        Verb::UnsetEnv(args) => online(env::unset(&args, &session))?,
        Verb::Services(args) => online(services::run(&args, &session))?,
        Verb::CreateUserProvidedService(args) => online(create_service::run(&args, &session))?,
        Verb::UpdateUserProvidedService(args) => online(update_service::run(&args, &session))?,
        Verb::BindService(args) => online(bind_service::bind(&args, &session))?,
        Verb::UnbindService(args) => online(bind_service::unbind(&args, &session))?,
        Verb::DeleteService(args) => online(delete_service::run(&args, &session))?,
        Verb::Jobs(args) => online(jobs::run(&args, &session))?,
        Verb::Job(args) => online(job::run(&args, &session))?,
        Verb::JobHistory(args) => online(job_history::run(&args, &session))?,
        Verb::CreateJob(args) => online(create_job::run(&args, &session))?,
        Verb::ScheduleJob(args) => online(schedule_job::run(&args, &session))?,
        Verb::JobSchedules(args) => online(job_schedules::run(&args, &session))?,
        Verb::DeleteJobSchedule(args) => online(delete_job::schedule(&args, &session))?,
        Verb::DeleteJob(args) => online(delete_job::job(&args, &session))?,
        Verb::Export(args) => online(export::run(&args, &session))?,
        Verb::Pause(args) => online(steer::pause(args, &session))?,
        Verb::Resume(args) => online(steer::resume(&args, &session))?,
        Verb::SkipNext(args) => online(steer::skip_next(&args, &session))?,
        Verb::Slots(args) => online(slots::run(&args, &session))?,
        Verb::Status(args) => return online(status::run(&args, &session)),
        Verb::Backfill(args) => return online(backfill::run(&args, &session)),
        Verb::Rerun(args) => online(rerun::run(&args, &session))?,
        Verb::Queue(args) => online(queue::run(&args, &session))?,
        Verb::Token(args) => online(token::run(&args, &session))?,
        Verb::Store(args) => store::run(&args, &session)?,
        Verb::Reload(_) => online(reload::run(&session))?,
        Verb::Completions(args) => completions::run(&args)?,
        Verb::Man(args) => man::run(&args)?,
    }
    Ok(exit_code::SUCCESS)
}

fn next_slots(args: &NextArgs, session: &Session) -> Result<(), CliError> {
    next::notes(args)?.iter().for_each(|note| output::say(note));
    let found = next::run(args, &*session.clock, &mut io::stdout().lock())?;
    if found < args.count as usize {
        output::say(&format!(
            "{found} of {} shown: there are no more up to the year {}, where expressions end",
            args.count,
            moment::LAST_YEAR
        ));
    }
    Ok(())
}

/// Whether two fields of a cron expression follow `next` as words of their own. The shell may have put
/// names of files in the place of each `*`.
fn is_unquoted(args: impl Iterator<Item = String>) -> bool {
    let is_field = |word: &String| {
        word.starts_with(|c: char| c.is_ascii_digit() || c == '*')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "*/,-?#".contains(c))
    };
    args.skip_while(|word| word != "next").skip(1).take(2).filter(is_field).count() == 2
}

/// Runs a verb that speaks to the service.
pub(super) fn online<T>(verb: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(CliError::Start)?.block_on(verb)
}
