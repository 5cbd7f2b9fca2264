//! What wakes a supervisor: the end of a child, and a poke.
//!
//! Both are signals, held back and read from a descriptor (signalfd(2)), so that one `poll` waits for
//! everything and nothing is looked at in vain. Who forks hands the descriptor on: it tells each process of
//! its own signals.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Signal;

/// By which a supervisor is told to look for `terminate`.
pub(in super::super) const POKE: Signal = Signal::USR1;

/// The size of a `signalfd_siginfo`, which begins with the number of its signal.
const INFO: usize = 128;

/// Signals to this process that have not been read.
#[derive(Debug)]
pub(super) struct Wakes {
    signals: File,
}

impl Wakes {
    /// Holds the signals back from now on. What is executed later does not inherit that, by the standard
    /// library's doing.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { signals: File::from(signalfd([Signal::CHILD, POKE])?) })
    }

    /// Takes all that have come. Returns whether a poke is among them.
    pub(super) fn take(&self) -> bool {
        let mut poked = false;
        let mut infos = [0; INFO * 2];
        // Each signal is there once at most.
        while let Ok(length) = (&self.signals).read(&mut infos) {
            let numbers = infos[..length].chunks_exact(INFO).filter_map(|info| info.first_chunk());
            poked |= numbers.copied().any(|number| i32::from_ne_bytes(number) == POKE.as_raw());
        }
        poked
    }
}

impl AsFd for Wakes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

#[expect(unsafe_code, reason = "neither the standard library nor rustix offers signalfd")]
fn signalfd(signals: [Signal; 2]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` makes the set that the others read, all pointers are to locals, and a
    // descriptor that was just made has no other owner.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal.as_raw());
        }
        if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}
