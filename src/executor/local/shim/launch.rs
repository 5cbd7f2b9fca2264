//! From the shim to the command.
//!
//! The process that is to be the command has the shim's memory, and the shim waits, until it executes the command
//! or ends: a fraction of what a fork costs. It says itself that it is the command, and runs it only when that
//! is written down. Should the shim be killed before, it is too, and nothing has run.

use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal, setpgid};

use super::fork::vfork;
use super::output::Output;
use crate::executor::local::request::Program;

/// A process that was started to be the command.
#[derive(Debug)]
pub(super) struct Launched {
    /// The leader of a process group of its own.
    pub(super) process: Pid,
    /// What it writes.
    pub(super) output: Output,
    /// Why it did not become the command; then it has ended.
    pub(super) refusal: Option<String>,
}

/// Starts a process that `enrol`s and then becomes `program`.
///
/// # Errors
/// Where there is no process, and nothing was enrolled.
pub(super) fn launch(
    program: &Program,
    mut enrol: impl FnMut(Pid) -> io::Result<()>,
) -> io::Result<Launched> {
    let (stdout, their_stdout) = io::pipe()?;
    let (stderr, their_stderr) = io::pipe()?;
    let output = Output::new([stdout, stderr].map(|pipe| File::from(OwnedFd::from(pipe))))?;
    let shim = getpid();
    let mut refusal = None;
    let process = vfork(&mut || {
        let words = match begin(shim).and_then(&mut enrol).and_then(|()| go_on_alone()) {
            Ok(()) => become_command(program, [&their_stdout, &their_stderr]),
            Err(error) => format!("starting it failed: {error}"),
        };
        refusal = Some(words);
    })?;
    Ok(Launched { process, output, refusal })
}

/// The first steps of the new process, which end with `shim`.
fn begin(shim: Pid) -> io::Result<Pid> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(shim) {
        return Err(io::Error::other("its supervisor was killed"));
    }
    setpgid(None, None)?;
    Ok(getpid())
}

fn go_on_alone() -> io::Result<()> {
    Ok(set_parent_process_death_signal(None)?)
}

/// Executes `program` in place of this process. Returns only why it could not.
///
/// The shim has the same memory and other descriptors, so what is opened here must not be what it closes.
fn become_command(program: &Program, [stdout, stderr]: [&PipeWriter; 2]) -> String {
    let Some((name, arguments)) = program.argv.split_first() else { return "there is no command".to_owned() };
    let [stdout, stderr] = match (stdout.try_clone(), stderr.try_clone()) {
        (Ok(stdout), Ok(stderr)) => [stdout, stderr],
        (Err(error), _) | (_, Err(error)) => return format!("starting it failed: {error}"),
    };
    let variables = program.env.iter().map(|(name, value)| (name, value));
    let error = Command::new(name)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir(&program.dir)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .exec();
    explain(name, program, &error)
}

fn explain(name: &str, program: &Program, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return format!("executing `{name}` failed: {error}");
    }
    if program.dir.join(Path::new(name)).exists() && name.contains('/') {
        return format!("executing `{name}` failed: the interpreter that its first line names was not found");
    }
    if name.contains('/') {
        return format!("`{name}` was not found in the task's working directory or where the path says");
    }
    let path = program.env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path.as_str());
    format!("`{name}` was not found in PATH, which is `{path}`")
}
