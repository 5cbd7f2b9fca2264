//! Copying the log of a pod's containers into the log store, each line once.
//!
//! The API server gives lines with the time at which the container runtime read them. After a broken
//! connection, or a restart of the daemon, the log is asked for again from a little before the newest line that
//! is here, and what is here is passed over (`copied`). Few logs are followed at once, since each takes a
//! connection; the others are read now and then, just before their run times out, since its pod goes then, and
//! all of them once more when their container has ended. What is told to end is followed to its last words, where there
//! is a connection for it. A log that is not being read takes no file.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::OptionFuture;
use futures::io::AsyncBufReadExt;
use jiff::{SignedDuration, Timestamp};
use kube::api::LogParams;
use kube::core::Status;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::board::Container;
use super::client::{Cluster, LATE, REQUEST};
use super::copied::Copied;
use super::emit::Emitter;
use super::executor::log_dir;
use super::redact::Redactor;
use super::told::{Told, Writing};
use crate::blocking::blocking;
use crate::causes::in_full;
use crate::clock::SharedClock;
use crate::executor::log::{LogWriter, Stream, size};
use crate::push::SourceKey;
use crate::task::{LogSize, TaskName};

/// Logs that are read at once without being followed.
const READ: usize = 32;
/// Between two looks at a log that is not followed; the more there are, the less often each is looked at.
const PAUSE: Duration = Duration::from_secs(5);
const LOOKS_PER_SECOND: f64 = 50.0;
/// How long before a run times out its log is looked at whatever else there is.
const AHEAD: SignedDuration = SignedDuration::from_secs(10);
/// After a connection that ended early.
const AFTER_BREAK: Duration = Duration::from_secs(1);
/// How often the end of a log is asked for again where the cluster does not give it: a namespace that is being
/// deleted waits for less than a minute, with what each of them may take.
const TRIES: u32 = 2;

/// For so long last words are waited for: a pod has half a minute to end.
const LAST_WORDS: Duration = Duration::from_secs(35);

/// Copies logs.
pub(super) struct Copier {
    cluster: Cluster,
    clock: SharedClock,
    data_dir: PathBuf,
    max_log: u64,
    max_followed: usize,
    followed: Semaphore,
    readers: Semaphore,
    /// Copies under way.
    copies: AtomicUsize,
    /// How often a log was opened.
    opened: AtomicUsize,
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
    container: Box<Container>,
    /// None between two looks, and where the log store cannot be written to.
    sink: Option<Box<Sink>>,
    /// Until when its last words are waited for, by the clock that only goes forward.
    last_words: Option<Duration>,
}

impl Copier {
    /// Copies logs of at most `max_log` bytes each, `max_followed` of them as they are written.
    pub(super) fn new(
        cluster: Cluster,
        clock: SharedClock,
        data_dir: PathBuf,
        max_log: u64,
        max_followed: usize,
    ) -> Self {
        let (followed, readers) = (Semaphore::new(max_followed), Semaphore::new(READ));
        let (copies, opened) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { cluster, clock, data_dir, max_log, max_followed, followed, readers, copies, opened }
    }

    /// How often a log was opened since this was asked before.
    pub(super) fn opened(&self) -> usize {
        self.opened.swap(0, Ordering::Relaxed)
    }

    /// Copies the log of `container` until it has ended, and returns what is kept.
    pub(super) async fn copy(&self, container: Box<Container>) -> (TaskName, LogSize) {
        self.copies.fetch_add(1, Ordering::Relaxed);
        let mut copying = Copying { container, sink: None, last_words: None };
        self.copy_all(&mut copying).await;
        self.copies.fetch_sub(1, Ordering::Relaxed);
        let Copying { container, sink, .. } = copying;
        let size = Box::pin(finish(sink, log_dir(&self.data_dir, &container.name))).await;
        (container.name, size)
    }

