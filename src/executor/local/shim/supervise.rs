//! The life of a command: run it, keep its time and its memory, log what it writes, end it.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use super::explain::{Ending, Reason};
use super::family::Family;
use super::gate::Gate;
use super::memory::MemoryWatch;
use super::output::Output;
use super::takeover::Taken;
use super::timespec;
use crate::clock::{Clock, SystemClock};
use crate::executor::local::cgroup::Cgroup;
use crate::executor::local::log::LogWriter;
use crate::executor::local::process::Identity;
use crate::executor::local::record::{self, Started};
use crate::executor::local::request::Request;

/// How often ended descendants are reaped while nothing else happens.
const IDLE: Duration = Duration::from_secs(10);
/// How often it is looked whether the rest has ended, once the command has.
const LEAVING: Duration = Duration::from_millis(20);
/// How long after SIGKILL a process counts as unkillable, and is left behind.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// Supervises the command of one task.
pub(super) struct Supervisor<'a> {
    clock: &'a SystemClock,
    request: &'a Request,
    taken: &'a Taken,
    /// When it has run too long.
    deadline: Option<Duration>,
    terminated: bool,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
}

/// A command that runs.
struct Running {
    gate: Gate,
    family: Family,
    /// Readable when the command has ended.
    end: OwnedFd,
    output: Output,
    memory: Option<MemoryWatch>,
    /// Why it was asked to end.
    reason: Option<Reason>,
    /// When whoever is left is killed.
    kill_at: Option<Duration>,
}

impl<'a> Supervisor<'a> {
    /// `timeout` counts from now on.
    pub(super) fn new(
        clock: &'a SystemClock,
        request: &'a Request,
        taken: &'a Taken,
        timeout: Option<Duration>,
    ) -> Self {
        let deadline = timeout.map(|timeout| clock.monotonic().saturating_add(timeout));
        Self { clock, request, taken, deadline, terminated: false, started: None, finished: None }
    }

    /// When the command started, if it did, and when it ended.
    pub(super) fn times(&self) -> (Option<Timestamp>, Timestamp) {
        (self.started, self.finished.unwrap_or_else(|| self.clock.now()))
    }

    /// Why the task is to end now, if it is.
    pub(super) fn wants_end(&mut self) -> Option<Reason> {
        let mut pokes = [0; 64];
        let poked = (&self.taken.control).read(&mut pokes).is_ok_and(|length| length > 0);
        self.terminated |= poked && fs::exists(self.taken.dir.terminate()).unwrap_or(true);
        if self.terminated {
            return Some(Reason::Terminated);
        }
        self.deadline.is_some_and(|deadline| self.clock.monotonic() >= deadline).then_some(Reason::TimedOut)
    }

    /// Runs the command until it and all that it started has ended. `started` is called once that is
    /// written down.
    pub(super) fn run(&mut self, log: &mut LogWriter, started: impl FnOnce()) -> Ending {
        let mut running = match self.start() {
            Ok(running) => running,
            Err(error) => return Ending::NotStarted(format!("starting it failed: {error}")),
        };
        started();
        while !self.is_over(&mut running) {
            self.wait(&running);
            running.output.pump(log, self.clock.now());
        }
        running.output.finish(log, self.clock.now());
        self.ending(&mut running)
    }

    fn start(&mut self) -> std::io::Result<Running> {
        let (mut gate, [stdout, stderr]) = Gate::close()?;
        let limits = self.request.limits;
        let name = self.taken.dir.path().file_name().unwrap_or_default().to_string_lossy();
        let cgroup = self.request.cgroup.as_ref();
        let cgroup = cgroup.map(|base| Cgroup::create(base, &name, limits)).transpose()?;
        let fenced = cgroup.is_some();
        let family = Family::new(gate.process, cgroup);
        let end = pidfd_open(gate.process, PidfdFlags::empty())?;
        family.enter()?;
        let output = Output::new(stdout, stderr)?;
        let started = Started {
            at: self.clock.now(),
            process: Identity::of(gate.process)?,
            mark: self.request.mark.clone(),
            cgroup: family.cgroup(),
            keep_workdir: self.request.keep_workdir,
        };
        record::write(&self.taken.dir.started(), &started)?;
        gate.open(&self.request.program)?;
        self.started = Some(started.at);
        let memory = limits.memory.filter(|_| !fenced).map(MemoryWatch::new);
        Ok(Running { gate, family, end, output, memory, reason: None, kill_at: None })
    }

