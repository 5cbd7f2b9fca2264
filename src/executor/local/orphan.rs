//! Ending what a shim left behind that was killed itself.

use std::io;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::cgroup::Cgroup;
use super::place::TaskDir;
use super::process::{self, Identity};
use super::record::{Entry, Record, Started};
use super::tree;
use crate::executor::log;
use crate::task::{Outcome, Phase};

/// How long a killed process may take to be gone before it is looked for again.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// How often processes are looked for. Each look finds what the killed ones started meanwhile.
const LOOKS: u32 = 10;

/// Ends the processes of an orphaned task, and writes down that it is lost.
pub(super) fn bury(dir: &TaskDir, started: &Started, now: Timestamp) -> io::Result<Outcome> {
    let rebooted = process::boot_id()? != started.process.boot;
    if !rebooted {
        let cgroup = started.cgroup.clone().map(Cgroup::at);
        // The group may be gone; then so are its processes.
        cgroup.iter().for_each(|cgroup| drop(cgroup.kill()));
        kill_all(started)?;
        cgroup.iter().for_each(Cgroup::remove_when_empty);
    }
    if !started.keep_workdir {
        tree::remove(&dir.work())?;
    }
    let outcome = lost(dir, started, rebooted, now)?;
    Record::reopen(&dir.record())?.add(&Entry::Ended(outcome.clone()))?;
    Ok(outcome)
}

fn kill_all(started: &Started) -> io::Result<()> {
    for _ in 0..LOOKS {
        let mut found = false;
        for pid in process::all()? {
            found |= kill(pid, started)?;
        }
        if !found {
            break;
        }
    }
    Ok(())
}

/// Kills process `pid` where it is the task's, and waits until it has gone. Returns whether it was.
fn kill(pid: i32, started: &Started) -> io::Result<bool> {
    let Some(number) = Pid::from_raw(pid) else { return Ok(false) };
    if !is_of(pid, started) {
        return Ok(false);
    }
    let Ok(descriptor) = pidfd_open(number, PidfdFlags::empty()) else { return Ok(false) };
    // The descriptor may be of a later process with that number.
    if !is_of(pid, started) {
        return Ok(false);
    }
    match pidfd_send_signal(&descriptor, Signal::KILL) {
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        sent => sent?,
    }
    poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&PATIENCE))?;
    Ok(true)
}

/// Whether process `pid` is the command, or was started by it.
fn is_of(pid: i32, started: &Started) -> bool {
    let Identity { pid: command, ticks, .. } = started.process;
    match process::start_ticks(pid) {
        Ok(its) if pid == command && its == ticks => !process::is_zombie(pid),
        Ok(its) => its >= ticks && process::has_environment(pid, &started.mark),
        Err(_) => false,
    }
}

fn lost(dir: &TaskDir, started: &Started, rebooted: bool, now: Timestamp) -> io::Result<Outcome> {
    let seen = log::last_written(&dir.log())?.unwrap_or(started.at).max(started.at);
    let why = match rebooted {
        true => "the machine was restarted while it ran",
        false => "its supervisor ended without recording how it ended, so it was killed",
    };
    Ok(Outcome {
        phase: Phase::Lost,
        exit_code: None,
        reason: "Lost".to_owned(),
        message: format!("{why}; it was last seen at {seen:.0}"),
        started: Some(started.at),
        finished: now,
        log: log::size(&dir.log())?,
        image: None,
    })
}
