//! Descriptors that nobody meant to hand down.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::fcntl_getfd;

/// Closes all descriptors but the standard three. What a daemon was started with, a terminal's or a
/// supervisor's, would otherwise stay open as long as its longest task.
///
/// To be called before this process has opened anything.
pub(super) fn close_inherited() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let open: Vec<i32> = names.filter_map(|name| name.parse().ok()).filter(|number| *number > 2).collect();
    for number in open {
        close(number);
    }
    Ok(())
}

#[expect(unsafe_code, reason = "an inherited descriptor has no owner yet")]
fn close(number: i32) {
    // SAFETY: borrowed for this one question, which a closed descriptor answers with an error; the
    // directory that was just read is such a one.
    let is_open = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).is_ok();
    if is_open {
        // SAFETY: this process has one thread and has opened nothing, so the descriptor was inherited,
        // and nothing else owns it.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}
