//! Copying the log of a container into the log store, each line once.
//!
//! The API server gives lines with the time at which the container runtime read them. After a broken
//! connection, or a restart of the daemon, the log is asked for again from a little before the newest line that
//! is here, and what is here is passed over (`copied`). Few logs are followed at once, since each takes a
//! connection; the others are read now and then, and all of them once more when their container has ended.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::io::AsyncBufReadExt;
use kube::api::LogParams;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::board::Container;
use super::client::{Cluster, REQUEST};
use super::copied::Copied;
use super::emit::Emitter;
use crate::blocking::blocking;
use crate::causes::in_full;
use crate::clock::SharedClock;
use crate::executor::log::{LogWriter, Stream, size};
use crate::task::LogSize;

/// Logs that are followed at once.
pub(super) const FOLLOWED: usize = 256;
/// Between two looks at a log that is not followed; after a connection that ended early.
const PAUSE: Duration = Duration::from_secs(5);
const AFTER_BREAK: Duration = Duration::from_secs(1);
/// How often the end of a log is asked for again where the cluster does not give it: a namespace that is being
/// deleted waits for less than a minute, with what each of them may take.
const TRIES: u32 = 2;
const LATE: &str = "the API server did not answer in time";

/// Asks for everything that was written up to now; answered when it is here.
pub(super) type Flush = oneshot::Sender<()>;

/// Copies logs.
pub(super) struct Copier {
    pub(super) cluster: Cluster,
    pub(super) clock: SharedClock,
    pub(super) followed: Arc<Semaphore>,
    pub(super) max_log: u64,
    /// Whether lines go to our own output too.
    pub(super) emit: bool,
}

/// How a reading of the log ended.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// With all there is.
    Whole,
    /// Something else is to be done first.
    Interrupted,
    /// In the middle.
    Broken(String),
    /// There is no such container any more.
    Gone,
}

/// One copy under way.
struct Copying {
    container: Container,
    flushes: mpsc::Receiver<Flush>,
    /// Who waits for what was written up to now.
    asked: Option<Flush>,
    /// None where the log store cannot be written to.
    sink: Option<Sink>,
}

impl Copier {
    /// Copies the log of `container` to directory `dir` until it has ended, and returns what is kept.
    pub(super) async fn copy(
        &self,
        dir: PathBuf,
        container: Container,
        flushes: mpsc::Receiver<Flush>,
    ) -> LogSize {
        let (into, most) = (dir.clone(), self.max_log);
        let emitter = self.emit.then(|| Emitter::new(container.origin.clone()));
        let sink = blocking(move || Sink::open(&into, most, emitter)).await;
        let sink = sink.inspect_err(|error| {
            tracing::warn!(task = %container.name, %error, "the log store cannot be written to; a log is not kept");
        });
        let mut copying = Copying { container, flushes, asked: None, sink: sink.ok() };
        let mut tries = 0;
        loop {
            let ended = *copying.container.ended.borrow_and_update();
            let asked = copying.asked.take();
            let place = match ended || asked.is_some() {
                true => None,
                false => Arc::clone(&self.followed).try_acquire_owned().ok(),
            };
            let read = self.read(&mut copying, place.is_some()).await;
            drop(place);
            if let Some(asked) = asked {
                // Who asked may have gone.
                let _ = asked.send(());
            }
            match read {
                Read::Gone => break,
                Read::Whole if ended => break,
                Read::Interrupted => continue,
                Read::Whole => {}
                Read::Broken(error) => {
                    tracing::debug!(task = %copying.container.name, error, "reading a log was broken off");
                    tries += u32::from(ended);
                    if tries > TRIES {
                        tracing::warn!(task = %copying.container.name, error, "the end of a log cannot be had");
                        copying
                            .write(
                                |sink, now| sink.log.note("the rest could not be read from the cluster", now),
                                self,
                            )
                            .await;
                        break;
                    }
                }
            }
            let pause = if ended || self.followed.available_permits() > 0 { AFTER_BREAK } else { PAUSE };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                goes_on = copying.interrupted() => if !goes_on { break },
            }
        }
        finish(copying.sink, dir).await
    }

    /// Reads what is new: to the end of the log, or for as long as the container writes.
    async fn read(&self, copying: &mut Copying, follow: bool) -> Read {
        let Some(sink) = &mut copying.sink else { return Read::Whole };
        let params = LogParams {
            container: Some(copying.container.container.clone()),
            follow,
            timestamps: true,
            since_time: sink.copied.begin(),
            ..LogParams::default()
        };
        let pod = copying.container.pod.clone();
        let opened = tokio::select! {
            opened = self.in_time(self.cluster.pods.log_stream(&pod, &params)) => opened,
            _ = copying.interrupted(), if follow => return Read::Interrupted,
        };
        let mut stream = match opened {
            None => return Read::Broken(LATE.to_owned()),
            Some(Ok(stream)) => stream,
            Some(Err(kube::Error::Api(status))) if status.code == 404 => return Read::Gone,
            Some(Err(error)) => return Read::Broken(in_full(&error)),
        };
        loop {
            let chunk = tokio::select! {
                chunk = stream.fill_buf() => chunk.map(<[u8]>::to_vec),
                _ = copying.interrupted(), if follow => return Read::Interrupted,
                // Who follows waits for as long as nothing is written.
                () = self.clock.sleep(REQUEST), if !follow => return Read::Broken(LATE.to_owned()),
            };
            match chunk {
                Ok(chunk) if chunk.is_empty() => break,
                Ok(chunk) => {
                    stream.consume_unpin(chunk.len());
                    copying.write(move |sink, _| sink.take(&chunk), self).await;
                }
                Err(error) => return Read::Broken(error.to_string()),
            }
        }
        copying.write(|sink, _| sink.pause(), self).await;
        Read::Whole
    }

    async fn in_time<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            answer = request => Some(answer),
            () = self.clock.sleep(REQUEST) => None,
        }
    }
}