    async fn copy_all(&self, copying: &mut Copying) {
        let mut tries = 0;
        let mut pause = self.first_pause(copying);
        loop {
            let Told { writing, gone, asked } = copying.container.told.take();
            if gone {
                return;
            }
            let ended = writing != Writing::On;
            if writing == Writing::LastWords && copying.last_words.is_none() {
                copying.last_words = Some(self.clock.monotonic() + LAST_WORDS);
            }
            let speaks = self.last_words(copying).is_some_and(|left| !left.is_zero());
            let is_asked = !asked.is_empty();
            let wanted = ended || is_asked;
            let follows = !is_asked && (speaks || !ended);
            let place = if follows { self.followed.try_acquire().ok() } else { None };
            let is_last = ended && (!speaks || !is_asked);
            let read = match pause {
                Some(_) if !wanted && place.is_none() => Read::Whole,
                // Most copies wait most of the time, for which a small future does.
                _ => Box::pin(self.read(copying, place.is_some())).await,
            };
            drop(place);
            for asked in asked {
                // Who asked may have gone.
                let _ = asked.send(());
            }
            match read {
                Read::Gone => return,
                Read::Whole if is_last => return,
                Read::Interrupted => continue,
                Read::Whole => {}
                Read::Broken(error) => {
                    tracing::debug!(task = %copying.container.name, error, "reading a log was broken off");
                    tries += u32::from(ended);
                    if tries > TRIES {
                        tracing::warn!(task = %copying.container.name, error, "the end of a log cannot be had");
                        let note = "the rest could not be read from the cluster";
                        Box::pin(copying.write(move |sink, now| sink.log.note(note, now), self)).await;
                        return;
                    }
                }
            }
            if copying.sink.as_ref().is_some_and(|sink| sink.copied.is_between_lines()) {
                copying.sink = None;
            }
            let pause = pause.take().unwrap_or_else(|| self.pause(copying, ended));
            tokio::select! {
                () = self.clock.rest(pause) => {}
                () = copying.container.told.changed() => {}
            }
        }
    }

    /// For how long last words are waited for yet, where there may be some.
    fn last_words(&self, copying: &Copying) -> Option<Duration> {
        copying.last_words.map(|until| until.saturating_sub(self.clock.monotonic()))
    }

    /// Those that are not followed are not all looked at at once, even where all of them begin at once.
    fn first_pause(&self, copying: &Copying) -> Option<Duration> {
        let mut hasher = DefaultHasher::new();
        copying.container.name.hash(&mut hasher);
        let share = (hasher.finish() % 1024) as f64 / 1024.0;
        Some(self.pause(copying, false).mul_f64(share))
    }

    /// Until a log is looked at again.
    fn pause(&self, copying: &Copying, ended: bool) -> Duration {
        if ended || self.followed.available_permits() > 0 {
            return AFTER_BREAK;
        }
        let not_followed = self.copies.load(Ordering::Relaxed).saturating_sub(self.max_followed);
        let left = copying.container.times_out.map(|over| over.duration_since(self.clock.now()));
        until_next_look(not_followed, left)
    }

    /// Reads what is new: to the end of the log, or for as long as the container writes.
    async fn read(&self, copying: &mut Copying, follow: bool) -> Read {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let _reader = if follow { None } else { self.readers.acquire().await.ok() };
        if copying.sink.is_none() {
            copying.open(self).await;
        }
        // Each begins to write when the one before it has ended: their lines are in the order of their times.
        for (index, container) in copying.container.containers.clone().iter().enumerate() {
            match self.read_container(copying, container, index == 0, follow).await {
                Read::Whole => {}
                stopped => return stopped,
            }
        }
        Read::Whole
    }

