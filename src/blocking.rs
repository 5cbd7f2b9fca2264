//! Work that may block, on a thread of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does `work` where it may block.
///
/// # Errors
/// Those of `work`, and where the system gives no thread: tokio panics there, which is no reason to stop.
/// It has queued the work all the same, and may do it later: work done twice must not matter.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let thread = catch_unwind(AssertUnwindSafe(|| tokio::task::spawn_blocking(work)));
    let Ok(thread) = thread else { return Err(io::Error::other("no thread can be started")) };
    thread.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
