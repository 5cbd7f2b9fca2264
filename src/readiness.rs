//! Waiting for descriptors that tokio has no type of its own for: timers and processes.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Completes when `descriptor` has something to read.
///
/// # Errors
/// Outside a tokio runtime with I/O, or where the system does not watch such a descriptor.
pub(crate) async fn readable(descriptor: OwnedFd) -> io::Result<()> {
    // SAFETY: `OwnedFd` names the same open descriptor until it is dropped, which is when the
    // `AsyncFd` that owns it has deregistered it.
    #[expect(unsafe_code, reason = "tokio asks for I/O safety, which `OwnedFd` gives")]
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
    watched.readable().await.map(drop)
}