    /// Does what time, memory and wishes ask for. Returns whether nobody is left.
    fn is_over(&mut self, running: &mut Running) -> bool {
        let now = self.clock.monotonic();
        let kill_at = now.saturating_add(self.request.grace.unsigned_abs());
        let wanted = self.wants_end();
        if running.family.reap() {
            self.finished = Some(self.clock.now());
            running.ask(kill_at);
        }
        if running.family.is_gone() {
            return true;
        }
        if running.family.ended().is_none() {
            if let Some(reason) = wanted.filter(|_| running.reason.is_none()) {
                running.ask(kill_at);
                running.reason = Some(reason);
            }
            running.watch_memory(now);
        }
        running.kill_if_due(now)
    }

    fn wait(&self, running: &Running) {
        let mut descriptors: Vec<PollFd<'_>> = running.output.descriptors().collect();
        descriptors.push(PollFd::from_borrowed_fd(self.taken.control.as_fd(), PollFlags::IN));
        if running.family.ended().is_none() {
            descriptors.push(PollFd::from_borrowed_fd(running.end.as_fd(), PollFlags::IN));
        }
        let now = self.clock.monotonic();
        let deadline = self.deadline.filter(|_| running.reason.is_none());
        let until = running.next_look(now, deadline).saturating_sub(now);
        // Interrupted or not, everything is looked at again.
        let _ = poll(&mut descriptors, Some(&timespec(until)));
    }

    fn ending(&mut self, running: &mut Running) -> Ending {
        if let Some(why) = running.gate.refusal() {
            self.started = None;
            return Ending::NotStarted(why);
        }
        match (running.reason, running.family.ended()) {
            (Some(reason), _) => Ending::Asked(reason),
            (None, _) if running.family.was_out_of_memory() => Ending::Asked(Reason::OutOfMemory(None)),
            (None, Some(status)) => Ending::Exited(status),
            (None, None) => Ending::NotStarted("its process vanished".to_owned()),
        }
    }
}

impl Running {
    /// Asks everybody to end before `kill_at`, once.
    fn ask(&mut self, kill_at: Duration) {
        if self.kill_at.is_none() {
            self.family.ask();
            self.kill_at = Some(kill_at);
        }
    }

    fn watch_memory(&mut self, now: Duration) {
        let used = self.memory.as_mut().and_then(|memory| memory.excess(now));
        if used.is_some() {
            self.reason.get_or_insert(Reason::OutOfMemory(used));
            self.kill_at = Some(now);
        }
    }

    /// Kills whoever is left when their time is over. Returns whether that turned out to be impossible
    /// and the command itself has ended.
    fn kill_if_due(&mut self, now: Duration) -> bool {
        let Some(kill_at) = self.kill_at.filter(|kill_at| now >= *kill_at) else { return false };
        self.family.kill();
        self.family.ended().is_some() && now >= kill_at + UNKILLABLE
    }

    fn next_look(&self, now: Duration, deadline: Option<Duration>) -> Duration {
        let leaving = self.family.ended().is_some() || self.kill_at.is_some_and(|kill_at| now >= kill_at);
        let idle = now + if leaving { LEAVING } else { IDLE };
        let memory = self.memory.as_ref().filter(|_| !leaving).map(MemoryWatch::due);
        let kill = self.kill_at.filter(|kill_at| now < *kill_at);
        [deadline.filter(|_| !leaving), memory, kill].into_iter().flatten().fold(idle, Duration::min)
    }
}
