//! The nursery: the process that forks shims, since executing this binary for each would cost five times
//! as much.
//!
//! It is this program in the role `tekcron shim`, executed once by a daemon, with one thread and little
//! memory. Over its standard input the daemon sends it sockets, one for each task; it forks, and the copy
//! is the shim, which reads its request there. The nursery sees no request. It ends with its daemon, by
//! the end of that socket; the shims, which do not hold it, go on.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{WaitOptions, getpid, set_child_subreaper, setsid, wait};
use rustix::stdio::dup2_stdin;

use super::fork::fork;
use super::title::Title;
use super::wakes::Wakes;
use super::{descriptors, tell};
use crate::executor::local::process;
use crate::executor::local::request::Report;

/// The role: returns when the daemon is gone, and in each shim when its task has ended.
pub(super) fn run() -> io::Result<()> {
    descriptors::close_inherited()?;
    // Out of reach of the terminal's signals. Where it fails, this process leads a session already.
    let _ = setsid();
    // What a killed shim leaves is reaped here, should nobody else do it.
    set_child_subreaper(Some(getpid()))?;
    let daemon = io::stdin().as_fd().try_clone_to_owned()?;
    dup2_stdin(&std::fs::File::open("/dev/null")?)?;
    let (wakes, title) = (Wakes::new()?, Title::find());
    // Once for all shims: a first random number has its function looked up.
    process::boot_id()?;
    let _ = uuid::Uuid::new_v4();
    loop {
        let mut descriptors = [
            PollFd::from_borrowed_fd(daemon.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(wakes.as_fd(), PollFlags::IN),
        ];
        // Interrupted or not, both are looked at.
        let _ = poll(&mut descriptors, None);
        let [asked, woken] = descriptors.map(|descriptor| !descriptor.revents().is_empty());
        if woken {
            wakes.take();
            while wait(WaitOptions::NOHANG).is_ok_and(|ended| ended.is_some()) {}
        }
        if !asked {
            continue;
        }
        let Some(socket) = receive(&daemon)? else { return Ok(()) };
        // Came without one, for want of descriptors: the other end is closed, which tells enough.
        let Some(socket) = socket else { continue };
        match fork() {
            Ok(None) => {
                drop(daemon);
                return super::run(socket, wakes, title);
            }
            Ok(Some(_)) => {}
            Err(error) => {
                let report = Report::Failed(format!("no process can be started: {error}"));
                // Whoever asked may be gone.
                let _ = tell(&mut &socket, &report);
            }
        }
    }
}

/// The next socket; `None` once nobody sends any more.
fn receive(daemon: &OwnedFd) -> io::Result<Option<Option<UnixStream>>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(daemon, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(Some(descriptor.map(UnixStream::from)))
}
