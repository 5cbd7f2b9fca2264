//! The daemon's side of the [nursery](super::shim): one process that is asked for a shim for each task.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::shim;

/// Starts the nursery when it is needed, and again when it has gone.
pub(super) struct Spawner {
    program: PathBuf,
    nursery: Mutex<Option<Arc<Nursery>>>,
}

struct Nursery {
    process: Child,
    socket: UnixStream,
}

impl Spawner {
    /// Spawns by the tekcron binary `program`.
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, nursery: Mutex::default() }
    }

    /// Has a shim started that reads its request from `socket`. One that cannot be started says so there,
    /// or closes it.
    ///
    /// # Errors
    /// Where no nursery can be started, or asked.
    pub(super) async fn spawn(&self, socket: StdSocket) -> io::Result<()> {
        let socket = OwnedFd::from(socket);
        let nursery = self.nursery(None)?;
        match nursery.send(&socket).await {
            Err(error) if is_gone(&error) => self.nursery(Some(&nursery))?.send(&socket).await,
            sent => sent,
        }
    }

    /// The nursery, another one than `gone`.
    fn nursery(&self, gone: Option<&Arc<Nursery>>) -> io::Result<Arc<Nursery>> {
        let mut current = self.nursery.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(nursery) if gone.is_none_or(|gone| !Arc::ptr_eq(nursery, gone)) => Ok(Arc::clone(nursery)),
            _ => {
                *current = None;
                let nursery = Arc::new(Nursery::start(&self.program)?);
                *current = Some(Arc::clone(&nursery));
                Ok(nursery)
            }
        }
    }
}

impl Nursery {
    /// Nothing here makes the standard library fork: with a large daemon that would take long.
    fn start(program: &PathBuf) -> io::Result<Self> {
        let (ours, theirs) = StdSocket::pair()?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let process = Command::new(program)
            .args([shim::ROLE, &shim::blank_title()])
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { process, socket })
    }

    async fn send(&self, socket: &OwnedFd) -> io::Result<()> {
        let send = || {
            let descriptors = [socket.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            Ok(sendmsg(&self.socket, &[IoSlice::new(b"s")], &mut control, SendFlags::NOSIGNAL)?)
        };
        self.socket.async_io(Interest::WRITABLE, send).await.map(drop)
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        // It has nothing to finish: each shim is a process of its own.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
