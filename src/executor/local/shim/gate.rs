//! The gate: the process that becomes the command, once it is let through.
//!
//! It exists so that the command's process is known, and written down, before it runs anything. What it
//! is to run arrives over a socket, its standard input; should its shim be killed before, the socket
//! ends early and nothing runs. Where the command cannot be executed, the reason goes back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::Pid;

use super::ROLE as SHIM;
use crate::executor::local::request::Program;

/// The second argument of a process in this role.
pub(super) const ROLE: &str = "gate";

/// This program, also after its file was replaced by a newer one.
const SELF: &str = "/proc/self/exe";

/// A gate that waits.
#[derive(Debug)]
pub(super) struct Gate {
    socket: UnixStream,
    /// The process, leader of a process group of its own.
    pub(super) process: Pid,
}

impl Gate {
    /// Starts a process that waits. Beside it are the reading ends of what the command will write to
    /// stdout and stderr.
    pub(super) fn close() -> io::Result<(Self, [File; 2])> {
        let (socket, theirs) = UnixStream::pair()?;
        let (stdout, their_stdout) = io::pipe()?;
        let (stderr, their_stderr) = io::pipe()?;
        let child = Command::new(SELF)
            .args([SHIM, ROLE])
            .env_clear()
            .process_group(0)
            .stdin(OwnedFd::from(theirs))
            .stdout(their_stdout)
            .stderr(their_stderr)
            .spawn()?;
        let output = [stdout, stderr].map(|pipe| File::from(OwnedFd::from(pipe)));
        Ok((Self { socket, process: Pid::from_child(&child) }, output))
    }

    /// Lets `program` run.
    pub(super) fn open(&mut self, program: &Program) -> io::Result<()> {
        self.socket.write_all(&serde_json::to_vec(program)?)?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Why the command was not executed, once the process has ended.
    pub(super) fn refusal(&mut self) -> Option<String> {
        let mut words = String::new();
        self.socket.read_to_string(&mut words).ok()?;
        (!words.is_empty()).then_some(words)
    }
}

/// The role `tekcron shim gate`.
pub(super) fn main() -> ExitCode {
    // Whoever might read the error is not there.
    let Ok(mut socket) = super::stdin_socket() else { return ExitCode::FAILURE };
    let mut program = Vec::new();
    if socket.read_to_end(&mut program).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(program) = serde_json::from_slice::<Program>(&program) else { return ExitCode::FAILURE };
    let words = become_command(&program);
    // The shim may be gone; then nobody asks.
    let _ = socket.write_all(words.as_bytes());
    ExitCode::FAILURE
}

/// Executes `program` in place of this one. Returns only why it could not.
fn become_command(program: &Program) -> String {
    let Some((name, arguments)) = program.argv.split_first() else { return "there is no command".to_owned() };
    let variables = program.env.iter().map(|(name, value)| (name, value));
    let error = Command::new(name)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir(&program.dir)
        .stdin(Stdio::null())
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
