//! sled's log: segments of one size, in the order of the numbers in their headers, full of messages.
//!
//! Which messages count is decided as sled decides it when it opens (`raw_segment_iter_from` and
//! `advance_snapshot` of 0.34.7): up to the first that cannot be trusted behind the last that was known to
//! be on disk, and before that every segment up to its own first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::Damage;
use super::blob;
use super::bytes::Bytes;
use super::message::{self, Kind, LONGEST_HEADER, NoMessage};
use super::pages::Place;
use std::path::Path;

/// Bytes before the first message of a segment.
const SEGMENT_HEADER: u64 = 20;

/// Segments that are read in one turn.
const TURN: usize = 64;

/// The log in a file.
pub(super) struct Log<'a> {
    pub(super) dir: &'a Path,
    pub(super) file: &'a File,
    /// Bytes of a segment.
    pub(super) segment: u64,
    /// It is read as if it ended here.
    pub(super) limit: Option<i64>,
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy)]
struct SegmentHeader {
    lsn: i64,
    /// Up to where the log was known to be on disk.
    stable: i64,
}

/// A message that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) page: u64,
    pub(super) place: Place,
    /// Of [`Kind::Batch`]: where the batch ends.
    batch_end: i64,
    /// It counts for the order only: also where its blob is missing.
    pub(super) is_skipped: bool,
}

/// The messages of one segment, up to the first that cannot be trusted.
#[derive(Debug)]
struct Scanned {
    lsn: i64,
    entries: Vec<Entry>,
    /// Where the next message would have begun.
    end: i64,
    stop: Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// No room for another, or the rest is empty.
    Full,
    /// Nothing, or nothing that can be trusted.
    Corrupted,
    /// It could not be read.
    Failed,
}

