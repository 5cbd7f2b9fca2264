//! The processes of a task: the command, and all that it started.

use std::path::PathBuf;

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpgid, kill_process, kill_process_group, wait,
};

use crate::executor::local::cgroup::{Cgroup, Shortage};
use crate::executor::local::process;

/// The command and its descendants. As this process is their reaper, none of them is out of sight.
#[derive(Debug)]
pub(super) struct Family {
    command: Option<Pid>,
    cgroup: Option<Cgroup>,
    ended: Option<WaitStatus>,
    gone: bool,
}

impl Family {
    /// None of them is there yet. They are to be in `cgroup`.
    pub(super) fn new(cgroup: Option<Cgroup>) -> Self {
        Self { command: None, cgroup, ended: None, gone: false }
    }

    /// Puts `process`, which is to be the command, into the control group.
    pub(super) fn enter(&self, process: Pid) -> std::io::Result<()> {
        self.cgroup.as_ref().map_or(Ok(()), |cgroup| cgroup.add(process.as_raw_pid()))
    }

    /// `command` is the first of them, and leads its process group.
    pub(super) fn begins_with(&mut self, command: Pid) {
        self.command = Some(command);
    }

    /// The path of the control group.
    pub(super) fn cgroup(&self) -> Option<PathBuf> {
        self.cgroup.as_ref().map(|cgroup| cgroup.path().to_owned())
    }

    /// How the command ended, once it has.
    pub(super) fn ended(&self) -> Option<WaitStatus> {
        self.ended
    }

    /// Whether nobody is left.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whose memory ran out when the kernel killed the command, which ended by `status`, if that was why. At
    /// its limit a task is killed as a whole: a command that ended otherwise had done so before, or a group
    /// of its own making was hit.
    pub(super) fn out_of_memory(&self, status: WaitStatus) -> Option<Shortage> {
        let killed = status.terminating_signal() == Some(Signal::KILL.as_raw());
        self.cgroup.as_ref().filter(|_| killed)?.out_of_memory()
    }

    /// Takes note of those that ended. Returns whether the command is among them.
    pub(super) fn reap(&mut self) -> bool {
        let mut command_ended = false;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.command => {
                    self.ended = Some(status);
                    command_ended = true;
                }
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        command_ended
    }

    /// Asks them to end.
    pub(super) fn ask(&self) {
        self.signal(Signal::TERM);
        // A stopped process hears of it only when it goes on.
        self.signal(Signal::CONT);
    }

    /// Kills them. What was started at this very moment is met by the next call.
    pub(super) fn kill(&self) {
        if let Some(cgroup) = &self.cgroup {
            // Kernels before 5.14 cannot.
            let _ = cgroup.kill();
        }
        // Where there is a group, these are the ones that left it.
        self.signal(Signal::KILL);
    }

    /// Signals the command's process group at once, and each of those who left it. Any of them may be
    /// gone by now.
    fn signal(&self, signal: Signal) {
        // Once the command is reaped, its number may be another group's.
        let group = self.command.filter(|_| self.ended.is_none());
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
        let own = std::process::id().cast_signed();
        for pid in process::descendants(own).into_iter().filter_map(Pid::from_raw) {
            if group.is_none() || getpgid(Some(pid)).ok() != group {
                let _ = kill_process(pid, signal);
            }
        }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.cgroup {
            // One with an unkillable process in it stays.
            let _ = cgroup.remove();
        }
    }
}
