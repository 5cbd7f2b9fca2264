//! The pages of a store: where each is in the log, and what stands in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Damage;
use super::blob;
use super::bytes::Bytes;
use super::log::{Entry, Log};
use super::message::{self, Kind};
use super::node::{self, Changes, Node};
use super::snapshot::{self, Snapshot};
use crate::store::key;
use crate::store::record;
use crate::store::sound;
use crate::store::tally::Tally;

/// sled's page that names the roots of its trees.
const META_PAGE: u64 = 0;

/// sled's page that counts ids, which nobody here asks for.
const COUNTER_PAGE: u64 = 1;

/// The tree that everything is in.
pub(super) const TREE: &[u8] = b"__sled__default";

/// Segments of log that are worth a shortcut. A debug build takes every one, so that every test does.
const FAR: i64 = if cfg!(debug_assertions) { 0 } else { 64 };

/// Pages that a thread takes at a time.
const TURN: usize = 512;

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// In the order of the log.
    pub(super) lsn: i64,
    /// In the file.
    pub(super) offset: u64,
    /// Its blob, where its payload is there.
    pub(super) blob: Option<i64>,
    pub(super) length: u32,
}

/// A page's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// It has a number and nothing else.
    Unknown,
    Free(Place),
    Present {
        base: Place,
        changes: Vec<Place>,
    },
}

/// The pages of a store that nobody has open, or that whoever has it open does not write.
#[derive(Debug)]
pub(in crate::store) struct Pages {
    dir: PathBuf,
    file: File,
    segment: u64,
    pages: Vec<Page>,
    /// Where changes were left out whose blobs are missing.
    torn: Vec<i64>,
    /// Where the log was taken for ended.
    limit: Option<i64>,
    /// What sled would find up to there without reading the log again.
    shortcut: Option<(i64, Vec<u8>)>,
}

/// All records of a store, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Sum {
    /// The format's number, where there is one.
    pub(in crate::store) format: Option<[u8; 4]>,
    /// The tally that the newest group wrote.
    pub(in crate::store) stored: Option<Tally>,
    /// The tally of what is there; it counts no groups.
    pub(in crate::store) found: Tally,
    /// Bytes of keys and values.
    pub(in crate::store) bytes: u64,
}

/// What was found in a damaged store.
#[derive(Debug)]
pub(in crate::store) struct Salvaged {
    pub(in crate::store) rows: Vec<(Vec<u8>, Vec<u8>)>,
    pub(in crate::store) lost: Vec<Damage>,
}

/// What one page adds.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    is_leaf: bool,
    next: Option<u64>,
    tally: Tally,
    bytes: u64,
}

/// What neighbouring pages add.
#[derive(Debug, Default)]
struct Parts {
    first: usize,
    parts: Vec<Part>,
    /// What the store itself needs, by page.
    meta: Vec<(u64, Vec<u8>, Vec<u8>)>,
}

/// Payloads of one page, used again for the next.
#[derive(Debug, Default)]
struct Buffers {
    base: Vec<u8>,
    changes: Vec<u8>,
}

impl Pages {
    /// Finds the pages of the store in `dir`, as sled would. Nothing is changed.
    pub(in crate::store) fn find(dir: &Path) -> Result<Self, Damage> {
        Self::find_up_to(dir, None)
    }

    /// The same, as if the log ended at `limit`.
    pub(in crate::store) fn find_up_to(dir: &Path, limit: Option<i64>) -> Result<Self, Damage> {
        let segment = Self::segment_size(dir)?;
        let file = File::open(dir.join("db")).map_err(|error| Damage::io("db", &error))?;
        let snapshot = snapshot::read(dir)?;
        let (mut pages, mut torn, mut shortcut) = (snapshot.pages, Vec::new(), None);
        let log = Log { dir, file: &file, segment, limit };
        let tail = log.tail(snapshot.stable)?;
        let is_far = tail - snapshot.stable.unwrap_or(0) > FAR * segment as i64 && limit.is_none();
        log.read(snapshot.stable, |entry| {
            if is_far && shortcut.is_none() && entry.place.lsn >= tail {
                shortcut = Some(snapshot::write(tail, &pages));
            }
            if entry.is_skipped {
                torn.push(entry.place.lsn);
                return Ok(());
            }
            apply(&mut pages, entry)
        })?;
        let shortcut = shortcut.flatten().map(|bytes| (tail, bytes));
        Ok(Self { dir: dir.to_owned(), file, segment, pages, torn, limit, shortcut })
    }

