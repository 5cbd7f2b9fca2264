//! Fault points: places in the code where a test may have the process killed.
//!
//! Only with the cargo feature `fault-points`, which release builds lack; without it [`point`] is
//! nothing. `TEKCRON_FAULT=claimed:3` kills the process, as SIGKILL does, the third time that it comes
//! by `point("claimed")`.

/// A place where the process may be killed.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub(crate) fn point(_name: &str) {}

#[cfg(feature = "fault-points")]
pub(crate) use self::armed::point;

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    struct Fault {
        point: String,
        passes_left: AtomicU64,
    }

    static FAULT: LazyLock<Option<Fault>> = LazyLock::new(|| {
        let wanted = std::env::var("TEKCRON_FAULT").ok()?;
        let (point, pass) = wanted.split_once(':').expect("TEKCRON_FAULT is `POINT:PASS`");
        let passes_left = AtomicU64::new(pass.parse().expect("PASS is a number"));
        Some(Fault { point: point.to_owned(), passes_left })
    });

    /// Kills the process where the environment asks for it.
    pub(crate) fn point(name: &str) {
        let Some(fault) = FAULT.as_ref().filter(|fault| fault.point == name) else { return };
        if fault.passes_left.fetch_sub(1, Ordering::SeqCst) == 1 {
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
            // The signal may reach another thread first; this one goes no further.
            loop {
                std::thread::park();
            }
        }
    }
}
