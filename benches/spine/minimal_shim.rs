//! The least that a durable supervisor of one task can be, as a bound for ours: the same files, syncs
//! and processes, and nothing else. Built alone, by `processes.rs`.
//!
//! `minimal-shim DIR [all|one|none]`: how many of the syncs it makes; `one` is the one before the
//! command runs.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

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
    if argument == "gate" { gate() } else { supervise(Path::new(&argument), syncs) }
}

fn gate() -> io::Result<()> {
    io::stdin().read_exact(&mut [0])?;
    Err(Command::new("/bin/true").env_clear().stdin(Stdio::null()).exec())
}

fn supervise(dir: &Path, syncs: Syncs) -> io::Result<()> {
    let new = dir.with_extension("new");
    fs::create_dir(&new)?;
    write(&new.join("run"), &[b'{'; 2048], syncs)?;
    fs::write(new.join("exit.new"), [b' '; 4096])?;
    fs::create_dir(new.join("log"))?;
    sync_dir(&new, syncs)?;
    fs::rename(&new, dir)?;
    sync_dir(dir.parent().expect("it is below another"), syncs)?;
    fs::create_dir(dir.join("work"))?;
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut gate = Command::new("/proc/self/exe")
        .arg("gate")
        .env_clear()
        .current_dir(dir.join("work"))
        .process_group(0)
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_nanos();
    write(&dir.join("started"), now.to_string().as_bytes(), syncs)?;
    if syncs == Syncs::One {
        File::open(dir.join("started"))?.sync_data()?;
    }
    ours.write_all(b"g")?;
    gate.wait()?;
    write(&dir.join("exit"), b"0", syncs)?;
    fs::remove_dir(dir.join("work"))
}

fn write(path: &Path, bytes: &[u8], syncs: Syncs) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(false).open(&new)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    if syncs == Syncs::All {
        file.sync_all()?;
    }
    fs::rename(&new, path)?;
    sync_dir(path.parent().expect("it is below a directory"), syncs)
}

fn sync_dir(dir: &Path, syncs: Syncs) -> io::Result<()> {
    if syncs == Syncs::All { File::open(dir)?.sync_all() } else { Ok(()) }
}
