//! Processes, as `/proc` shows them.
//!
//! A number alone does not name a process: it is given to another one later. [`Identity`] adds when the
//! process started, and the boot that this is counted from.

use std::fs;
use std::io;
use std::sync::OnceLock;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// One process among all that ever ran on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// Its number, and its process group's.
    pub(super) pid: i32,
    /// When it started, in clock ticks since the boot.
    pub(super) ticks: u64,
    /// That boot.
    pub(super) boot: String,
}

impl Identity {
    /// The process that has the number `pid` now.
    pub(super) fn of(pid: Pid) -> io::Result<Self> {
        let pid = pid.as_raw_pid();
        Ok(Self { pid, ticks: start_ticks(pid)?, boot: boot_id()?.to_owned() })
    }
}

/// The id of this boot.
pub(super) fn boot_id() -> io::Result<&'static str> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(boot) = BOOT.get() {
        return Ok(boot);
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT.get_or_init(|| boot.trim().to_owned()))
}

/// When the process `pid` started, in clock ticks since the boot.
pub(super) fn start_ticks(pid: i32) -> io::Result<u64> {
    parse_start_ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)
        .ok_or_else(|| io::Error::other(format!("`/proc/{pid}/stat` does not read")))
}

/// Field 22 of `/proc/PID/stat` (proc(5)). The name in field 2 may hold anything, brackets too.
fn parse_start_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(22 - 3)?.parse().ok()
}

/// Whether process `pid` has ended, and only its parent has not heard of it.
pub(super) fn is_zombie(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, after_name)| after_name.starts_with('Z'))
}

/// The numbers of all processes.
pub(super) fn all() -> io::Result<Vec<i32>> {
    let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

/// Whether the environment that process `pid` was started with holds `line`, as in `NAME=value`.
pub(super) fn has_environment(pid: i32, line: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == line.as_bytes())
}

/// All descendants of process `pid`; empty on a kernel that does not list children.
pub(super) fn descendants(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let further = children(*parent);
        found.extend(further);
        next += 1;
    }
    found
}

/// Whether the kernel lists children (`CONFIG_PROC_CHILDREN`).
pub(super) fn lists_children() -> bool {
    let pid = std::process::id();
    fs::exists(format!("/proc/{pid}/task/{pid}/children")).unwrap_or(false)
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The resident memory of process `pid` in bytes, memory shared with others included; 0 once it is gone.
pub(super) fn resident(pid: i32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let fields = (4..=30).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(parse_start_ticks(&format!("7 (a) b) (c) S {fields}\n")), Some(22));
        assert_eq!(parse_start_ticks("7 (x) S 1"), None);
    }

    #[test]
    fn this_process_has_an_identity_and_memory() {
        let own = rustix::process::getpid();
        assert_eq!(Identity::of(own).unwrap(), Identity::of(own).unwrap());
        assert!(resident(own.as_raw_pid()) > 0);
        assert!(all().unwrap().contains(&own.as_raw_pid()));
    }
}
