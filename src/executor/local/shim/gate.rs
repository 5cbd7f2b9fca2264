//! The gate: the process that becomes the command, once it is let through.
//!
//! It exists so that the command's process is known, and written down, before it runs anything. It waits
//! for a byte from its shim; should the shim be killed before, its socket ends and nothing runs. Where the
//! command cannot be executed, the reason goes back.

use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, setpgid};

use super::fork::{end, fork};
use crate::executor::local::request::Program;

/// A gate that waits.
#[derive(Debug)]
pub(super) struct Gate {
    socket: UnixStream,
    /// The process, leader of a process group of its own.
    pub(super) process: Pid,
}

impl Gate {
    /// Forks a process that waits, to become `program`. Beside it are the reading ends of what that will
    /// write to stdout and stderr.
    pub(super) fn close(program: &Program) -> io::Result<(Self, [File; 2])> {
        let (socket, theirs) = UnixStream::pair()?;
        let (stdout, their_stdout) = io::pipe()?;
        let (stderr, their_stderr) = io::pipe()?;
        let Some(process) = fork()? else {
            // Else it would wait for itself.
            drop(socket);
            wait(theirs, program, [their_stdout, their_stderr]);
            end(1);
        };
        // Before anything is executed there, so that it never is in another group.
        setpgid(Some(process), Some(process))?;
        let output = [stdout, stderr].map(|pipe| File::from(OwnedFd::from(pipe)));
        Ok((Self { socket, process }, output))
    }

    /// Lets the program run.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.socket.write_all(b"g")
    }

    /// Why the command was not executed, once the process has ended.
    pub(super) fn refusal(&mut self) -> Option<String> {
        let mut words = String::new();
        self.socket.read_to_string(&mut words).ok()?;
        (!words.is_empty()).then_some(words)
    }
}

/// The life of a gate. Returns where its program was not let through, or could not be executed.
fn wait(mut shim: UnixStream, program: &Program, output: [PipeWriter; 2]) {
    if shim.read_exact(&mut [0]).is_ok() {
        let words = become_command(program, output);
        // The shim may be gone; then nobody asks.
        let _ = shim.write_all(words.as_bytes());
    }
}

/// Executes `program` in place of this one. Returns only why it could not.
fn become_command(program: &Program, [stdout, stderr]: [PipeWriter; 2]) -> String {
    let Some((name, arguments)) = program.argv.split_first() else { return "there is no command".to_owned() };
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
