//! A connection's bytes: nobody may stop taking an answer for ever, and what hyper refuses by itself is
//! said in our envelope.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::failure::{Code, Failure};
use super::resources::ErrorEnvelope;

/// Whoever takes nothing of an answer for so long is gone.
const LONGEST_STALL: Duration = Duration::from_secs(120);

/// What hyper writes in an answer of its own, and we never do: every error of ours has a body.
const WITHOUT_BODY: &str = "content-length: 0\r\n";

/// A stream whose writes end in time.
pub(super) struct Polite<S> {
    stream: S,
    /// Since when nothing could be written.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What is written in place of hyper's own answer, and how far.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S: AsyncWrite + Unpin> Polite<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, stalled: None, instead: None }
    }

    fn in_time(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(LONGEST_STALL)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Polite<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Polite<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = in_our_words(bytes).map(|answer| (answer, 0));
        }
        while let Some((answer, begin)) = self.instead.take() {
            if begin == answer.len() {
                return Poll::Ready(Ok(bytes.len()));
            }
            let written =
                self.in_time(context, |stream, context| stream.poll_write(context, &answer[begin..]));
            let end = begin + if let Poll::Ready(Ok(written)) = written { written } else { 0 };
            self.instead = Some((answer, end));
            ready!(written)?;
        }
        self.in_time(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match pieces {
            [only] => self.poll_write(context, only),
            _ => self.in_time(context, |stream, context| stream.poll_write_vectored(context, pieces)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What is said in the place of `head`, where that is a refusal of hyper's own.
fn in_our_words(head: &[u8]) -> Option<Vec<u8>> {
    let status = head.strip_prefix(b"HTTP/1.1 ")?.get(..4)?;
    let failure = match status {
        b"400 " => Failure::bad_request("expected a request of HTTP/1.1, found something else"),
        b"414 " => Failure::new(Code::UriTooLong, "expected a shorter path and query"),
        b"431 " => Failure::new(Code::HeadTooLarge, "expected at most 100 headers and 64 KiB of them"),
        _ => return None,
    };
    let head = std::str::from_utf8(head).ok().filter(|head| head.ends_with("\r\n\r\n"))?;
    let (before, after) = head.split_once(WITHOUT_BODY)?;
    let body = serde_json::to_string(&ErrorEnvelope::from(failure)).ok()?;
    let length = body.len();
    let headers =
        format!("content-type: application/json\r\ncontent-length: {length}\r\ncache-control: no-store\r\n");
    Some([before, &headers, after, &body].concat().into_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_bare_refusal_becomes_an_envelope_however_little_is_taken_at_once() {
        let (ours, mut theirs) = tokio::io::duplex(7);
        let written = tokio::spawn(async move {
            let mut stream = Polite::new(ours);
            let bare = b"HTTP/1.1 431 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            assert_eq!(stream.write(bare).await.unwrap(), bare.len());
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        });
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        written.await.unwrap();
        assert!(text.starts_with("HTTP/1.1 431 Too Large\r\ncontent-type: application/json\r\n"), "{text}");
        assert!(
            text.contains("\r\nconnection: close\r\n\r\n{\"error\":{\"code\":\"head-too-large\""),
            "{text}"
        );
        assert!(text.ends_with("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_and_who_takes_a_little_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut stream = Polite::new(ours);
        stream.write_all(&[0; 16]).await.unwrap();
        let late = async {
            tokio::time::sleep(LONGEST_STALL / 2).await;
            theirs.read_exact(&mut [0; 16]).await.unwrap();
        };
        let (written, ()) = tokio::join!(stream.write_all(&[0; 16]), late);
        written.unwrap();
        assert_eq!(stream.write_all(&[0; 16]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