impl Copying {
    /// Completes when the container has ended, or somebody wants it all now. False when nobody holds the
    /// other end.
    async fn interrupted(&mut self) -> bool {
        tokio::select! {
            changed = self.container.ended.changed() => changed.is_ok(),
            flush = self.flushes.recv() => {
                self.asked = flush;
                self.asked.is_some()
            }
        }
    }

    async fn write(
        &mut self,
        write: impl FnOnce(&mut Sink, jiff::Timestamp) + Send + 'static,
        copier: &Copier,
    ) {
        let Some(mut sink) = self.sink.take() else { return };
        let now = copier.clock.now();
        let written = blocking(move || {
            write(&mut sink, now);
            Ok(sink)
        });
        self.sink = written.await.ok();
    }
}

async fn finish(sink: Option<Sink>, dir: PathBuf) -> LogSize {
    let finished = blocking(move || {
        if let Some(mut sink) = sink {
            sink.finish();
        }
        size(&dir)
    });
    finished.await.unwrap_or_default()
}

/// Writes what is new.
#[derive(Debug)]
struct Sink {
    log: LogWriter,
    copied: Copied,
    emitter: Option<Emitter>,
}

impl Sink {
    fn open(dir: &Path, most: u64, emitter: Option<Emitter>) -> io::Result<Self> {
        // The directory of all logs; that of this one is made with its first line.
        dir.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        Ok(Self { copied: Copied::of(dir)?, log: LogWriter::resume(dir.to_owned(), most)?, emitter })
    }

    fn take(&mut self, chunk: &[u8]) {
        let Self { log, copied, emitter } = self;
        copied.take(chunk, |text, time| write(log, emitter, text, time));
    }

    fn pause(&mut self) {
        let Self { log, copied, emitter } = self;
        copied.pause(|text, time| write(log, emitter, text, time));
    }

    fn finish(&mut self) {
        let time = self.copied.newest().unwrap_or_default();
        self.log.finish(Stream::Out, time);
        self.log.close();
        if let Some(emitter) = &mut self.emitter {
            emitter.finish(time, &mut io::stdout().lock());
        }
    }
}

fn write(log: &mut LogWriter, emitter: &mut Option<Emitter>, text: &[u8], time: jiff::Timestamp) {
    log.take(Stream::Out, text, time);
    if let Some(emitter) = emitter {
        emitter.take(text, time, &mut io::stdout().lock());
    }
}
