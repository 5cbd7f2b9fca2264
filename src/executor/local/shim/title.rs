//! The name of a task among the arguments of its supervisor, for people who look at processes.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// More than the name of any task.
const ROOM: usize = 64;

/// The last argument of this process, which may be written over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Title {
    /// Its place in memory.
    at: u64,
}

/// The argument to begin with.
pub(in super::super) fn blank() -> String {
    format!("{:ROOM$}", "nursery")
}

impl Title {
    /// That of this process; `None` where the kernel does not tell.
    pub(super) fn find() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        // Field 49 of proc(5), of which the first here is the third; a zero follows the argument.
        let end: u64 = after_name.split(' ').nth(49 - 3)?.trim().parse().ok()?;
        Some(Self { at: end.checked_sub(ROOM as u64 + 1)? })
    }

    /// Writes `name` there. No harm where that is not possible.
    pub(super) fn set(self, name: &str) {
        let title = format!("{name:ROOM$.ROOM$}");
        if let Ok(memory) = File::options().write(true).open("/proc/self/mem") {
            let _ = memory.write_all_at(title.as_bytes(), self.at);
        }
    }
}
