//! Control groups, version 2, where systemd delegated a part of the hierarchy to tekcron.
//!
//! A unit with `Delegate=yes` has the attribute `user.delegate` on its control group; nothing else is
//! touched, since other parts belong to somebody else. Under it the daemon and its shims stay in the
//! group `daemon`, and each task gets a group of its own with the limits of its object.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::limits::Limits;

const MOUNT: &str = "/sys/fs/cgroup";
const DAEMON: &str = "daemon";
/// The period over which a CPU share is counted, in microseconds, as container runtimes set it.
const PERIOD: u64 = 100_000;

/// Prepares the delegated part of the hierarchy, and returns it, where there is one.
pub(super) fn prepare() -> io::Result<Option<PathBuf>> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::/")) else { return Ok(None) };
    let own = Path::new(MOUNT).join(own);
    let Some(base) = own.ancestors().take_while(|path| path.starts_with(MOUNT)).find(is_delegated) else {
        return Ok(None);
    };
    if own == base {
        // Controllers are handed down only by a group that has no process of its own.
        let daemon = base.join(DAEMON);
        create(&daemon)?;
        fs::write(daemon.join("cgroup.procs"), std::process::id().to_string())?;
    }
    fs::write(base.join("cgroup.subtree_control"), "+memory +cpu")?;
    Ok(Some(base.to_owned()))
}

fn is_delegated(path: &&Path) -> bool {
    let mut value = [0; 8];
    ["user.delegate", "trusted.delegate"].into_iter().any(|name| {
        rustix::fs::getxattr(*path, name, &mut value).is_ok_and(|length| &value[..length] == b"1")
    })
}

/// The control group of one task.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes the group `name` under `base`, with `limits`.
    pub(super) fn create(base: &Path, name: &str, limits: Limits) -> io::Result<Self> {
        let group = Self { path: base.join(name) };
        create(&group.path)?;
        group.limit(limits).inspect_err(|_| drop(group.remove()))?;
        Ok(group)
    }

    fn limit(&self, limits: Limits) -> io::Result<()> {
        if let Some(bytes) = limits.memory {
            self.set("memory.max", &bytes.to_string())?;
            self.set("memory.oom.group", "1")?;
            // There is none where the machine has no swap.
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

    /// Whether the kernel killed a process of the group because the group was out of memory.
    pub(super) fn was_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        oom_kills(&events) > 0
    }

    /// Removes the group, which must be empty.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_dir(&self.path)
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(file), value)
    }
}

fn create(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// `cpu.max`: microseconds of CPU in each period.
fn cpu_max(millicores: u32) -> String {
    let quota = u64::from(millicores) * PERIOD / 1000;
    // The kernel takes no less than a millisecond.
    format!("{} {PERIOD}", quota.max(1000))
}

/// `oom_kill` in `memory.events`.
fn oom_kills(events: &str) -> u64 {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or(0)
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
        assert_eq!(oom_kills("low 0\nhigh 0\nmax 31\noom 3\noom_kill 2\noom_group_kill 1\n"), 2);
        assert_eq!(oom_kills("low 0\nmax 31\noom_kill 0\n"), 0);
        assert_eq!(oom_kills(""), 0);
    }
}
