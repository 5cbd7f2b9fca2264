//! What a daemon wrote, synced, renamed and answered, in order, as `strace` saw it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Daemon, Place};

/// What reaches files and sockets. `sync_file_range` is not among it: it is no sync.
const CALLS: &str = "openat,write,pwrite64,writev,sendto,fsync,fdatasync,ftruncate,\
                     rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat";

/// One system call began, or ended.
#[derive(Debug)]
pub(crate) struct Event {
    /// The same for the begin and the end of a call.
    pub(crate) thread: u32,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Began(Call),
    /// Whether it succeeded.
    Ended(bool),
}

#[derive(Debug)]
pub(crate) enum Call {
    /// At the end of the file where there is no offset.
    Write {
        path: PathBuf,
        offset: Option<u64>,
        bytes: Vec<u8>,
    },
    /// Everything written before is on disk when it ends.
    Sync {
        path: PathBuf,
    },
    Open {
        path: PathBuf,
        create: bool,
        truncate: bool,
    },
    Truncate {
        path: PathBuf,
        length: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    MakeDir {
        path: PathBuf,
    },
    /// What somebody at a socket is told.
    Tell {
        bytes: Vec<u8>,
    },
    Other,
}

/// Whether a process can be traced here; where it cannot, that is said.
pub(crate) fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-D", "-f", "-o", "/dev/null", "true"]).output();
    let can = traced.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("SKIPPED: there is no strace here that may trace, so what reaches the disk is not known");
    }
    can
}

/// Starts a daemon in `place` whose calls are written to `log`. It is a child of ours, and strace is not.
pub(crate) fn traced(place: &Place, log: &Path, more: &[&str]) -> Daemon {
    let serve = place.command(&["--config", "config", "serve", "--listen", "127.0.0.1:0"]);
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-y", "-xx", "-s", "4000000", "-e", "signal=kill"]);
    strace.arg("-o").arg(log).args(["-e", &format!("trace={CALLS}")]).args(more);
    strace.arg0("strace").arg(serve.get_program()).args(serve.get_args()).current_dir(place.path());
    let stderr = fs::File::options().append(true).create(true).open(place.path().join("log")).unwrap();
    Daemon::started(strace.stderr(stderr))
}

/// Everything in `log` up to the end of the process that it begins with.
pub(crate) fn events(place: &Place, log: &Path) -> Vec<Event> {
    let first = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let is_end = |line: &str, process: &str| {
        line.strip_prefix(process).is_some_and(|rest| rest.trim_start_matches(' ').starts_with("+++ "))
    };
    let text = place.until("the end of the trace", || {
        let text = fs::read_to_string(log).unwrap();
        let process = first(&text);
        (text.ends_with('\n') && text.lines().any(|line| is_end(line, &process))).then_some(text)
    });
    let process = first(&text);
    text.lines().take_while(|line| !is_end(line, &process)).flat_map(parse).collect()
}

fn parse(line: &str) -> Vec<Event> {
    let (thread, rest) = line.split_once(' ').unwrap();
    let thread = thread.parse().unwrap();
    let rest = rest.trim_start();
    let event = |what| Event { thread, what };
    let succeeded = |result: &str| !result.trim_start().starts_with(['-', '?']);
    if rest.starts_with("+++") || rest.starts_with("---") {
        return Vec::new();
    }
    if rest.starts_with("<... ") {
        let (_, result) = rest.rsplit_once(" = ").unwrap();
        return vec![event(What::Ended(succeeded(result)))];
    }
    if let Some(call) = rest.strip_suffix(" <unfinished ...>") {
        return vec![event(What::Began(parse_call(call)))];
    }
    let (call, result) = rest.rsplit_once(" = ").unwrap();
    let call = parse_call(call.trim_end().strip_suffix(')').unwrap());
    vec![event(What::Began(call)), event(What::Ended(succeeded(result)))]
}

fn parse_call(call: &str) -> Call {
    let (name, args) = call.split_once('(').unwrap();
    // Everything that may hold a comma is spelled in hexadecimal.
    let args: Vec<&str> = args.split(", ").collect();
    let number = |index: usize| args[index].parse().unwrap();
    match name {
        "pwrite64" => Call::Write { path: file(args[0]), offset: Some(number(3)), bytes: string(args[1]) },
        "write" | "writev" | "sendto" => {
            let bytes =
                args[1..].iter().filter(|arg| arg.contains('"')).flat_map(|arg| string(arg)).collect();
            match file(args[0]) {
                path if path.is_absolute() => Call::Write { path, offset: None, bytes },
                _ => Call::Tell { bytes },
            }
        }
        "fsync" | "fdatasync" => Call::Sync { path: file(args[0]) },
        "ftruncate" => Call::Truncate { path: file(args[0]), length: number(1) },
        "openat" => {
            let has = |flag| args[2].split('|').any(|other| other == flag);
            Call::Open { path: at(args[0], args[1]), create: has("O_CREAT"), truncate: has("O_TRUNC") }
        }
        "rename" => Call::Rename { from: at("", args[0]), to: at("", args[1]) },
        "renameat" | "renameat2" => Call::Rename { from: at(args[0], args[1]), to: at(args[2], args[3]) },
        "unlink" => Call::Unlink { path: at("", args[0]) },
        "unlinkat" => Call::Unlink { path: at(args[0], args[1]) },
        "mkdir" => Call::MakeDir { path: at("", args[0]) },
        "mkdirat" => Call::MakeDir { path: at(args[0], args[1]) },
        _ => Call::Other,
    }
}

/// The file that a descriptor stands for.
fn file(descriptor: &str) -> PathBuf {
    let path = descriptor.split_once('<').map_or("", |(_, path)| path.trim_end_matches('>'));
    PathBuf::from(String::from_utf8(bytes(path)).unwrap())
}

fn at(dir: &str, path: &str) -> PathBuf {
    file(dir).join(String::from_utf8(string(path)).unwrap())
}

fn string(quoted: &str) -> Vec<u8> {
    quoted.split('"').nth(1).map(bytes).unwrap_or_default()
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
