//! Reading a log as its lines come.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::LogReader;
use crate::blocking::blocking;
use crate::clock::Clock;

/// How often a log that is followed is looked at.
const FOLLOW: Duration = Duration::from_millis(200);

/// What `reader` gives next, waiting for it as long as the log `goes_on`.
pub(in crate::executor) async fn next_text(
    mut reader: LogReader,
    clock: &dyn Clock,
    goes_on: impl Fn() -> io::Result<bool> + Clone + Send + 'static,
) -> io::Result<Option<(Bytes, LogReader)>> {
    loop {
        let asked = goes_on.clone();
        let read = blocking(move || {
            // Asked before reading: what is written until it ends is read as well.
            let goes_on = asked()?;
            Ok((reader.read()?, goes_on, reader))
        });
        let (text, goes_on, back) = read.await?;
        reader = back;
        match text {
            Some(text) => return Ok(Some((text.into(), reader))),
            None if goes_on => clock.sleep(FOLLOW).await,
            None => return Ok(None),
        }
    }
}