    /// Where the log may have been torn when power went, newest first. sled syncs no blob and no name of one:
    /// what follows may be on disk where a blob is not.
    pub(in crate::store) fn torn(&self) -> impl Iterator<Item = i64> {
        self.torn.iter().rev().copied()
    }

    #[cfg(test)]
    pub(super) fn has_shortcut(&self) -> bool {
        self.shortcut.is_some()
    }

    /// Spares sled the most of its log, where that is long: all of it was just read.
    pub(in crate::store) fn save_shortcut(&self) -> io::Result<()> {
        match &self.shortcut {
            Some((stable, bytes)) => snapshot::save(&self.dir, *stable, bytes),
            None => Ok(()),
        }
    }

    /// Makes the log end where it was taken for ended. Whether there is such a place.
    pub(in crate::store) fn forget_the_rest(&self) -> io::Result<bool> {
        let Some(limit) = self.limit else { return Ok(false) };
        let file = File::options().read(true).write(true).open(self.dir.join("db"))?;
        Log::forget_from(&file, self.segment, limit)?;
        Ok(true)
    }

    /// Reads every page, and adds all records up.
    pub(in crate::store) fn sum(&self) -> Result<Sum, Damage> {
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        let read: Result<Vec<Vec<Parts>>, Damage> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.parts(&next))).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|parts| parts.unwrap_or_else(|_| Err(Damage::panicked()))).collect()
        });
        let mut turns: Vec<Parts> = read?.into_iter().flatten().collect();
        turns.sort_unstable_by_key(|turn| turn.first);
        let mut sum = Sum { format: None, stored: None, found: Tally::default(), bytes: 0 };
        let mut in_tree = vec![false; self.pages.len()];
        let mut page = Some(self.first_leaf()?);
        while let Some(number) = page {
            let part =
                turns.get(number as usize / TURN).and_then(|turn| turn.parts.get(number as usize % TURN));
            let part =
                part.filter(|part| part.is_leaf).ok_or_else(|| Damage::page(number, "it is no leaf"))?;
            if std::mem::replace(&mut in_tree[number as usize], true) {
                return Err(Damage::page(number, "it leads back to itself"));
            }
            sum.found = sum.found.and(&part.tally);
            sum.bytes += part.bytes;
            page = part.next;
        }
        let meta = turns.iter().flat_map(|turn| &turn.meta).filter(|(page, ..)| in_tree[*page as usize]);
        for (_, at, value) in meta {
            if *at == key::meta(key::FORMAT) {
                sum.format = value.as_slice().try_into().ok();
            } else if *at == key::meta(key::TALLY) {
                let tally = record::decode("tally", at, value);
                sum.stored = Some(tally.map_err(|error| Damage::of("db", error))?);
            }
        }
        Ok(sum)
    }

    fn parts(&self, next: &AtomicUsize) -> Result<Vec<Parts>, Damage> {
        let (mut buffers, mut turns) = (Buffers::default(), Vec::new());
        loop {
            let first = next.fetch_add(TURN, Ordering::Relaxed);
            if first >= self.pages.len() {
                return Ok(turns);
            }
            let mut turn = Parts { first, ..Parts::default() };
            for number in first..self.pages.len().min(first + TURN) {
                let part = self.part(number as u64, &mut buffers, &mut turn.meta)?;
                turn.parts.push(part);
            }
            turns.push(turn);
        }
    }

    fn part(
        &self,
        number: u64,
        buffers: &mut Buffers,
        meta: &mut Vec<(u64, Vec<u8>, Vec<u8>)>,
    ) -> Result<Part, Damage> {
        let base = match &self.pages[number as usize] {
            Page::Present { base, .. } => base,
            Page::Free(_) => return Ok(Part::default()),
            Page::Unknown => return Err(Damage::page(number, "it is missing")),
        };
        if number == META_PAGE || number == COUNTER_PAGE {
            self.message(number, *base, &mut buffers.base)?;
            return Ok(Part::default());
        }
        let (node, changes) = self.node(number, buffers)?;
        let mut part = Part { is_leaf: node.is_leaf(), next: node.next, ..Part::default() };
        let read = node.rows(&changes, |key, value| {
            part.tally.add(key, value);
            part.bytes += (key.len() + value.len()) as u64;
            if key::is_meta(key) {
                meta.push((number, key.to_vec(), value.to_vec()));
            }
        });
        read.map(|()| part).ok_or_else(|| Damage::page(number, "it does not read"))
    }

    /// Hands over every row, in the order of keys.
    pub(in crate::store) fn rows<E: From<Damage>>(
        &self,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffers = Buffers::default();
        let mut page = Some(self.first_leaf()?);
        for _ in 0..=self.pages.len() {
            let Some(number) = page else { return Ok(()) };
            let (node, changes) = self.node(number, &mut buffers)?;
            let mut result = Ok(());
            let read = node.rows(&changes, |key, value| {
                if result.is_ok() {
                    result = each(key, value);
                }
            });
            result?;
            read.ok_or_else(|| Damage::page(number, "it does not read"))?;
            page = node.next;
        }
        Err(Damage::of("db", "its pages lead back to each other").into())
    }

    /// Every row that still reads, wherever it is, and what does not.
    pub(in crate::store) fn salvage(dir: &Path) -> Result<Salvaged, Damage> {
        let file = File::open(dir.join("db")).map_err(|error| Damage::io("db", &error))?;
        let mut lost = Vec::new();
        // Every store of ours has the same.
        let segment = Self::segment_size(dir).unwrap_or_else(|damage| {
            lost.push(damage);
            super::fresh::SEGMENT as u64
        });
        let snapshot = snapshot::read(dir).unwrap_or_else(|damage| {
            lost.push(damage);
            Snapshot::default()
        });
        let mut pages = snapshot.pages;
        Log { dir, file: &file, segment, limit: None }
            .salvage(snapshot.stable, &mut lost, |entry| apply(&mut pages, entry))?;
        let pages =
            Self { dir: dir.to_owned(), file, segment, pages, torn: Vec::new(), limit: None, shortcut: None };
        let mut rows: BTreeMap<Vec<u8>, (i64, Vec<u8>)> = BTreeMap::new();
        let mut buffers = Buffers::default();
        for (number, page) in (0..).zip(&pages.pages) {
            let Page::Present { base, changes } = page else { continue };
            if number == META_PAGE || number == COUNTER_PAGE {
                continue;
            }
            let newest = changes.last().unwrap_or(base).lsn;
            let read = pages.node(number, &mut buffers).and_then(|(node, changes)| {
                let read = node.rows(&changes, |key, value| {
                    // A page that was left behind has older ones.
                    if rows.get(key).is_none_or(|(lsn, _)| *lsn < newest) {
                        rows.insert(key.to_vec(), (newest, value.to_vec()));
                    }
                });
                read.ok_or_else(|| Damage::page(number, "it does not read"))
            });
            lost.extend(read.err());
        }
        Ok(Salvaged { rows: rows.into_iter().map(|(key, (_, value))| (key, value)).collect(), lost })
    }

    fn segment_size(dir: &Path) -> Result<u64, Damage> {
        let segment = sound::segment_size(dir).map_err(|error| Damage::io(sound::SETTINGS_FILE, &error))?;
        segment.ok_or_else(|| Damage::of(sound::SETTINGS_FILE, "it does not read"))
    }

    /// The leaf of the smallest keys.
    fn first_leaf(&self) -> Result<u64, Damage> {
        let mut buffers = Buffers::default();
        let mut number = self.root()?;
        // Each level is far smaller than the one below.
        for _ in 0..64 {
            let (node, _) = self.node(number, &mut buffers)?;
            if node.is_leaf() {
                return Ok(number);
            }
            number = node.first_child().ok_or_else(|| Damage::page(number, "it leads nowhere"))?;
        }
        Err(Damage::page(number, "it leads back to itself"))
    }

    fn root(&self) -> Result<u64, Damage> {
        let Some(Page::Present { base, .. }) = self.pages.first() else {
            return Err(Damage::page(META_PAGE, "it is missing"));
        };
        let mut buffer = Vec::new();
        self.message(META_PAGE, *base, &mut buffer)?;
        let mut bytes = Bytes(&buffer);
        while let (Some(tree), Some(root)) = (bytes.text(), bytes.number()) {
            if tree == TREE {
                return Ok(root);
            }
        }
        Err(Damage::page(META_PAGE, "it names no tree"))
    }

    fn node<'a>(&self, number: u64, buffers: &'a mut Buffers) -> Result<(Node<'a>, Changes<'a>), Damage> {
        let Some(Page::Present { base, changes }) = self.pages.get(number as usize) else {
            return Err(Damage::page(number, "it is missing"));
        };
        buffers.base.clear();
        buffers.changes.clear();
        if self.message(number, *base, &mut buffers.base)? != Kind::Node {
            return Err(Damage::page(number, "it is no node"));
        }
        let mut ends = Vec::with_capacity(changes.len());
        for change in changes {
            let begin = buffers.changes.len();
            if self.message(number, *change, &mut buffers.changes)? != Kind::Link {
                return Err(Damage::page(number, "it was changed by what is no change"));
            }
            ends.push((begin, buffers.changes.len()));
        }
        let does_not_read = || Damage::page(number, "it does not read");
        let node = Node::parse(&buffers.base).ok_or_else(does_not_read)?;
        let mut all = Changes::new();
        for (begin, end) in ends {
            node::add_change(&mut all, &buffers.changes[begin..end]).ok_or_else(does_not_read)?;
        }
        Ok((node, all))
    }

    /// Appends the payload of the message at `place` to `buffer`.
    fn message(&self, number: u64, place: Place, buffer: &mut Vec<u8>) -> Result<Kind, Damage> {
        let begin = buffer.len();
        buffer.resize(begin + place.length as usize, 0);
        self.file.read_exact_at(&mut buffer[begin..], place.offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Damage::page(number, "it is cut off"),
            _ => Damage::io("db", &error),
        })?;
        let room = self.segment - place.offset % self.segment;
        let read = message::read(&buffer[begin..], room as usize, place.lsn as u64 / self.segment);
        let (header, _) = read.map_err(|_| Damage::page(number, "its checksum is wrong"))?;
        if header.page != number || header.is_blob != place.blob.is_some() {
            return Err(Damage::page(number, "another is in its place"));
        }
        match place.blob {
            None => drop(buffer.drain(begin..begin + header.header)),
            Some(blob) => {
                buffer.truncate(begin);
                let missing = || Damage::of(&format!("blobs/{blob}"), "it is missing");
                let (kind, payload) = blob::read(&self.dir, blob)?.ok_or_else(missing)?;
                if kind != header.kind {
                    return Err(Damage::of(&format!("blobs/{blob}"), "it is of another kind"));
                }
                buffer.extend_from_slice(&payload);
            }
        }
        Ok(header.kind)
    }
}

/// A page's state behind what happened to it.
fn apply(pages: &mut Vec<Page>, entry: &Entry) -> Result<(), Damage> {
    let number = usize::try_from(entry.page).unwrap_or(usize::MAX);
    // sled gives numbers away one by one.
    if number > pages.len().saturating_add(1 << 24) {
        return Err(Damage::page(entry.page, "there cannot be so many"));
    }
    if entry.kind == Kind::Link {
        // One whose page was written whole in a later segment.
        if let Some(Page::Present { base, changes }) = pages.get_mut(number)
            && changes.last().map_or(base.lsn, |last| last.lsn) < entry.place.lsn
        {
            changes.push(entry.place);
        }
        return Ok(());
    }
    if number >= pages.len() {
        pages.resize(number + 1, Page::Unknown);
    }
    pages[number] = match entry.kind {
        Kind::Free => Page::Free(entry.place),
        _ => Page::Present { base: entry.place, changes: Vec::new() },
    };
    Ok(())
}
