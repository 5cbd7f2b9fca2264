//! The life of a command: run it, keep its time and its memory, log what it writes, end it.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::explain::{Ending, Reason};
use super::family::Family;
use super::launch::{Launched, launch};
use super::memory::MemoryWatch;
use super::output::Output;
use super::takeover::Taken;
use super::timespec;
use super::wakes::Wakes;
use crate::clock::{Clock, SystemClock};
use crate::executor::local::process::Identity;
use crate::executor::local::record::{Entry, Started};
use crate::executor::local::request::Request;
use crate::executor::log::LogWriter;

/// How often whoever is left is killed, once their time is over: they may start others meanwhile.
const AGAIN: Duration = Duration::from_millis(20);
/// How often a machine that has no process or descriptor left is asked for one.
const RETRY: Duration = Duration::from_secs(1);
/// How long after SIGKILL a process counts as unkillable, and is left behind.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// Supervises the command of one task.
pub(super) struct Supervisor<'a> {
    clock: &'a SystemClock,
    request: &'a Request,
    taken: &'a mut Taken,
    wakes: &'a Wakes,
    /// When it has run too long.
    deadline: Option<Duration>,
    terminated: bool,
    started: Option<Started>,
    finished: Option<Timestamp>,
}

/// A command that runs.
struct Running {
    family: Family,
    /// Why it does not.
    refusal: Option<String>,
    output: Output,
    memory: Option<MemoryWatch>,
    /// Why it was asked to end.
    reason: Option<Reason>,
    /// When whoever is left is killed.
    kill_at: Option<Duration>,
}

impl<'a> Supervisor<'a> {
    /// The time-out counts from now on.
    pub(super) fn new(
        clock: &'a SystemClock,
        request: &'a Request,
        taken: &'a mut Taken,
        wakes: &'a Wakes,
    ) -> Self {
        let deadline =
            request.timeout.map(|timeout| clock.monotonic().saturating_add(timeout.unsigned_abs()));
        Self { clock, request, taken, wakes, deadline, terminated: false, started: None, finished: None }
    }

    /// When the command started, if it did, and when it ended.
    pub(super) fn times(&self) -> (Option<Timestamp>, Timestamp) {
        (self.started.as_ref().map(|started| started.at), self.finished.unwrap_or_else(|| self.clock.now()))
    }

    /// Why the task is to end now, if it is.
    pub(super) fn wants_end(&mut self) -> Option<Reason> {
        self.terminated |= self.wakes.take() && fs::exists(self.taken.dir.terminate()).unwrap_or(true);
        if self.terminated {
            return Some(Reason::Terminated);
        }
        self.deadline.is_some_and(|deadline| self.clock.monotonic() >= deadline).then_some(Reason::TimedOut)
    }

    /// Starts the command, and stays until it and all that it started has ended. `started` is called once it
    /// runs.
    pub(super) fn run(&mut self, log: &mut LogWriter, started: impl FnOnce(Started)) -> Ending {
        let mut running = match self.start(log) {
            Ok(running) => running,
            Err(ending) => return ending,
        };
        self.started.clone().map(started);
        while !self.is_over(&mut running) {
            self.wait(&running);
            running.output.pump(log, self.clock.now());
        }
        running.output.finish(log, self.clock.now());
        self.ending(&mut running)
    }

    /// Starts the command, as soon as the machine has room for it.
    fn start(&mut self, log: &mut LogWriter) -> Result<Running, Ending> {
        let mut waits = false;
        loop {
            match self.try_to_start() {
                Err(error) if is_want(&error) => {
                    if !waits {
                        log.note(
                            &format!("it is started when the machine lets it: {error}"),
                            self.clock.now(),
                        );
                    }
                    waits = true;
                    let mut wake = [PollFd::from_borrowed_fd(self.wakes.as_fd(), PollFlags::IN)];
                    // Woken or not, it is tried again.
                    let _ = poll(&mut wake, Some(&timespec(RETRY)));
                }
                tried => {
                    return tried.map_err(|error| Ending::NotStarted(format!("starting it failed: {error}")));
                }
            }
            if let Some(reason) = self.wants_end() {
                return Err(Ending::Asked(reason));
            }
        }
    }

    /// # Errors
    /// Where nothing has started.
    fn try_to_start(&mut self) -> io::Result<Running> {
        let limits = self.request.limits;
        let name = self.taken.dir.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let delegated = self.request.cgroup.as_ref();
        let fenced = delegated.is_some_and(|delegated| delegated.memory);
        let mut family = Family::new(delegated.map(|delegated| delegated.group(&name, limits)).transpose()?);
        let Launched { process, output, refusal } = launch(&self.request.program, |process| {
            family.enter(process)?;
            let started = Started {
                at: self.clock.now(),
                process: Identity::of(process)?,
                mark: self.request.mark.clone(),
                cgroup: family.cgroup(),
                keep_workdir: self.request.keep_workdir,
            };
            self.started = Some(started.clone());
            self.taken.write_down(&Entry::Started(started))
        })?;
        self.started.take_if(|_| refusal.is_some());
        family.begins_with(process);
        let memory = limits.memory.filter(|_| !fenced).map(MemoryWatch::new);
        Ok(Running { family, refusal, output, memory, reason: None, kill_at: None })
    }

    /// Does what time, memory and wishes ask for. Returns whether nobody is left.
    fn is_over(&mut self, running: &mut Running) -> bool {
        let now = self.clock.monotonic();
        let kill_at = now.saturating_add(self.request.grace.unsigned_abs());
        let wanted = self.wants_end();
        let ended = running.family.reap();
        if ended {
            self.finished = Some(self.clock.now());
        }
        if running.family.is_gone() {
            return true;
        }
        if ended {
            running.ask(kill_at);
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
        descriptors.push(PollFd::from_borrowed_fd(self.wakes.as_fd(), PollFlags::IN));
        let now = self.clock.monotonic();
        let deadline = self.deadline.filter(|_| running.reason.is_none());
        let until = running.next_look(now, deadline).map(|next| timespec(next.saturating_sub(now)));
        // Interrupted or not, everything is looked at again.
        let _ = poll(&mut descriptors, until.as_ref());
    }

    fn ending(&mut self, running: &mut Running) -> Ending {
        if let Some(why) = running.refusal.take() {
            return Ending::NotStarted(why);
        }
        match (running.reason, running.family.ended()) {
            (Some(reason), _) => Ending::Asked(reason),
            (None, Some(status)) => match running.family.out_of_memory(status) {
                Some(shortage) => Ending::OutOfMemory(shortage),
                None => Ending::Exited(status),
            },
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
        if let Some(used) = used {
            self.reason.get_or_insert(Reason::TooMuchMemory(used));
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

    /// When something is to be done though nothing happens.
    fn next_look(&self, now: Duration, deadline: Option<Duration>) -> Option<Duration> {
        let kill = self.kill_at.map(|kill_at| if now < kill_at { kill_at } else { now + AGAIN });
        let runs = self.family.ended().is_none();
        let memory = self.memory.as_ref().map(MemoryWatch::due);
        [kill, deadline.filter(|_| runs), memory.filter(|_| runs)].into_iter().flatten().min()
    }
}

/// Whether the machine has no more of something that it will have again.
fn is_want(error: &io::Error) -> bool {
    let wants = [Errno::AGAIN, Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| wants.contains(&errno))
}