impl Log<'_> {
    /// Where the tail begins that need not have reached the disk when power went: before it nothing is torn.
    pub(super) fn tail(&self, since: Option<i64>) -> Result<i64, Damage> {
        let (order, stable) = self.segments(self.base(since.unwrap_or(0)))?;
        let tail = self.base(stable);
        // Without that segment sled finds no end.
        Ok(if order.contains_key(&tail) { tail } else { 0 })
    }

    /// Hands over what happened to pages since `since`, in order.
    pub(super) fn read(
        &self,
        since: Option<i64>,
        mut each: impl FnMut(&Entry) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let from = self.base(since.unwrap_or(0));
        let (order, stable) = self.segments(from)?;
        let last = self.end_of_tail(&order, stable)? - 1;
        let read = self.follow(&order, Some(last), false, |entry| {
            if entry.place.lsn < since.unwrap_or(-1) {
                return Ok(());
            }
            if entry.place.lsn >= last {
                return Err(Damage::of("db", "its log goes on behind its end"));
            }
            each(entry)
        });
        read.map(drop)
    }

    /// Hands over what can be read of what happened to pages since `since`, across all that cannot.
    pub(super) fn salvage(
        &self,
        since: Option<i64>,
        lost: &mut Vec<Damage>,
        mut each: impl FnMut(&Entry) -> Result<(), Damage>,
    ) -> Result<(), Damage> {
        let from = self.base(since.unwrap_or(0));
        let (order, _) = self.segments(from)?;
        let mut buffer = Vec::new();
        for (lsn, offset) in order {
            match self.scan(lsn, offset, &mut buffer) {
                Ok(scanned) => {
                    let entries = scanned.entries.iter().filter(|entry| !entry.is_skipped);
                    for entry in entries.filter(|entry| entry.place.lsn >= since.unwrap_or(-1)) {
                        lost.extend(each(entry).err());
                    }
                }
                Err(damage) => lost.push(damage),
            }
        }
        Ok(())
    }

    /// Where each segment from `from` on is in the file, and up to where the log is known to be on disk.
    fn segments(&self, from: i64) -> Result<(BTreeMap<i64, u64>, i64), Damage> {
        let length = self.file.metadata().map_err(|error| Damage::io("db", &error))?.len();
        let (mut order, mut stable) = (BTreeMap::new(), from);
        let whole = length / self.segment + u64::from(length % self.segment >= SEGMENT_HEADER);
        for offset in (0..whole).map(|index| index * self.segment) {
            let Some(header) = self.header(offset).map_err(|error| Damage::io("db", &error))? else {
                continue;
            };
            if header.lsn < from || self.limit.is_some_and(|limit| header.lsn >= limit) {
                continue;
            }
            stable = stable.max(header.stable);
            if order.insert(header.lsn, offset).is_some() {
                return Err(Damage::of("db", "two of its segments have one number"));
            }
        }
        Ok((order, stable))
    }

    /// Blanks everything from `limit` on, and syncs; cut off in this, it can be begun again.
    pub(super) fn forget_from(file: &File, segment: u64, limit: i64) -> io::Result<()> {
        let dir = Path::new("");
        let log = Log { dir, file, segment, limit: None };
        let (base, length) = (log.base(limit), file.metadata()?.len());
        let mut last = None;
        for offset in (0..length).step_by(segment as usize) {
            match log.header(offset) {
                Ok(Some(header)) if header.lsn > base => {
                    file.write_all_at(&vec![0; segment.min(length - offset) as usize], offset)?;
                }
                Ok(Some(header)) if header.lsn == base => last = Some(offset),
                _ => {}
            }
        }
        file.sync_all()?;
        if let Some(offset) = last {
            let from = offset + (limit - base) as u64;
            let end = length.min(offset + segment);
            file.write_all_at(&vec![0; end.saturating_sub(from) as usize], from)?;
        }
        file.sync_all()
    }

    /// Where the segment of `lsn` begins.
    fn base(&self, lsn: i64) -> i64 {
        lsn / self.segment as i64 * self.segment as i64
    }

    fn header(&self, offset: u64) -> io::Result<Option<SegmentHeader>> {
        const HIDDEN: i64 = i64::MAX;
        let mut bytes = [0; SEGMENT_HEADER as usize];
        self.file.read_exact_at(&mut bytes, offset)?;
        let mut rest = Bytes(&bytes);
        let parsed = (|| Some((rest.u32()?, rest.position()?, rest.position()?)))();
        let (checksum, lsn, stable) = parsed.expect("the header is as long as that");
        let is_sound = crc32fast::hash(&bytes[4..]) == checksum ^ u32::MAX;
        Ok(is_sound.then_some(SegmentHeader { lsn: lsn ^ HIDDEN, stable: stable ^ HIDDEN }))
    }

    /// Where the last message of the tail ends: of what need not have reached the disk, as far as it hangs
    /// together.
    fn end_of_tail(&self, order: &BTreeMap<i64, u64>, stable: i64) -> Result<i64, Damage> {
        let segment = self.segment as i64;
        let lowest = (stable / segment * segment).max(0);
        let (mut tail, mut missing) = (BTreeMap::new(), None);
        for (expected, (lsn, offset)) in
            (0..).map(|index| lowest + index * segment).zip(order.range(lowest..))
        {
            if expected != *lsn {
                missing = Some(expected);
                break;
            }
            tail.insert(*lsn, *offset);
        }
        Ok(self.follow(&tail, missing, true, |_| Ok(()))?.unwrap_or(0))
    }

    /// Goes through the segments as sled's iterator does. Returns where it stopped.
    fn follow(
        &self,
        order: &BTreeMap<i64, u64>,
        last: Option<i64>,
        stops_at_tear: bool,
        mut each: impl FnMut(&Entry) -> Result<(), Damage>,
    ) -> Result<Option<i64>, Damage> {
        let is_behind = |lsn: i64| last.is_some_and(|last| lsn > last);
        let wanted: Vec<_> = order.iter().map(|(lsn, offset)| (*lsn, *offset)).collect();
        let mut at = None;
        let mut turns = wanted.chunks(TURN);
        let mut next = match turns.next() {
            Some(turn) => self.scan_all(turn)?,
            None => return Ok(None),
        };
        loop {
            // The next turn is read while this one is gone through.
            let (following, went_on) = std::thread::scope(|scope| {
                let following = turns.next().map(|turn| scope.spawn(|| self.scan_all(turn)));
                let went_on = (|| {
                    for segment in &next {
                        if is_behind(segment.lsn) {
                            return Ok(false);
                        }
                        at = Some(segment.lsn + SEGMENT_HEADER as i64);
                        for entry in &segment.entries {
                            at = Some(entry.place.lsn);
                            if is_behind(entry.place.lsn) {
                                return Ok(false);
                            }
                            match entry.kind {
                                Kind::Batch if is_behind(entry.batch_end) => return Ok(false),
                                _ if entry.is_skipped && entry.place.blob.is_none() => {}
                                _ => each(entry)?,
                            }
                        }
                        at = Some(segment.end);
                        let tears =
                            segment.stop == Stop::Failed || stops_at_tear && segment.stop == Stop::Corrupted;
                        if is_behind(segment.end) || tears {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                })();
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|_| Err(Damage::panicked()))
                };
                (following.map(join), went_on)
            });
            if !went_on? {
                return Ok(at);
            }
            next = match following {
                Some(scanned) => scanned?,
                None => return Ok(at),
            };
        }
    }

    /// On all processors.
    fn scan_all(&self, segments: &[(i64, u64)]) -> Result<Vec<Scanned>, Damage> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        let scan = |segments: &[(i64, u64)]| -> Result<Vec<Scanned>, Damage> {
            let mut buffer = Vec::new();
            segments.iter().map(|(lsn, offset)| self.scan(*lsn, *offset, &mut buffer)).collect()
        };
        let parts: Result<Vec<Vec<Scanned>>, Damage> = std::thread::scope(|scope| {
            let parts = segments.chunks(segments.len().div_ceil(threads).max(1));
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || scan(part))).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|part| part.unwrap_or_else(|_| Err(Damage::panicked()))).collect()
        });
        Ok(parts?.into_iter().flatten().collect())
    }

    fn scan(&self, lsn: i64, offset: u64, buffer: &mut Vec<u8>) -> Result<Scanned, Damage> {
        let failed = |error: io::Error| Damage::io("db", &error);
        buffer.resize(self.segment as usize, 0);
        let length = read_up_to(self.file, buffer, offset).map_err(failed)?;
        let buffer = &buffer[..length];
        let number = lsn as u64 / self.segment;
        let mut entries = Vec::new();
        let mut at = SEGMENT_HEADER;
        let stop = loop {
            if at + LONGEST_HEADER > self.segment {
                break Stop::Full;
            }
            if self.limit.is_some_and(|limit| lsn + at as i64 >= limit) {
                break Stop::Corrupted;
            }
            let Some(rest) = buffer.get(at as usize..) else { break Stop::Failed };
            let (header, payload) = match message::read(rest, (self.segment - at) as usize, number) {
                Ok(read) => read,
                Err(NoMessage::Corrupted) => break Stop::Corrupted,
                Err(NoMessage::CutOff) => break Stop::Failed,
            };
            if header.kind == Kind::Cap {
                break Stop::Full;
            }
            let number = |payload: &[u8]| Bytes(payload).position();
            let blob = header.is_blob.then(|| number(payload)).flatten();
            let batch_end = match header.kind {
                Kind::Batch => number(payload).ok_or_else(|| Damage::of("db", "a batch has no end"))?,
                _ => 0,
            };
            let is_dangling = match blob {
                Some(blob) => match blob::check(self.dir, blob) {
                    Ok(is_there) => !is_there,
                    Err(_) => break Stop::Failed,
                },
                None => false,
            };
            let place =
                Place { lsn: lsn + at as i64, offset: offset + at, blob, length: header.length as u32 };
            let is_skipped = is_dangling || matches!(header.kind, Kind::Canceled | Kind::Batch);
            entries.push(Entry { kind: header.kind, page: header.page, place, batch_end, is_skipped });
            at += header.length as u64;
        };
        Ok(Scanned { lsn, entries, end: lsn + at as i64, stop })
    }
}

/// Reads until `buffer` is full or the file ends.
fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut total = 0;
    while total < buffer.len() {
        match file.read_at(&mut buffer[total..], offset + total as u64) {
            Ok(0) => break,
            Ok(count) => total += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
