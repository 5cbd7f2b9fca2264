//! Control groups, version 2, where systemd delegated a part of the hierarchy to tekcron.
//!
//! A unit with `Delegate=` has the attribute `user.delegate` on its control group; nothing else is
//! touched, since other parts belong to somebody else. The daemon and its shims are in the group `daemon`
//! below it, where `DelegateSubgroup=daemon` puts them, and each task gets a group of its own beside that, with
//! the limits of its object, as far as the controllers for them are there.
//!
//! A daemon in the delegated group itself could move, but systemd would put the next one there again, and
//! could not: a group that hands down controllers takes no process. So it would not start while tasks run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, Timespec, poll};
use serde::{Deserialize, Serialize};

use super::limits::Limits;

const MOUNT: &str = "/sys/fs/cgroup";
const DAEMON: &str = "daemon";
/// The period over which a CPU share is counted, in microseconds, as container runtimes set it.
const PERIOD: u64 = 100_000;
/// How long a killed process usually takes to be gone.
const A_MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
/// How often it is tried to remove a group whose processes were killed.
const TRIES: u32 = 10;

/// The delegated part of the hierarchy, and what the kernel limits there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delegated {
    /// The group that was delegated.
    pub(super) base: PathBuf,
    /// Whether it limits memory.
    pub(super) memory: bool,
    /// Whether it limits CPU time.
    pub(super) cpu: bool,
}

/// Why there is no group for tasks.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelegated {
    #[error("no control group (cgroup v2) is delegated to tekcron")]
    Nothing,
    #[error(
        "the control group delegated to tekcron holds tekcron itself, where `DelegateSubgroup=daemon` (systemd 254) would put it below"
    )]
    Occupied,
    #[error("the control group delegated to tekcron is of no use ({0})")]
    Unusable(#[from] io::Error),
}

impl Delegated {
    /// Prepares what was delegated to this process.
    pub(super) fn prepare() -> Result<Self, Undelegated> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).ok_or(Undelegated::Nothing)?;
        let own = Path::new(MOUNT).join(own);
        let base = base_of(&own, is_delegated)?;
        let controllers = fs::read_to_string(base.join("cgroup.controllers"))?;
        let hand_down = |name: &str| {
            let offered = controllers.split_whitespace().any(|offered| offered == name);
            if offered {
                write(&base.join("cgroup.subtree_control"), &format!("+{name}"))?;
            }
            io::Result::Ok(offered)
        };
        let (memory, cpu) = (hand_down("memory")?, hand_down("cpu")?);
        Ok(Self { base: base.to_owned(), memory, cpu })
    }

    /// Makes the group of task `name`, with `limits`.
    pub(super) fn group(&self, name: &str, limits: Limits) -> io::Result<Cgroup> {
        let group = self.group_of(name);
        create(&group.path)?;
        let limits =
            Limits { memory: limits.memory.filter(|_| self.memory), cpu: limits.cpu.filter(|_| self.cpu) };
        group.limit(limits).inspect_err(|_| drop(group.remove()))?;
        Ok(group)
    }

    /// The group of task `name`, whether it is there or not.
    pub(super) fn group_of(&self, name: &str) -> Cgroup {
        Cgroup { path: self.base.join(name) }
    }
}

/// The delegated group above the group `own` of a daemon. One further up was delegated to somebody else, as
/// a user's is to their systemd.
fn base_of(own: &Path, is_delegated: impl Fn(&Path) -> bool) -> Result<&Path, Undelegated> {
    let is_delegated = |path: &&Path| path.starts_with(MOUNT) && is_delegated(path);
    let above = own.parent().filter(|_| own.file_name().is_some_and(|name| name == DAEMON));
    match above.filter(is_delegated) {
        Some(base) => Ok(base),
        None if is_delegated(&own) => Err(Undelegated::Occupied),
        None => Err(Undelegated::Nothing),
    }
}

fn is_delegated(path: &Path) -> bool {
    let mut value = [0; 8];
    ["user.delegate", "trusted.delegate"]
        .into_iter()
        .any(|name| rustix::fs::getxattr(path, name, &mut value).is_ok_and(|length| &value[..length] == b"1"))
}

/// Whose memory ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortage {
    /// What the limit allows.
    Limit,
    /// The machine's, or that of a group above.
    Machine,
}

