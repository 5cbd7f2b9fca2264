//! sled's files written anew: every page once and full, in the order of keys.
//!
//! What sled finds in them it takes for its own. They are a few times smaller than what it leaves itself,
//! and written at the speed of the disk. Whoever writes them reads them again, by [`Pages`](super::Pages).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::bytes::{number, text};
use super::message::LONGEST_HEADER;
use crate::durable::sync_dir;
use crate::store::sound;

/// Bytes of a segment, sled's default.
pub(super) const SEGMENT: usize = 512 * 1024;
const SEGMENT_HEADER: usize = 20;

/// Longer pages go to files of their own.
const LARGEST: usize = SEGMENT / 4 - SEGMENT_HEADER - LONGEST_HEADER as usize;

/// Rows of a leaf; sled splits one that has more.
const ROWS: usize = 16;

/// Children of an index; sled splits one that has more than twice as many.
const CHILDREN: usize = 128;

/// Longer prefixes have no number.
const LONGEST_PREFIX: usize = 255;

const META_PAGE: u64 = 0;
const COUNTER_PAGE: u64 = 1;
const FIRST_PAGE: u64 = 2;

const CAP: u8 = 2;
const COUNTER: u8 = 5;
const META: u8 = 6;
const NODE: u8 = 8;
const BLOB_NODE: u8 = 9;

/// A store's files that are being written.
pub(in crate::store) struct Fresh {
    dir: PathBuf,
    file: File,
    /// The segment that is being filled, up to `at`.
    segment: Vec<u8>,
    at: usize,
    /// Where it goes.
    offset: u64,
    leaf: Leaf,
    next_page: u64,
    /// The leaves so far, by their smallest key.
    leaves: Vec<Child>,
}

#[derive(Debug, Default)]
struct Leaf {
    page: u64,
    low: Vec<u8>,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    size: usize,
}

#[derive(Debug)]
struct Child {
    low: Vec<u8>,
    page: u64,
}

impl Fresh {
    /// Begins in `dir`, which must not be there.
    pub(in crate::store) fn begin(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(dir)?;
        DirBuilder::new().mode(0o700).create(dir.join("blobs"))?;
        let mut settings = private(&dir.join(sound::SETTINGS_FILE))?;
        settings.write_all(&sound::settings(SEGMENT))?;
        settings.sync_all()?;
        let leaf = Leaf { page: FIRST_PAGE, ..Leaf::default() };
        let mut fresh = Self {
            dir: dir.to_owned(),
            file: private(&dir.join("db"))?,
            segment: vec![0; SEGMENT],
            at: 0,
            offset: 0,
            leaf,
            next_page: FIRST_PAGE + 1,
            leaves: Vec::new(),
        };
        fresh.begin_segment();
        let mut counter = Vec::new();
        number(&mut counter, 0);
        fresh.message(COUNTER, COUNTER_PAGE, &counter)?;
        Ok(fresh)
    }

    /// Adds a row, whose key is larger than all before it.
    pub(in crate::store) fn put(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let size = key.len() + value.len() + 18;
        let is_full = self.leaf.rows.len() == ROWS || self.leaf.size + size > LARGEST / 2;
        if is_full && let Some((last, _)) = self.leaf.rows.last() {
            // The shortest that lies between.
            let low = key[..key.len().min(common(last, key) + 1)].to_vec();
            let page = self.next_page;
            self.next_page += 1;
            self.end_leaf(&low, Some(page))?;
            self.leaf = Leaf { page, low, ..Leaf::default() };
        }
        self.leaf.size += size;
        self.leaf.rows.push((key.to_vec(), value.to_vec()));
        Ok(())
    }

    /// Ends it. All of it is on disk when this returns, but for the name of the directory.
    pub(in crate::store) fn end(mut self) -> io::Result<()> {
        self.end_leaf(&[], None)?;
        let mut level = std::mem::take(&mut self.leaves);
        while level.len() > 1 || level.first().is_some_and(|child| child.page == self.leaf.page) {
            level = self.index(&level)?;
        }
        let mut meta = Vec::new();
        text(&mut meta, super::pages::TREE);
        number(&mut meta, level.first().map_or(FIRST_PAGE, |root| root.page));
        self.message(META, META_PAGE, &meta)?;
        // sled goes on behind it.
        self.file.write_all_at(&self.segment[..self.at], self.offset)?;
        self.file.sync_all()?;
        for blob in fs::read_dir(self.dir.join("blobs"))? {
            File::open(blob?.path())?.sync_all()?;
        }
        sync_dir(&self.dir.join("blobs"))?;
        sync_dir(&self.dir)
    }