    async fn read_container(
        &self,
        copying: &mut Copying,
        container: &str,
        first: bool,
        follow: bool,
    ) -> Read {
        let Some(sink) = &mut copying.sink else { return Read::Whole };
        let params = LogParams {
            container: Some(container.to_owned()),
            follow,
            timestamps: true,
            since_time: sink.copied.since(),
            ..LogParams::default()
        };
        let over = self.last_words(copying).map(|left| self.clock.rest(left));
        let over = OptionFuture::from(over);
        tokio::pin!(over);
        let pod = copying.container.pod.clone();
        let opened = tokio::select! {
            opened = self.in_time(self.cluster.pods.log_stream(&pod, &params)) => opened,
            () = copying.container.told.changed(), if follow => return Read::Interrupted,
        };
        let mut stream = match opened {
            None => return Read::Broken(LATE.to_owned()),
            Some(Ok(stream)) => stream,
            Some(Err(kube::Error::Api(status))) if status.code == 404 && !is_of_the_node(&status) => {
                return Read::Gone;
            }
            Some(Err(error)) => return Read::Broken(in_full(&error)),
        };
        match &mut copying.sink {
            Some(sink) if first => sink.begin(),
            _ => copying.write(|sink, _| sink.go_on(), self).await,
        }
        loop {
            let chunk = tokio::select! {
                chunk = stream.fill_buf() => chunk.map(<[u8]>::to_vec),
                () = copying.container.told.changed(), if follow => return Read::Interrupted,
                Some(()) = &mut over, if follow => return Read::Interrupted,
                // Who follows waits for as long as nothing is written.
                () = self.clock.rest(REQUEST), if !follow => return Read::Broken(LATE.to_owned()),
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
            () = self.clock.rest(REQUEST) => None,
        }
    }
}

impl Copying {
    async fn open(&mut self, copier: &Copier) {
        let (into, most) = (log_dir(&copier.data_dir, &self.container.name), copier.max_log);
        let emitter = self.container.origin.clone().map(Emitter::new);
        let (data_dir, build) = (copier.data_dir.clone(), self.container.name.clone());
        let source = self.container.source;
        let sink = blocking(move || {
            let token =
                source.map(|source| Ok::<_, io::Error>(SourceKey::open(&data_dir)?.token(&build, &source)));
            Sink::open(&into, most, emitter, token.transpose()?)
        });
        let sink = sink.await;
        let sink = sink.inspect_err(|error| {
            tracing::warn!(task = %self.container.name, %error, "the log store cannot be written to; a log is not kept");
        });
        self.sink = sink.ok().map(Box::new);
    }

    async fn write(&mut self, write: impl FnOnce(&mut Sink, Timestamp) + Send + 'static, copier: &Copier) {
        let Some(mut sink) = self.sink.take() else { return };
        let now = copier.clock.now();
        let written = blocking(move || {
            write(&mut sink, now);
            Ok(sink)
        });
        self.sink = written.await.ok();
    }
}

/// Whether a node says that it has no such log: one that has just begun again does not know its pods yet. That a pod
/// is gone, the API server says of the pod.
fn is_of_the_node(status: &Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "pods/log")
}

/// Until one of so many logs that are not followed is looked at again, whose run has so much time left.
fn until_next_look(not_followed: usize, left: Option<SignedDuration>) -> Duration {
    let pause = PAUSE.max(Duration::from_secs_f64(not_followed as f64 / LOOKS_PER_SECOND));
    let Some(left) = left else { return pause };
    match Duration::try_from(left - AHEAD) {
        Ok(until) => pause.min(until.max(AFTER_BREAK)),
        Err(_) if left.is_positive() => PAUSE,
        Err(_) => pause,
    }
}

async fn finish(sink: Option<Box<Sink>>, dir: PathBuf) -> LogSize {
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
    /// What is not to be seen goes before anything else is made of a line: it is the same each time it is read.
    redactor: Option<Redactor>,
    emitter: Option<Emitter>,
}

impl Sink {
    fn open(
        dir: &Path,
        most: u64,
        emitter: Option<Emitter>,
        secret: Option<SecretString>,
    ) -> io::Result<Self> {
        // The directory of all logs; that of this one is made with its first line.
        dir.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        Ok(Self {
            copied: Copied::of(dir)?,
            log: LogWriter::resume(dir.to_owned(), most)?,
            redactor: secret.map(Redactor::new),
            emitter,
        })
    }

    /// Begins to read again, with the first container.
    fn begin(&mut self) {
        // It comes again.
        self.redactor.iter_mut().for_each(|redactor| drop(redactor.rest()));
        self.copied.begin();
    }

    /// Goes on with another container, which has begun: the one before it has ended.
    fn go_on(&mut self) {
        self.take_rest();
        let Self { log, copied, emitter, .. } = self;
        copied.end(|text, time| write(log, emitter, text, time));
        copied.begin();
    }

    fn take(&mut self, chunk: &[u8]) {
        let Self { log, copied, redactor, emitter } = self;
        let chunk =
            redactor.as_mut().map_or(Cow::Borrowed(chunk), |redactor| Cow::Owned(redactor.take(chunk)));
        copied.take(&chunk, |text, time| write(log, emitter, text, time));
    }

    /// The container has written no more for now.
    fn pause(&mut self) {
        let Self { log, copied, redactor, emitter } = self;
        // Without what is kept back a line cannot be told from one that is here.
        if !redactor.as_ref().is_some_and(Redactor::keeps_back) {
            copied.pause(|text, time| write(log, emitter, text, time));
        }
    }

