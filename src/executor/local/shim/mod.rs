//! The shim: the process that owns one task, from taking its name to writing down its end.
//!
//! It is a copy of the `nursery`, and independent of it and of the daemon: a session of its own, no
//! terminal, no descriptor in common but the socket that its request comes over. It is single-threaded. The
//! process of the command is `launch`ed, and becomes the command when its start is durable. Being a child
//! subreaper, the shim is the ancestor of all that the command starts, also of what leaves the process group; it
//! ends only when all of that has.
//!
//! Killed at any instruction, it leaves either nothing, or a directory without a start and nothing that
//! ran, or a start on record and with it all that is needed to end what runs.

mod descriptors;
mod explain;
mod family;
mod fork;
mod launch;
mod memory;
mod nursery;
mod output;
mod supervise;
mod takeover;
mod title;
mod wakes;

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, Timespec, poll};
use rustix::process::{getpid, set_child_subreaper, setsid};
use serde::Serialize;

use self::explain::Ending;
use self::supervise::Supervisor;
use self::takeover::Taken;
use self::title::Title;
pub(super) use self::title::blank as blank_title;
pub(super) use self::wakes::POKE;
use self::wakes::Wakes;
use super::record::Entry;
use super::request::{Report, Request};
use super::tree::{self, CopyError};
use crate::clock::{Clock, SystemClock};
use crate::executor::log::LogWriter;

/// The first argument of a process in this role.
pub const ROLE: &str = "shim";

/// How often the end of a task is written down again where that fails, and how long after.
const TRIES: u32 = 60;
const RETRY: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The role `tekcron shim`: a nursery, and in its copies a shim each. A copy ends when its task has.
pub fn main() -> ! {
    fork::end(i32::from(nursery::run().is_err()))
}

/// The life of a shim.
fn run(mut daemon: UnixStream, wakes: Wakes, title: Option<Title>) -> io::Result<()> {
    // A copy leads no group, so it can lead a session.
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    let mut request = Vec::new();
    daemon.read_to_end(&mut request)?;
    // A daemon that was killed meanwhile sent less: then the task is not taken.
    let request: Request = serde_json::from_slice(&request)?;
    if let (Some(title), Some(name)) = (title, request.task_dir.file_name()) {
        title.set(&name.to_string_lossy());
    }
    match takeover::take(&request) {
        Ok(taken) => {
            // Nobody may listen any more; the task is ours all the same.
            let _ = tell(&mut daemon, &Report::Created);
            execute(&request, taken, &wakes, &daemon)
        }
        Err(report) => tell(&mut daemon, &report),
    }
}

fn tell(daemon: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    daemon.write_all(&line)
}

fn execute(request: &Request, mut taken: Taken, wakes: &Wakes, daemon: &UnixStream) -> io::Result<()> {
    let clock = SystemClock::new();
    let mut log = LogWriter::new(taken.dir.log(), request.max_log);
    let work = taken.dir.work();
    let mut supervisor = Supervisor::new(&clock, request, &mut taken, wakes);
    let ending = match prepare(request, &work, &mut supervisor, &mut log, clock.now()) {
        Ok(()) => supervisor.run(&mut log, |started| {
            // As above.
            let _ = tell(&mut &*daemon, &Entry::Started(started));
        }),
        Err(ending) => ending,
    };
    log.close();
    let (started, finished) = supervisor.times();
    let outcome = explain::outcome(ending, request, started, finished, log.size().unwrap_or_default());
    let end = Entry::Ended(outcome);
    write_down(&mut taken, &end, request.keep_workdir)?;
    let removed = if request.keep_workdir { Ok(()) } else { tree::remove(&work) };
    tell(&mut &*daemon, &end).and(removed)
}

/// Fills the working directory, unless the task is to end before that is done.
fn prepare(
    request: &Request,
    work: &Path,
    supervisor: &mut Supervisor<'_>,
    log: &mut LogWriter,
    now: Timestamp,
) -> Result<(), Ending> {
    if let Some(state) = &request.state_dir {
        let created = fs::create_dir_all(state);
        created
            .map_err(|error| Ending::NotStarted(format!("making `{}` failed: {error}", state.display())))?;
    }
    let Some(source) = &request.source else {
        return fs::create_dir(work)
            .map_err(|error| Ending::NotStarted(format!("making its working directory failed: {error}")));
    };
    match tree::copy(source, work, || supervisor.wants_end().is_some()) {
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
fn write_down(taken: &mut Taken, end: &Entry, keep_workdir: bool) -> io::Result<()> {
    let mut written = taken.write_down(end);
    for _ in 0..TRIES {
        if written.is_ok() {
            break;
        }
        if !keep_workdir {
            // It is removed, or tried again, when the outcome is written.
            let _ = tree::remove(&taken.dir.work());
        }
        poll(&mut [] as &mut [PollFd<'_>], Some(&RETRY))?;
        written = taken.write_down(end);
    }
    written
}

/// A monotonic time as [`poll`] takes it, a millisecond at least, so that nobody spins.
fn timespec(duration: Duration) -> Timespec {
    let duration = duration.max(Duration::from_millis(1));
    Timespec { tv_sec: duration.as_secs().cast_signed(), tv_nsec: duration.subsec_nanos().into() }
}