    fn end_leaf(&mut self, high: &[u8], next: Option<u64>) -> io::Result<()> {
        let Leaf { page, low, rows, .. } = std::mem::take(&mut self.leaf);
        let prefix = common(&low, high).min(LONGEST_PREFIX);
        let mut node = head(&low, high, prefix, next);
        node.push(0);
        number(&mut node, rows.len() as u64);
        rows.iter().for_each(|(key, _)| text(&mut node, &key[prefix..]));
        rows.iter().for_each(|(_, value)| text(&mut node, value));
        self.node(page, &node)?;
        self.leaf.page = page;
        self.leaves.push(Child { low, page });
        Ok(())
    }

    /// The level above `children`.
    fn index(&mut self, children: &[Child]) -> io::Result<Vec<Child>> {
        let chunks: Vec<&[Child]> = children.chunks(CHILDREN).collect();
        let first = self.next_page;
        self.next_page += chunks.len() as u64;
        let mut level = Vec::with_capacity(chunks.len());
        for (page, (index, chunk)) in (first..).zip(chunks.iter().enumerate()) {
            let high = chunks.get(index + 1).map_or(&[][..], |next| &next[0].low);
            let low = &chunk[0].low;
            let mut node = head(low, high, 0, (index + 1 < chunks.len()).then_some(page + 1));
            node.push(1);
            number(&mut node, chunk.len() as u64);
            chunk.iter().for_each(|child| text(&mut node, &child.low));
            chunk.iter().for_each(|child| number(&mut node, child.page));
            self.node(page, &node)?;
            level.push(Child { low: low.clone(), page });
        }
        Ok(level)
    }

    fn node(&mut self, page: u64, node: &[u8]) -> io::Result<()> {
        if node.len() <= LARGEST {
            return self.message(NODE, page, node);
        }
        self.make_room(LONGEST_HEADER as usize + 8)?;
        // A blob's number is the position of the message that names it.
        let position = (self.offset + self.at as u64) as i64;
        let mut contents = vec![BLOB_NODE];
        contents.extend_from_slice(node);
        let mut blob = private(&self.dir.join(format!("blobs/{position}")))?;
        blob.write_all(&crc32fast::hash(&contents).to_le_bytes())?;
        blob.write_all(&contents)?;
        self.message(BLOB_NODE, page, &position.to_le_bytes())
    }

    fn message(&mut self, kind: u8, page: u64, payload: &[u8]) -> io::Result<()> {
        self.make_room(LONGEST_HEADER as usize + payload.len())?;
        self.append(kind, page, payload);
        Ok(())
    }

    fn append(&mut self, kind: u8, page: u64, payload: &[u8]) {
        let mut header = vec![0; 4];
        header.push(kind);
        number(&mut header, payload.len() as u64);
        number(&mut header, self.offset / SEGMENT as u64);
        number(&mut header, page);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(payload);
        checksum.update(&header[4..]);
        header[..4].copy_from_slice(&(checksum.finalize() ^ u32::MAX).to_le_bytes());
        for part in [&header[..], payload] {
            self.segment[self.at..][..part.len()].copy_from_slice(part);
            self.at += part.len();
        }
    }

    fn make_room(&mut self, length: usize) -> io::Result<()> {
        if self.at + length > SEGMENT {
            self.end_segment()?;
            self.offset += SEGMENT as u64;
            self.begin_segment();
        }
        Ok(())
    }

    /// In a new file a segment's number is its place, and all before it is on disk.
    fn begin_segment(&mut self) {
        self.segment.fill(0);
        let numbers = [self.offset as i64, self.offset as i64 - 1].map(|number| number ^ i64::MAX);
        self.segment[4..12].copy_from_slice(&numbers[0].to_le_bytes());
        self.segment[12..20].copy_from_slice(&numbers[1].to_le_bytes());
        let checksum = crc32fast::hash(&self.segment[4..20]) ^ u32::MAX;
        self.segment[..4].copy_from_slice(&checksum.to_le_bytes());
        self.at = SEGMENT_HEADER;
    }

    /// Says that nothing follows, and writes it.
    fn end_segment(&mut self) -> io::Result<()> {
        if let Some(rest) = (SEGMENT - self.at).checked_sub(LONGEST_HEADER as usize) {
            self.append(CAP, u64::MAX, &vec![0; rest]);
        }
        self.file.write_all_at(&self.segment, self.offset)
    }
}

/// What every node begins with.
fn head(low: &[u8], high: &[u8], prefix: usize, next: Option<u64>) -> Vec<u8> {
    let mut node = Vec::new();
    number(&mut node, next.unwrap_or(0));
    // Nothing is being merged, neither a child nor it.
    number(&mut node, 0);
    node.push(0);
    node.push(prefix as u8);
    text(&mut node, low);
    text(&mut node, high);
    node
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
