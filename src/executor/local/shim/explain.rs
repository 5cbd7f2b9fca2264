//! How a task ended, in words.

use jiff::Timestamp;
use rustix::process::WaitStatus;

use crate::app::ByteSize;
use crate::executor::local::cgroup::Shortage;
use crate::executor::local::request::Request;
use crate::task::{LogSize, Outcome, Phase};

/// How a task ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The command never ran.
    NotStarted(String),
    /// The command ended by itself.
    Exited(WaitStatus),
    /// It was ended by its shim.
    Asked(Reason),
    /// It was ended by the kernel, for want of memory.
    OutOfMemory(Shortage),
}

/// Why a shim ends a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody wanted it.
    Terminated,
    /// It ran too long.
    TimedOut,
    /// It used so many bytes, more than its limit.
    TooMuchMemory(u64),
}

/// The outcome of a task that ended so.
pub(super) fn outcome(
    ending: Ending,
    request: &Request,
    started: Option<Timestamp>,
    finished: Timestamp,
    log: LogSize,
) -> Outcome {
    let (phase, exit_code, reason, message) = match ending {
        Ending::NotStarted(why) => (Phase::Failed, None, "StartError", why),
        Ending::Exited(status) => exited(status),
        Ending::Asked(Reason::Terminated) => {
            (Phase::Cancelled, None, "Cancelled", "it was terminated".to_owned())
        }
        Ending::Asked(Reason::TimedOut) => {
            let limit = request.timeout.unwrap_or_default();
            let message = format!("it ran longer than its time-out of {limit:#}");
            (Phase::TimedOut, None, "PipelineRunTimeout", message)
        }
        Ending::Asked(Reason::TooMuchMemory(used)) => {
            out_of_memory(too_much_memory(used, request.limits.memory.unwrap_or_default()))
        }
        Ending::OutOfMemory(shortage) => out_of_memory(killed_for(shortage, request.limits.memory)),
    };
    Outcome { phase, exit_code, reason: reason.to_owned(), message, started, finished, log, image: None }
}

fn exited(status: WaitStatus) -> (Phase, Option<i32>, &'static str, String) {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => (Phase::Succeeded, Some(0), "Completed", "it ended with exit code 0".to_owned()),
        (Some(code), _) => (Phase::Failed, Some(code), "Error", in_words(code)),
        (None, Some(signal)) => {
            let name = signal_name(signal);
            // What a shell makes of it.
            (Phase::Failed, Some(128 + signal), "Error", format!("it was killed by {name}"))
        }
        (None, None) => (Phase::Failed, None, "Error", "it ended in an unknown way".to_owned()),
    }
}

fn in_words(code: i32) -> String {
    let because = match code {
        126 => ", by which a shell says that a command was found and could not be executed",
        127 => ", by which a shell says that a command was not found",
        129..=192 => {
            let name = signal_name(code - 128);
            return format!(
                "it ended with exit code {code}, by which a shell says that a command was killed by {name}"
            );
        }
        _ => "",
    };
    format!("it ended with exit code {code}{because}")
}

fn out_of_memory(message: String) -> (Phase, Option<i32>, &'static str, String) {
    (Phase::Failed, Some(128 + 9), "OOMKilled", message)
}

fn too_much_memory(used: u64, limit: u64) -> String {
    let (used, limit) = (ByteSize::from_bytes(used).mebibytes(), ByteSize::from_bytes(limit));
    format!("it used {used}Mi of memory, more than its limit of {limit}, and was killed")
}

fn killed_for(shortage: Shortage, limit: Option<u64>) -> String {
    match limit.filter(|_| shortage == Shortage::Limit) {
        Some(limit) => {
            let limit = ByteSize::from_bytes(limit);
            format!("it needed more memory than its limit of {limit}, and was killed")
        }
        None => "the machine, or the service as a whole, was out of memory, and it was killed".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let known = usize::try_from(signal - 1).ok().and_then(|index| NAMES.get(index));
    known.map_or_else(|| format!("signal {signal}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_signals_have_words() {
        assert_eq!(in_words(3), "it ended with exit code 3");
        assert!(in_words(127).ends_with("a command was not found"));
        assert!(in_words(139).ends_with("killed by SIGSEGV"));
        assert_eq!(signal_name(15), "SIGTERM");
        assert_eq!(signal_name(31), "SIGSYS");
        assert_eq!(signal_name(34), "signal 34");
        assert_eq!(signal_name(0), "signal 0");
    }

    #[test]
    fn memory_is_stated_beside_its_limit() {
        let message = too_much_memory(100 << 20, 32 << 20);
        assert_eq!(message, "it used 100Mi of memory, more than its limit of 32Mi, and was killed");
        let message = killed_for(Shortage::Limit, Some(32 << 20));
        assert_eq!(message, "it needed more memory than its limit of 32Mi, and was killed");
        for limit in [None, Some(32 << 20)] {
            let message = killed_for(Shortage::Machine, limit);
            assert_eq!(
                message,
                "the machine, or the service as a whole, was out of memory, and it was killed"
            );
        }
    }
}
