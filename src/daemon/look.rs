use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::blocking::blocking;

/// Looks at files, one look at a time, each on a thread that nothing else waits for: a mount that hangs
/// holds up the next look, and no more.
pub(super) struct Looks(Arc<Semaphore>);

impl Looks {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// What `look` sees. Who stops waiting ends no look that has begun: the next one comes after it.
    ///
    /// # Errors
    /// Where the system gives no thread to look with.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await.expect("nobody closes it");
        blocking(move || {
            let _turn = turn;
            Ok(look())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_holds_up_the_next_look_and_nothing_else() {
        let looks = Looks::new();
        let (release, hangs) = channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let hanging = looks.take(move || {
            begun.send(()).unwrap();
            hangs.recv()
        });
        tokio::select! {
            biased;
            _ = hanging => panic!("it does not hang"),
            begun = has_begun => begun.unwrap(),
        }
        // Nobody waits for it any more; it has its turn nevertheless.
        assert_eq!(looks.0.available_permits(), 0);
        let next = tokio::spawn(async move { looks.take(|| "seen").await });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        release.send(()).unwrap();
        assert_eq!(next.await.unwrap().unwrap(), "seen");
    }
}
