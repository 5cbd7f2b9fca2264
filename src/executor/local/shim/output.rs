//! What a task writes: from its pipes to its log.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use jiff::Timestamp;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionbio, read};

use crate::executor::log::{LogWriter, Stream};

const CHUNK: usize = 64 << 10;
/// More chunks than a pipe can hold.
const LEFT: u32 = 64;

/// The reading ends of a task's output.
#[derive(Debug)]
pub(super) struct Output {
    pipes: Vec<(Stream, File)>,
    /// Room that nobody has written to: a task that says nothing touches none of its pages.
    chunk: Vec<u8>,
}

impl Output {
    pub(super) fn new([stdout, stderr]: [File; 2]) -> io::Result<Self> {
        let pipes = vec![(Stream::Out, stdout), (Stream::Err, stderr)];
        for (_, pipe) in &pipes {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipes, chunk: Vec::with_capacity(CHUNK) })
    }

    /// What to wait for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.pipes.iter().map(|(_, pipe)| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN))
    }

    /// Logs a chunk of each stream that has one. A stream that ended is not waited for any more.
    pub(super) fn pump(&mut self, log: &mut LogWriter, now: Timestamp) {
        let chunk = &mut self.chunk;
        self.pipes.retain(|(stream, pipe)| {
            chunk.clear();
            match read(pipe, spare_capacity(chunk)) {
                Ok(0) => {
                    log.finish(*stream, now);
                    false
                }
                Ok(_) => {
                    log.take(*stream, chunk, now);
                    true
                }
                Err(error) => matches!(error, Errno::AGAIN | Errno::INTR),
            }
        });
    }

    /// Logs what is left when the task has ended. A pipe that somebody outside of the task keeps open is
    /// not waited for.
    pub(super) fn finish(&mut self, log: &mut LogWriter, now: Timestamp) {
        for _ in 0..LEFT {
            if self.pipes.is_empty() {
                return;
            }
            self.pump(log, now);
        }
        for (stream, _) in self.pipes.drain(..) {
            log.finish(stream, now);
        }
    }
}
