//! The lock by which a shim shows that it lives.
//!
//! A record lock (`fcntl`): it goes with the process however that ends, children do not inherit it,
//! and others may ask who holds it without getting in the way, as `flock` would have them do.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, Pid, PidfdFlags, fcntl_getlk, pidfd_open};

/// Locks `file` until this process ends, or closes any descriptor of the same file.
pub(super) fn take(file: &File) -> io::Result<()> {
    Ok(fcntl_lock(file, FlockOperation::NonBlockingLockExclusive)?)
}

/// The process that holds the lock on `file`, where one does.
pub(super) fn holder_of(file: &File) -> io::Result<Option<Pid>> {
    match fcntl_getlk(file, &Flock::from(FlockType::WriteLock))? {
        None => Ok(None),
        Some(Flock { pid: Some(pid), .. }) => Ok(Some(pid)),
        Some(_) => Err(io::Error::other("its supervisor lives in another process namespace")),
    }
}

/// The process that holds the lock at `path`, where one does. A lock that is not there is not held.
pub(super) fn holder(path: &Path) -> io::Result<Option<Pid>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => holder_of(&file?),
    }
}

/// A descriptor of the process that holds the lock at `path`: readable when it has ended.
pub(super) fn holder_descriptor(path: &Path) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = holder(path)? else { return Ok(None) };
    let descriptor = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        descriptor => descriptor?,
    };
    // Between question and descriptor the number may have gone to another process.
    Ok((holder(path)? == Some(pid)).then_some(descriptor))
}
