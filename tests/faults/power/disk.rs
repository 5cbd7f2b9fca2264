//! A disk that keeps what was synced, and of the rest what it likes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::trace::{Call, Event, What};

/// What a disk writes whole.
const SECTOR: u64 = 512;

/// How much of what was not synced is on the disk when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    Nothing,
    Everything,
    /// Any sectors, and the names up to any moment; told by the number.
    Some(u64),
}

/// The files of the store below one directory.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// What is on disk, by name.
    durable: BTreeMap<PathBuf, Node>,
    /// What processes see, by name.
    visible: BTreeMap<PathBuf, Node>,
    /// Changes of names that a sync of their directory has not made durable yet.
    names: Vec<Name>,
    /// By thread.
    running: HashMap<u32, Running>,
    next: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

#[derive(Debug, Clone)]
struct Name {
    id: u64,
    path: PathBuf,
    node: Option<Node>,
    ended: bool,
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
    length: u64,
}

#[derive(Debug)]
struct Change {
    id: u64,
    ended: bool,
    what: Patch,
}

#[derive(Debug)]
enum Patch {
    Bytes { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

#[derive(Debug)]
enum Running {
    /// These changes have happened when it ends.
    Changes(Vec<u64>),
    /// These are on disk when it ends.
    Sync(Vec<u64>),
}

impl Disk {
    /// An empty one, whose root is there.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// Whether what may be on the disk is another than before.
    pub(crate) fn takes(&mut self, event: &Event) -> bool {
        match &event.what {
            What::Began(call) => {
                let Some(running) = self.begin(call) else { return false };
                let changes = matches!(running, Running::Changes(_));
                self.running.insert(event.thread, running);
                changes
            }
            What::Ended(succeeded) => match self.running.remove(&event.thread) {
                None => false,
                Some(Running::Changes(ids)) if *succeeded => {
                    self.ended(&ids);
                    false
                }
                Some(Running::Changes(ids)) => {
                    self.refused(&ids);
                    true
                }
                Some(Running::Sync(ids)) => {
                    assert!(succeeded, "no sync fails here");
                    self.settle(&ids)
                }
            },
        }
    }

    /// Processes were killed: what they were at is as it is.
    pub(crate) fn killed(&mut self) {
        let running: Vec<_> = self.running.drain().map(|(_, running)| running).collect();
        for running in running {
            if let Running::Changes(ids) = running {
                self.ended(&ids);
            }
        }
    }

    fn begin(&mut self, call: &Call) -> Option<Running> {
        let inside =
            |path: &Path| path.strip_prefix(&self.root).ok().filter(|path| is_ours(path)).map(Path::to_owned);
        match call {
            Call::Write { path, offset, bytes } => {
                let index = self.file(&inside(path)?)?;
                let file = &mut self.files[index];
                let offset = offset.unwrap_or(file.length);
                file.length = file.length.max(offset + bytes.len() as u64);
                self.change(index, Patch::Bytes { offset, bytes: bytes.clone() })
            }
            Call::Truncate { path, length } => {
                let index = self.file(&inside(path)?)?;
                self.files[index].length = *length;
                self.change(index, Patch::Length(*length))
            }
            Call::Sync { path } => {
                let path = inside(path)?;
                Some(Running::Sync(match self.file(&path) {
                    Some(index) => {
                        let ended = self.files[index].pending.iter().filter(|change| change.ended);
                        ended.map(|change| change.id).collect()
                    }
                    None => {
                        let here = |name: &&Name| name.ended && name.path.parent() == Some(&path);
                        self.names.iter().filter(here).map(|name| name.id).collect()
                    }
                }))
            }
            Call::Open { path, create, truncate } => {
                let path = inside(path)?;
                match self.file(&path) {
                    Some(index) if *truncate => {
                        self.files[index].length = 0;
                        self.change(index, Patch::Length(0))
                    }
                    None if *create => {
                        self.files.push(File::default());
                        let node = Node::File(self.files.len() - 1);
                        Some(Running::Changes(vec![self.name(path, Some(node))]))
                    }
                    _ => None,
                }
            }
            Call::Rename { from, to } => {
                let (from, to) = (inside(from)?, inside(to)?);
                let node = *self.visible.get(&from)?;
                assert!(node != Node::Dir, "no directory of the store is ever renamed");
                let ids = vec![self.name(to, Some(node)), self.name(from, None)];
                Some(Running::Changes(ids))
            }
            Call::Unlink { path } => {
                let path = inside(path)?;
                self.visible.get(&path)?;
                Some(Running::Changes(vec![self.name(path, None)]))
            }
            Call::MakeDir { path } => {
                let path = inside(path)?;
                let is_new = !self.visible.contains_key(&path);
                is_new.then(|| Running::Changes(vec![self.name(path, Some(Node::Dir))]))
            }
            Call::Tell { .. } | Call::Other => None,
        }
    }

    fn file(&self, path: &Path) -> Option<usize> {
        match self.visible.get(path) {
            Some(Node::File(index)) => Some(*index),
            _ => None,
        }
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn change(&mut self, file: usize, what: Patch) -> Option<Running> {
        let id = self.id();
        self.files[file].pending.push(Change { id, ended: false, what });
        Some(Running::Changes(vec![id]))
    }

    fn name(&mut self, path: PathBuf, node: Option<Node>) -> u64 {
        let id = self.id();
        set(&mut self.visible, &path, node);
        self.names.push(Name { id, path, node, ended: false });
        id
    }

    fn ended(&mut self, ids: &[u64]) {
        let changes = self.files.iter_mut().flat_map(|file| &mut file.pending);
        changes.filter(|change| ids.contains(&change.id)).for_each(|change| change.ended = true);
        self.names.iter_mut().filter(|name| ids.contains(&name.id)).for_each(|name| name.ended = true);
    }

    /// These never happened. Only new names are refused: a directory whose parent is not there yet.
    fn refused(&mut self, ids: &[u64]) {
        let (refused, names) =
            std::mem::take(&mut self.names).into_iter().partition(|name| ids.contains(&name.id));
        let refused: Vec<Name> = refused;
        assert_eq!(refused.len(), ids.len(), "no write fails here");
        refused.iter().for_each(|name| set(&mut self.visible, &name.path, None));
        self.names = names;
    }

    /// Makes these changes durable, and says whether there was one.
    fn settle(&mut self, ids: &[u64]) -> bool {
        for file in &mut self.files {
            let pending = std::mem::take(&mut file.pending);
            for change in pending {
                match ids.contains(&change.id) {
                    true => change.what.apply(&mut file.durable, |_| true),
                    false => file.pending.push(change),
                }
            }
        }
        for name in std::mem::take(&mut self.names) {
            match ids.contains(&name.id) {
                true => set(&mut self.durable, &name.path, name.node),
                false => self.names.push(name),
            }
        }
        !ids.is_empty()
    }

    /// Writes what is there after a power cut to the directory `to`.
    pub(crate) fn after_power_cut(&self, luck: Luck, to: &Path) {
        let mut random = Random::of(luck);
        let mut nodes = self.durable.clone();
        for name in &self.names[..random.up_to(self.names.len())] {
            set(&mut nodes, &name.path, name.node);
        }
        for (path, node) in &nodes {
            // Whatever stands below a directory that is not there is not there either.
            if path.ancestors().skip(1).any(|dir| dir != Path::new("") && !nodes.contains_key(dir)) {
                continue;
            }
            match node {
                Node::Dir => fs::create_dir(to.join(path)).unwrap(),
                Node::File(index) => fs::write(to.join(path), self.files[*index].some(&mut random)).unwrap(),
            }
        }
    }
}

impl File {
    fn some(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.pending {
            change.what.apply(&mut bytes, |_| random.keeps());
        }
        bytes
    }
}

impl Patch {
    /// Those sectors that `keeps` says.
    fn apply(&self, file: &mut Vec<u8>, mut keeps: impl FnMut(u64) -> bool) {
        match self {
            Self::Bytes { offset, bytes } => {
                let mut at = *offset;
                for sector in chunks(*offset, bytes) {
                    if keeps(at) {
                        let end = at as usize + sector.len();
                        file.resize(file.len().max(end), 0);
                        file[at as usize..end].copy_from_slice(sector);
                    }
                    at += sector.len() as u64;
                }
            }
            Self::Length(length) if keeps(*length) => file.resize(*length as usize, 0),
            Self::Length(_) => {}
        }
    }
}

/// The store, and the directories that lead to it.
fn is_ours(path: &Path) -> bool {
    let store = Path::new("data/store");
    path.starts_with(store) || store.starts_with(path)
}

/// The parts of `bytes` that lie in one sector each.
fn chunks(offset: u64, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let first = bytes.len().min((SECTOR - offset % SECTOR) as usize);
    let (head, rest) = bytes.split_at(first);
    std::iter::once(head).chain(rest.chunks(SECTOR as usize))
}

fn set(names: &mut BTreeMap<PathBuf, Node>, path: &Path, node: Option<Node>) {
    match node {
        Some(node) => names.insert(path.to_owned(), node),
        None => names.remove(path),
    };
}

struct Random {
    luck: Luck,
    state: u64,
    /// Of 16.
    kept: u64,
}

impl Random {
    fn of(luck: Luck) -> Self {
        let state = if let Luck::Some(number) = luck { number } else { 0 };
        let mut random = Self { luck, state: state.wrapping_mul(0x9e37_79b9_7f4a_7c15), kept: 0 };
        random.kept = random.next() % 17;
        random
    }

    fn next(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    fn keeps(&mut self) -> bool {
        match self.luck {
            Luck::Nothing => false,
            Luck::Everything => true,
            Luck::Some(_) => self.next() % 16 < self.kept,
        }
    }

    fn up_to(&mut self, most: usize) -> usize {
        match self.luck {
            Luck::Nothing => 0,
            Luck::Everything => most,
            Luck::Some(_) => self.next() as usize % (most + 1),
        }
    }
}
