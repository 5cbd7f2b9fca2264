//! Work that may block, on a thread of its own; and work that nobody who hangs up may cut off.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

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

/// Does `work`, to its end also where whoever waits for it goes away: a request ends in the middle when its connection
/// does.
pub(crate) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends, and with it whoever waits here.
            Err(_) => std::future::pending().await,
        },
    }
}
