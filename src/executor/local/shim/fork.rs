//! Forking this process, which costs a tenth of executing the binary again, and ending a copy.

use std::io;

use rustix::process::Pid;

/// Forks: the process that is the new one gets `None`, and with it a copy of everything. Only for roles
/// of this binary that have one thread and little memory; the daemon has many and much.
#[expect(unsafe_code, reason = "the standard library offers no fork")]
pub(super) fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: this process has one thread, so no lock is held by a thread that the copy lacks, and the
    // copy may go on with all that it finds.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Ends this process at once. What a C library does at an exit touches pages of each library, and each is a fault
/// in a copy; nothing of it is needed here, where whatever is written is written by system calls.
#[expect(unsafe_code, reason = "the standard library offers no `_exit`")]
pub(super) fn end(status: i32) -> ! {
    // SAFETY: it never returns, and takes nothing but a number.
    unsafe { libc::_exit(status) }
}
