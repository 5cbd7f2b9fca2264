//! Forking this process, which costs a tenth of executing the binary again, and ending a copy.

use std::ffi::{c_int, c_void};
use std::io;

use rustix::process::Pid;

/// Room for the calls of a process that has this one's memory. Of what it does not use no page is there.
const STACK: usize = 256 << 10;
/// What every architecture is content with.
const ALIGNMENT: usize = 16;

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

/// Lives `life` in a new process, which has this one's memory and copies of its descriptors. This one goes on when
/// that has executed something, or has ended, as it does where `life` returns.
#[expect(
    unsafe_code,
    reason = "the standard library offers it with nothing between the fork and the execution"
)]
pub(super) fn vfork(life: &mut dyn FnMut()) -> io::Result<Pid> {
    extern "C" fn begin(life: *mut c_void) -> c_int {
        // SAFETY: it is the one below, whose process waits.
        unsafe { (*life.cast::<&mut dyn FnMut()>())() };
        1
    }
    let mut life = life;
    let mut stack = Vec::<u8>::with_capacity(STACK);
    let top = stack.as_mut_ptr_range().start.wrapping_add(STACK);
    let top = top.wrapping_sub(top.addr() % ALIGNMENT);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is as large as is said there, and nobody else's; it and `life` are there until this process goes
    // on, and then the new one uses neither. As this process has one thread, nobody sees the memory change.
    match unsafe { libc::clone(begin, top.cast(), flags, (&raw mut life).cast()) } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(Pid::from_raw(pid).expect("a process has a number")),
    }
}

/// Ends this process at once. What a C library does at an exit touches pages of each library, and each is a fault
/// in a copy; nothing of it is needed here, where whatever is written is written by system calls.
#[expect(unsafe_code, reason = "the standard library offers no `_exit`")]
pub(super) fn end(status: i32) -> ! {
    // SAFETY: it never returns, and takes nothing but a number.
    unsafe { libc::_exit(status) }
}
