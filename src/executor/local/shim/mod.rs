//! The shim: the process that owns one task, from taking its name to writing down its end.
//!
//! It is this program in the role `tekcron shim`, started by the daemon and independent of it: a session
//! of its own, no terminal, no descriptor in common but the socket that its request comes over. It is
//! single-threaded and never forks: the command is spawned as a gate, which waits until `started` is
//! durable and then becomes the command. Being a child subreaper, it is the ancestor of all
//! that the command starts, also of what leaves the process group; it ends only when all of that has.
//!
//! Killed at any instruction, it leaves either nothing, or a directory without `started` and nothing that
//! ran, or `started` and with it all that is needed to end what runs.

mod descriptors;
mod explain;
mod family;
mod gate;
mod memory;
mod output;
mod supervise;
mod takeover;

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, Timespec, poll};
use rustix::process::{getpid, set_child_subreaper, setsid};

use self::explain::Ending;
use self::supervise::Supervisor;
use self::takeover::Taken;
use super::log::LogWriter;
use super::record;
use super::request::{Report, Request};
use super::tree::{self, CopyError};
use crate::clock::{Clock, SystemClock};
use crate::task::Outcome;

/// The first argument of a process in this role.
pub const ROLE: &str = "shim";

/// How often the end of a task is written down again where that fails, and how long after.
const TRIES: u32 = 60;
const RETRY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The role `tekcron shim`: reads its request from stdin, and returns when its task has ended.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(2).is_some_and(|role| role == gate::ROLE) {
        return gate::main();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> io::Result<()> {
    descriptors::close_inherited()?;
    // Where it fails, this process leads a group and has a session already.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    let mut daemon = stdin_socket()?;
    let mut request = Vec::new();
    daemon.read_to_end(&mut request)?;
    // A daemon that was killed meanwhile sent less: then the task is not taken.
    let request: Request = serde_json::from_slice(&request)?;
    let taken = match takeover::take(&request) {
        Ok(taken) => taken,
        Err(report) => return tell(&mut daemon, &report),
    };
    // Nobody may listen any more; the task is ours all the same.
    let _ = tell(&mut daemon, &Report::Created);
    execute(&request, taken, daemon)
}

/// The socket that is this process's standard input.
fn stdin_socket() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn tell(daemon: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    daemon.write_all(&line)
}

fn execute(request: &Request, taken: Taken, daemon: UnixStream) -> io::Result<()> {
    let clock = SystemClock::new();
    let mut log = LogWriter::new(taken.dir.log(), request.max_log);
    let work = taken.dir.work();
    let deadline = request.timeout.map(|timeout| timeout.unsigned_abs());
    let mut supervisor = Supervisor::new(&clock, request, &taken, deadline);
    let ending = match prepare(request, &taken, &mut supervisor, &mut log, clock.now()) {
        Ok(()) => supervisor.run(&mut log, || drop(daemon.shutdown(Shutdown::Both))),
        Err(ending) => ending,
    };
    log.close();
    let (started, finished) = supervisor.times();
    let outcome = explain::outcome(ending, request, started, finished, log.size().unwrap_or_default());
    write_down(&taken, &outcome, request.keep_workdir)?;
    if !request.keep_workdir {
        tree::remove(&work)?;
    }
    Ok(())
}

/// Fills the working directory, unless the task is to end before that is done.
fn prepare(
    request: &Request,
    taken: &Taken,
    supervisor: &mut Supervisor<'_>,
    log: &mut LogWriter,
    now: Timestamp,
) -> Result<(), Ending> {
    if let Some(state) = &request.state_dir {
        let created = fs::create_dir_all(state);
        created
            .map_err(|error| Ending::NotStarted(format!("making `{}` failed: {error}", state.display())))?;
    }
    let work = taken.dir.work();
    let Some(source) = &request.source else {
        return fs::create_dir(&work)
            .map_err(|error| Ending::NotStarted(format!("making its working directory failed: {error}")));
    };
    match tree::copy(source, &work, || supervisor.wants_end().is_some()) {
        Ok(skipped) => {
            for (path, what) in skipped {
                log.note(&format!("`{}` was not copied, since it is {what}", path.display()), now);
            }
            Ok(())
        }
        Err(CopyError::Stopped) => {
            Err(Ending::Asked(supervisor.wants_end().expect("it stopped for a reason")))
        }
        Err(error) => Err(Ending::NotStarted(error.to_string())),
    }
}

/// Writes the outcome down. On a full disk the working copy goes first, and then it is tried again: an
/// outcome that is not written is a lost task.
fn write_down(taken: &Taken, outcome: &Outcome, keep_workdir: bool) -> io::Result<()> {
    let mut written = record::write(&taken.dir.exit(), outcome);
    for _ in 0..TRIES {
        if written.is_ok() {
            break;
        }
        if !keep_workdir {
            // It is removed, or tried again, when the outcome is written.
            let _ = tree::remove(&taken.dir.work());
        }
        poll(&mut [] as &mut [PollFd<'_>], Some(&RETRY))?;
        written = record::write(&taken.dir.exit(), outcome);
    }
    written
}

/// A monotonic time as [`poll`] takes it, a millisecond at least, so that nobody spins.
fn timespec(duration: Duration) -> Timespec {
    let duration = duration.max(Duration::from_millis(1));
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
