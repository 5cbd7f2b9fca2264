//! One message of sled's log: a header, a payload, and a checksum of both.

use super::bytes::Bytes;

/// The longest header: checksum, kind, and three numbers.
pub(super) const LONGEST_HEADER: u64 = 32;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Room that was reserved and not used.
    Canceled,
    /// The rest of the segment is empty.
    Cap,
    /// Up to where a batch goes.
    Batch,
    /// A page that is no longer one.
    Free,
    /// A whole page that is no node of the tree.
    Counter,
    Meta,
    /// A whole page.
    Node,
    /// A change of a page.
    Link,
}

/// What a checked message says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Whether its payload is the number of a file of its own, where the real one is.
    pub(super) is_blob: bool,
    pub(super) page: u64,
    /// Bytes before the payload.
    pub(super) header: usize,
    /// Bytes of header and payload.
    pub(super) length: usize,
}

/// Where there is no message that can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMessage {
    /// Nothing was written here, or it is damaged.
    Corrupted,
    /// It goes on behind the end of the file.
    CutOff,
}

/// The message at the beginning of `bytes`, which end where its segment or the file does, and `room` bytes
/// before the end of its segment. Its payload with it.
pub(super) fn read(bytes: &[u8], room: usize, segment: u64) -> Result<(Header, &[u8]), NoMessage> {
    // What the file has not is taken for zeros, as sled does, for so many bytes.
    let mut padded = [0; 128];
    let known = bytes.len().min(padded.len());
    padded[..known].copy_from_slice(&bytes[..known]);
    let mut rest = Bytes(&padded);
    let parsed = (|| Some((rest.u32()?, rest.byte()?, rest.number()?, rest.number()?, rest.number()?)))();
    let (checksum, kind, payload, found_segment, page) = parsed.ok_or(NoMessage::Corrupted)?;
    let header = padded.len() - rest.0.len();
    let payload = usize::try_from(payload).map_err(|_| NoMessage::Corrupted)?;
    let (kind, is_blob) = kind_of(kind).ok_or(NoMessage::Corrupted)?;
    if room.checked_sub(header).is_none_or(|room| payload > room) {
        return Err(NoMessage::Corrupted);
    }
    let length = header + payload;
    if bytes.len() < length && length <= padded.len() {
        let is_sound = checksum_of(&padded[4..header], &padded[header..length]) == checksum;
        return Err(if is_sound { NoMessage::CutOff } else { NoMessage::Corrupted });
    }
    let payload = bytes.get(header..length).ok_or(NoMessage::CutOff)?;
    if checksum_of(&bytes[4..header], payload) != checksum || found_segment != segment {
        return Err(NoMessage::Corrupted);
    }
    Ok((Header { kind, is_blob, page, header, length }, payload))
}

fn checksum_of(header: &[u8], payload: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(payload);
    checksum.update(header);
    checksum.finalize() ^ u32::MAX
}

/// The kind that a byte stands for, and whether its payload is elsewhere. Zero is what was never written.
pub(super) fn kind_of(byte: u8) -> Option<(Kind, bool)> {
    Some(match byte {
        1 => (Kind::Canceled, false),
        2 => (Kind::Cap, false),
        3 => (Kind::Batch, false),
        4 => (Kind::Free, false),
        5 => (Kind::Counter, false),
        6 => (Kind::Meta, false),
        7 => (Kind::Meta, true),
        8 => (Kind::Node, false),
        9 => (Kind::Node, true),
        10 => (Kind::Link, false),
        11 => (Kind::Link, true),
        _ => return None,
    })
}
