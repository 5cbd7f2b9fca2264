//! The least that a durable supervisor of one task can be, as a bound for ours: the same files, syncs
//! and processes, and nothing else. Built alone, by `processes.rs`.
//!
//! `minimal-shim DIR [all|one|none]`: how many of the syncs it makes; `one` is the one before the
//! command runs.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}

#[derive(Clone, Copy, PartialEq)]
enum Syncs {
    All,
    One,
    None,
}

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let syncs = match std::env::args().nth(2).as_deref() {
        Some("one") => Syncs::One,
        Some("none") => Syncs::None,
        _ => Syncs::All,
    };
    supervise(Path::new(&argument), syncs)
}

fn supervise(dir: &Path, syncs: Syncs) -> io::Result<()> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let (mut stdout, their_stdout) = io::pipe()?;
    let (mut stderr, their_stderr) = io::pipe()?;
    // SAFETY: this process has one thread.
    let gate = unsafe { fork() };
    if gate == 0 {
        drop(ours);
        (&theirs).read_exact(&mut [0])?;
        let mut command = Command::new("/bin/true");
        command.env_clear().current_dir(dir.join("work")).process_group(0);
        return Err(command.stdin(Stdio::null()).stdout(their_stdout).stderr(their_stderr).exec());
    }
    drop((theirs, their_stdout, their_stderr));
    let new = dir.with_extension("new");
    fs::create_dir(&new)?;
    let record = File::options().write(true).create_new(true).open(new.join("record"))?;
    record.write_all_at(&[b' '; 6144], 0)?;
    fs::rename(&new, dir)?;
    fs::create_dir(dir.join("work"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_nanos();
    record.write_all_at(now.to_string().as_bytes(), 0)?;
    if syncs != Syncs::None {
        record.sync_data()?;
    }
    if syncs == Syncs::All {
        File::open(dir)?.sync_all()?;
        File::open(dir.parent().expect("it is below another"))?.sync_all()?;
    }
    ours.write_all(b"g")?;
    stdout.read_to_end(&mut Vec::new())?;
    stderr.read_to_end(&mut Vec::new())?;
    // SAFETY: nobody wants the status.
    unsafe { waitpid(gate, std::ptr::null_mut(), 0) };
    record.write_all_at(b"0", 4096)?;
    if syncs == Syncs::All {
        record.sync_data()?;
    }
    fs::remove_dir(dir.join("work"))
}
