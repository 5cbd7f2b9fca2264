//! What `/proc` says about the machine and about a process.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

/// The machine and the date, in one line.
pub(crate) fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    format!("{:.0}: {cpus} x {model}, Linux {kernel}, load {}", Timestamp::now(), load())
}

/// The load average of the last minute.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// Resident memory of a process in MiB: all of it, and what is no file.
pub(crate) fn resident(pid: u32) -> [f64; 2] {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ["VmRSS:", "RssAnon:"].map(|key| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN) / 1024.0
    })
}

/// Seconds on a CPU of all threads of a process so far, to the nanosecond.
pub(crate) fn cpu(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

/// Seconds on a CPU of all processes that this one and its children have waited for, so far.
pub(crate) fn cpu_of_children() -> f64 {
    ticks_of_this(16)
}

/// Seconds on a CPU of this process so far, threads that have ended included.
pub(crate) fn cpu_of_this() -> f64 {
    ticks_of_this(14)
}

/// Fields `first` and the next one of proc(5), added up; a hundredth of a second each.
fn ticks_of_this(first: usize) -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    // The first here is the third.
    let ticks = fields.split(' ').skip(first - 3).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Bytes that the files below `dir` take on the disk.
pub(crate) fn bytes_on_disk(dir: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir).expect("the directory can be read");
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_on_disk(&entry.path()),
            Ok(meta) => meta.blocks() as f64 * 512.0,
            Err(_) => 0.0,
        })
        .sum()
}
