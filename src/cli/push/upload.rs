use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream;
use reqwest::StatusCode;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use super::{CliError, PushError, Session, progress, say, wait};
use crate::api::client::{Client, ClientError};
use crate::api::resources::SourceResource;
use crate::push::{PackError, Packed, Tree};

/// So many bytes are sent as one piece.
const PIECE: usize = 256 << 10;

/// So many pieces are ready before they are sent.
const AHEAD: usize = 4;

/// How many times another offset than the service just told is put up with.
const DISPUTES: usize = 5;

/// Reads `tree` once, to know its name.
pub(super) fn pack(tree: &Tree, directory: &Path) -> Result<Packed, PushError> {
    let all = tree.length()?;
    let mut drawn = 0;
    let packed = tree.hash(|done| {
        if done - drawn > all / 50 {
            progress::show(&format!("packing   {}", progress::bar(done, all)));
            drawn = done;
        }
    })?;
    let counted = match tree.entries().len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files and directories"),
    };
    say(&format!("`{}`: {counted}, {} packed", directory.display(), progress::size(packed.length)));
    Ok(packed)
}

/// What is pushed, and to which App.
type Pushed<'p> = (&'p str, &'p Map<String, Value>);

/// Sends what the service does not have, unless it would not take what is `pushed` with it. It may be away for a
/// while: what it got it keeps.
pub(super) async fn send(
    session: &Session,
    tree: &Arc<Tree>,
    packed: &Packed,
    pushed: Pushed<'_>,
) -> Result<(), CliError> {
    let (mut last_seen, mut disputes, mut begun) = (session.clock.monotonic(), 0, false);
    let mut most = 0;
    loop {
        match attempt(session, tree, packed, pushed, &mut begun).await {
            Ok(()) if begun => {
                say(&format!("uploaded {}", progress::size(packed.length)));
                return Ok(());
            }
            Ok(()) => {
                say("the service has this source: nothing is uploaded");
                return Ok(());
            }
            Err(Stopped::At(received)) => {
                last_seen = session.clock.monotonic();
                // Somebody else may send the same source.
                disputes = if received > most { 0 } else { disputes + 1 };
                most = most.max(received);
                if disputes > DISPUTES {
                    return Err(CliError::from(PushError::Disputed { received, length: packed.length }));
                }
            }
            Err(Stopped::For(error)) if wait::may_pass(&error, last_seen, session) => {}
            Err(Stopped::For(error)) => return Err(error),
        }
        session.clock.sleep(wait::PAUSE).await;
    }
}

/// Why an attempt did not send everything.
enum Stopped {
    /// For a reason that may pass, or not.
    For(CliError),
    /// The service has another number of bytes than were sent to it.
    At(u64),
}

async fn attempt(
    session: &Session,
    tree: &Arc<Tree>,
    packed: &Packed,
    (app, pushed): Pushed<'_>,
    begun: &mut bool,
) -> Result<(), Stopped> {
    let (client, there) = ask(session, packed).await.map_err(Stopped::For)?;
    if there.complete {
        return Ok(());
    }
    if !*begun {
        // What is refused is better known before it was sent.
        client.try_push(app, pushed).await.map_err(|error| Stopped::For(error.into()))?;
    }
    if there.received > 0 {
        say(&format!("going on with the upload behind {}", progress::size(there.received)));
    }
    *begun = true;
    match put(&client, tree, packed, there.received).await {
        Ok(there) if there.complete => Ok(()),
        Ok(there) => Err(Stopped::At(there.received)),
        Err(CliError::Client(ClientError::Refused { status: StatusCode::CONFLICT, .. })) => {
            Err(Stopped::At(there.received))
        }
        Err(error) => Err(Stopped::For(error)),
    }
}

async fn ask(session: &Session, packed: &Packed) -> Result<(Client, SourceResource), CliError> {
    let client = session.client()?;
    let there = client.source(&packed.hash).await?;
    Ok((client, there))
}

async fn put(
    client: &Client,
    tree: &Arc<Tree>,
    packed: &Packed,
    from: u64,
) -> Result<SourceResource, CliError> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (failed, mut failure) = oneshot::channel();
    let tree = Arc::clone(tree);
    // Whoever stops listening ends it: there is nothing to wait for.
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, piece: BytesMut::new() };
        match tree.write(from, &mut pieces).and_then(|()| pieces.flush().map_err(PackError::Sink)) {
            Ok(()) | Err(PackError::Sink(_)) => {}
            Err(error) => {
                // Told first: with the broken body the request ends.
                let _ = failed.send(error);
                let _ = pieces.sender.blocking_send(Err(io::ErrorKind::Other.into()));
            }
        }
    });
    // What it has beyond that was sent by somebody else: asked to check it, the service finds out, and forgets it.
    let (length, all) = (packed.length.saturating_sub(from), packed.length);
    let content = stream::unfold((receiver, from), move |(mut receiver, done)| async move {
        let piece: io::Result<Bytes> = receiver.recv().await?;
        let done = done + piece.as_ref().map_or(0, Bytes::len) as u64;
        progress::show(&format!("uploading {}", progress::bar(done, all)));
        Some((piece, (receiver, done)))
    });
    let answered = client.upload(&packed.hash, from, length, content).await;
    progress::clear();
    match failure.try_recv() {
        Ok(error) => Err(PushError::Pack(error).into()),
        Err(_) => Ok(answered?),
    }
}

/// Gathers small writes, and hands them over.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