/// The control group of one task.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    fn limit(&self, limits: Limits) -> io::Result<()> {
        if let Some(bytes) = limits.memory {
            self.set("memory.max", &bytes.to_string())?;
            self.set("memory.oom.group", "1")?;
            // There is none where the kernel counts no swap.
            let _ = self.set("memory.swap.max", "0");
        }
        if let Some(millicores) = limits.cpu {
            self.set("cpu.max", &cpu_max(millicores))?;
        }
        Ok(())
    }

    /// The group at `path`, which another process made.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves process `pid` into the group, and with it all that it will start.
    pub(super) fn add(&self, pid: i32) -> io::Result<()> {
        self.set("cgroup.procs", &pid.to_string())
    }

    /// Kills every process of the group.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.set("cgroup.kill", "1")
    }

    /// Whose memory ran out when the kernel killed a process of the group for want of it, if it did.
    pub(super) fn out_of_memory(&self) -> Option<Shortage> {
        shortage(&fs::read_to_string(self.path.join("memory.events")).unwrap_or_default())
    }

    /// Removes the group, which must have no process any more, and the groups that were made in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove(&self.path)
    }

    /// Removes the group when the last of its killed processes is gone. An unkillable one keeps it.
    pub(super) fn remove_when_empty(&self) {
        for _ in 0..TRIES {
            if self.remove().is_ok() || !self.path.exists() {
                break;
            }
            // Interrupted, it is tried the sooner.
            let _ = poll(&mut [] as &mut [PollFd<'_>], Some(&A_MOMENT));
        }
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        write(&self.path.join(file), value)
    }
}

fn create(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(|error| explained(&error, "making", path)),
    }
}

/// Writes to a file that is there: what is missing shall not be said to be forbidden.
fn write(path: &Path, value: &str) -> io::Result<()> {
    let written =
        File::options().write(true).open(path).and_then(|mut file| file.write_all(value.as_bytes()));
    written.map_err(|error| explained(&error, &format!("writing `{value}` to"), path))
}

fn explained(error: &io::Error, doing: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{doing} `{}` failed: {error}", path.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    let Err(error) = fs::remove_dir(path) else { return Ok(()) };
    // Those below have to go first; the files in it go with it.
    let below = fs::read_dir(path)?.filter_map(Result::ok);
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut found = false;
    for entry in below {
        remove(&entry.path())?;
        found = true;
    }
    if found { fs::remove_dir(path) } else { Err(error) }
}

/// `cpu.max`: microseconds of CPU in each period.
fn cpu_max(millicores: u32) -> String {
    let quota = u64::from(millicores) * PERIOD / 1000;
    // The kernel takes no less than a millisecond.
    format!("{} {PERIOD}", quota.max(1000))
}

/// What `memory.events` says: `oom_kill` counts processes of the group killed for any reason, `oom` how often
/// its own limit was the reason.
fn shortage(events: &str) -> Option<Shortage> {
    let count = |name: &str| -> u64 {
        let mut words = events.lines().filter_map(|line| line.split_once(' '));
        words.find(|(word, _)| *word == name).and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
    };
    (count("oom_kill") > 0).then(|| if count("oom") > 0 { Shortage::Limit } else { Shortage::Machine })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_quota_of_the_period() {
        assert_eq!(cpu_max(500), "50000 100000");
        assert_eq!(cpu_max(2000), "200000 100000");
        assert_eq!(cpu_max(1), "1000 100000");
    }

    #[test]
    fn only_kills_count_as_out_of_memory() {
        let limit = "low 0\nhigh 0\nmax 31\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(shortage(limit), Some(Shortage::Limit));
        assert_eq!(shortage("low 0\nmax 0\noom 0\noom_kill 1\n"), Some(Shortage::Machine));
        assert_eq!(shortage("low 0\nmax 31\noom 3\noom_kill 0\noom_group_kill 0\n"), None);
        assert_eq!(shortage(""), None);
    }

    #[test]
    fn only_the_own_delegated_group_is_used() {
        let delegated = |path: &Path| {
            path.ends_with("tekcron.service") || path.ends_with("user@1000.service") || path == Path::new("/")
        };
        let base = |own: &str| base_of(Path::new(own), delegated).map(Path::to_owned);
        let nothing = |own: &str| matches!(base(own), Err(Undelegated::Nothing));
        let unit = "/sys/fs/cgroup/system.slice/tekcron.service";
        assert_eq!(base(&format!("{unit}/daemon")).unwrap(), Path::new(unit));
        assert!(matches!(base(unit), Err(Undelegated::Occupied)));
        // A user's own systemd, not a daemon in one of its terminals.
        assert!(nothing("/sys/fs/cgroup/user.slice/user@1000.service/app.slice/terminal.scope"));
        assert!(nothing("/sys/fs/cgroup/user.slice/user@1000.service/other.service"));
        assert!(nothing("/sys/fs/cgroup/user.slice/session-1.scope"));
        assert!(nothing("/"));
        assert!(nothing("/daemon"));
    }

    #[test]
    fn a_group_goes_with_those_made_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let group = Cgroup::at(dir.path().join("task"));
        fs::create_dir_all(group.path().join("made/by/it")).unwrap();
        fs::create_dir_all(group.path().join("another")).unwrap();
        group.remove().unwrap();
        assert!(!group.path().exists());
        assert_eq!(group.remove().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Cgroup::at(dir.path().to_owned()).add(7).unwrap_err().to_string();
        let expected = format!("writing `7` to `{}/cgroup.procs` failed: No such file", dir.path().display());
        assert!(error.starts_with(&expected), "{error}");
        assert!(!dir.path().join("cgroup.procs").exists());
    }
}