    /// The container will write no more: what was kept back is no secret.
    fn take_rest(&mut self) {
        let Self { log, copied, redactor, emitter } = self;
        let rest = redactor.as_mut().map(Redactor::rest).unwrap_or_default();
        copied.take(&rest, |text, time| write(log, emitter, text, time));
    }

    fn finish(&mut self) {
        self.take_rest();
        self.pause();
        let time = self.copied.newest().unwrap_or_default();
        self.log.finish(Stream::Out, time);
        self.log.close();
        if let Some(emitter) = &mut self.emitter {
            emitter.finish(time, &mut io::stdout().lock());
        }
    }
}

fn write(log: &mut LogWriter, emitter: &mut Option<Emitter>, text: &[u8], time: Timestamp) {
    log.take(Stream::Out, text, time);
    if let Some(emitter) = emitter {
        emitter.take(text, time, &mut io::stdout().lock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::log::LogReader;

    #[test]
    fn the_more_logs_the_less_often_but_always_just_before_a_time_out() {
        let seconds =
            |logs, left: Option<i64>| until_next_look(logs, left.map(SignedDuration::from_secs)).as_secs();
        assert_eq!([0, 250, 1_000, 10_000].map(|logs| seconds(logs, None)), [5, 5, 20, 200]);
        assert_eq!([3_600, 70, 15, 10, 4].map(|left| seconds(10_000, Some(left))), [200, 60, 5, 1, 5]);
        // A run that goes on after its time is one whose clock is another.
        assert_eq!(seconds(10_000, Some(-1)), 200);
    }

    /// Two steps, whose last lines have no end, and go on as the secret begins.
    const STEPS: [&[&str]; 2] = [
        &["2026-12-01T02:00:04.1Z fetching\n", "2026-12-01T02:00:05.1Z abcd, by ab"],
        &["2026-12-01T02:00:05.2Z ab\n", "2026-12-01T02:00:09.1Z ab"],
    ];

    fn sink(dir: &Path) -> Sink {
        Sink::open(&dir.join("log"), 1 << 20, None, Some("abcd".into())).unwrap()
    }

    /// Reads both steps, or breaks off after so many bytes.
    fn read(sink: &mut Sink, mut most: usize) {
        for (index, lines) in STEPS.iter().enumerate() {
            let since = sink.copied.since();
            let is_new =
                |line: &&&str| since.is_none_or(|since| line[..22].parse::<Timestamp>().unwrap() >= since);
            let text: String = lines.iter().filter(is_new).copied().collect();
            if index == 0 {
                sink.begin()
            } else {
                sink.go_on()
            }
            sink.take(&text.as_bytes()[..most.min(text.len())]);
            if most < text.len() {
                return;
            }
            most -= text.len();
            sink.pause();
        }
    }

    fn log(dir: &Path) -> String {
        let mut reader = LogReader::new(dir.join("log"), false);
        let text = std::iter::from_fn(|| reader.read().unwrap()).flatten().collect();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn steps_are_here_once_and_without_the_secret_wherever_a_reading_breaks_off() {
        let whole: usize = STEPS.concat().iter().map(|line| line.len()).sum();
        for (first, second, restart) in (0..=whole)
            .flat_map(|first| [0, 30, 75, whole].map(|second| (first, second)))
            .flat_map(|(first, second)| [false, true].map(|restart| (first, second, restart)))
        {
            let dir = tempfile::tempdir().unwrap();
            let mut copying = sink(dir.path());
            for most in [first, second] {
                read(&mut copying, most);
                if restart {
                    copying = sink(dir.path());
                }
            }
            read(&mut copying, whole);
            copying.finish();
            let told = "fetching\n[redacted], by ab\nab\nab";
            assert_eq!(log(dir.path()), told, "broken off at {first} and {second}, restarted: {restart}");
        }
    }

    /// A container that has not begun says nothing of the one before it.
    #[test]
    fn what_may_be_a_secret_waits_for_the_end_of_its_container() {
        let dir = tempfile::tempdir().unwrap();
        let mut copying = sink(dir.path());
        for more in ["", "cd, and on\n"] {
            copying.begin();
            copying.take(format!("{}{more}", STEPS[0].concat()).as_bytes());
            copying.pause();
        }
        copying.finish();
        assert_eq!(log(dir.path()), "fetching\n[redacted], by [redacted], and on\n");
    }
}
