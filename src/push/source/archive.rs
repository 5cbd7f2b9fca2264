//! A tar, read once from its beginning to its end: its hash, and whether a source may be so.
//!
//! The `tar` crate reads headers; what they mean is decided here, so that no record of a name takes memory as it
//! likes. Sizes beyond a header's, and sparse files, are refused: readers do not agree about them.

use std::io::{self, Read};

use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::hash::SourceHash;
use super::tree::Tree;

/// The most files, directories and links of a source.
pub const MOST_ENTRIES: usize = 100_000;

/// The most bytes of a name within a source: it must fit behind the names of our directories.
const LONGEST_NAME: usize = 2048;

/// The most bytes of one part of a name, as file systems have it.
const LONGEST_PART: usize = 255;

/// The most bytes of a record that describes the next entry.
const LONGEST_RECORD: u64 = 64 << 10;

/// The most such records: three for each entry are plenty.
const MOST_RECORDS: usize = 4 * MOST_ENTRIES;

/// Set-user-id, set-group-id.
const SET_ID: u32 = 0o6000;

/// Why a tar is no source.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// An entry of it may not be.
    #[error("the entry `{}` of the source {what}", shown(name))]
    Entry {
        /// Its name, as far as it is known.
        name: Vec<u8>,
        /// What is wrong with it.
        what: Refusal,
    },
    /// Nothing is in it.
    #[error("expected a source with files, found an empty one")]
    Empty,
    /// It is no tar, or was cut off.
    #[error(
        "expected a tar archive, found something else: {0}\nhint: as `tar -cf` makes it, without compression"
    )]
    NoTar(String),
    /// It could not be read.
    #[error("reading a source failed: {0}")]
    Read(io::Error),
    /// What was read could not be taken further.
    #[error(transparent)]
    Take(#[from] super::unpack::UnpackError),
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `..` or `/`.
    #[error("lies outside of it\nhint: names in a source are relative, without `..`")]
    Outside,
    /// Nothing else.
    #[error("has no name")]
    NoName,
    /// The name holds a zero.
    #[error("has a zero byte in its name")]
    Zero,
    /// No file system takes it.
    #[error("has a name of more than {LONGEST_NAME} bytes, or a part of it has more than {LONGEST_PART}")]
    TooLong,
    /// There is one of its name.
    #[error("is in it twice")]
    Twice,
    /// What should be its directory is none.
    #[error("lies under `{}`, which is no directory", shown(.0))]
    NotInDir(Box<[u8]>),
    /// A link out of the tree.
    #[error("is a link to `{}`, which leads out of it\nhint: links within a source are relative, and stay in it", shown(.0))]
    LinkOut(Box<[u8]>),
    /// A second name for nothing.
    #[error("is another name for `{}`, which is no file that came before it", shown(.0))]
    HardLink(Box<[u8]>),
    /// A device and its like.
    #[error("is {0}\nhint: files, directories and links are all that a source has")]
    Special(&'static str),
    /// Who runs it would be somebody else.
    #[error("has the set-user-id or set-group-id bit\nhint: `chmod u-s,g-s` takes it away")]
    SetId,
    /// Something that is no file has content.
    #[error("has content, though it is no file")]
    Content,
    /// Too many of them.
    #[error(
        "is one too many: a source has at most {MOST_ENTRIES} files, directories and links\nhint: leave out what a build makes again; `.cfignore` names it"
    )]
    TooMany,
    /// Links without end.
    #[error("is one link too many: they are too many to be followed")]
    TooManyLinks,
    /// What describes it is too large, or not understood.
    #[error("is described in a way that readers do not agree on: {0}")]
    Record(&'static str),
}

/// What an entry is, to whoever takes it.
pub(super) enum Item<'a> {
    Dir,
    File {
        executable: bool,
        content: &'a mut dyn Read,
    },
    /// Another name for a file that came before.
    HardLink {
        to: &'a [u8],
    },
}

/// Reads a whole tar: each directory, file and hard link goes to `take`, under a name that is relative and clean. Links
/// are in the tree that is returned, and are all found to stay within it.
pub(super) fn read(
    tar: impl Read,
    mut take: impl FnMut(&[u8], Item<'_>) -> Result<(), TarError>,
) -> Result<(SourceHash, Tree), TarError> {
    let mut archive = Archive::new(Hashing { from: tar, hash: Sha256::new() });
    let mut tree = Tree::default();
    let (mut described, mut records) = (Described::default(), 0);
    for entry in archive.entries().map_err(unread)?.raw(true) {
        let mut entry = entry.map_err(unread)?;
        if described.read(&mut entry)? {
            records += 1;
            if records > MOST_RECORDS {
                return Err(TarError::Entry { name: Vec::new(), what: Refusal::TooMany });
            }
            continue;
        }
        let described = std::mem::take(&mut described);
        let given = described.name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let refused = |what| TarError::Entry { name: given.clone(), what };
        let name = clean(&given).map_err(refused)?;
        let target = described.target.or_else(|| entry.link_name_bytes().map(|target| target.into_owned()));
        take_entry(&mut entry, &name, &given, target, &mut tree, &mut take)?;
    }
    if described != Described::default() {
        return Err(TarError::NoTar("an entry was described and did not come".to_owned()));
    }
    if tree.is_empty() {
        return Err(TarError::Empty);
    }
    if let Err((link, what)) = tree.check_links() {
        return Err(TarError::Entry { name: link.name.clone(), what });
    }
    let mut rest = archive.into_inner();
    only_zeros(&mut rest)?;
    Ok((SourceHash::of_digest(rest.hash.finalize().into()), tree))
}

fn take_entry<R: Read>(
    entry: &mut Entry<'_, R>,
    name: &[u8],
    given: &[u8],
    target: Option<Vec<u8>>,
    tree: &mut Tree,
    take: &mut impl FnMut(&[u8], Item<'_>) -> Result<(), TarError>,
) -> Result<(), TarError> {
    let refused = |what| TarError::Entry { name: given.to_owned(), what };
    let mode = entry.header().mode().map_err(unread)?;
    let kind = match entry.header().entry_type() {
        // As the oldest tars have it.
        EntryType::Regular if given.ends_with(b"/") => EntryType::Directory,
        kind => kind,
    };
    if kind != EntryType::Regular && entry.size() > 0 {
        return Err(refused(special(kind).map_or(Refusal::Content, Refusal::Special)));
    }
    match kind {
        // The tree itself.
        EntryType::Directory if name.is_empty() => Ok(()),
        _ if name.is_empty() => Err(refused(Refusal::NoName)),
        EntryType::Directory => {
            tree.dir(name).map_err(refused)?;
            take(name, Item::Dir)
        }
        EntryType::Regular => {
            if mode & SET_ID != 0 {
                return Err(refused(Refusal::SetId));
            }
            tree.file(name).map_err(refused)?;
            let size = entry.size();
            let mut content = Whole { from: entry, left: size };
            take(name, Item::File { executable: mode & 0o111 != 0, content: &mut content })?;
            // What nobody wants is read all the same: it may not be there.
            io::copy(&mut content, &mut io::sink()).map(drop).map_err(unread)
        }
        EntryType::Link => {
            let to = target.ok_or_else(|| refused(Refusal::HardLink(Box::default())))?;
            let clean = clean(&to).map_err(|_| refused(Refusal::HardLink(to.as_slice().into())))?;
            tree.hard_link(name, &clean).map_err(refused)?;
            take(name, Item::HardLink { to: &clean })
        }
        EntryType::Symlink => {
            let target = target.filter(|target| !target.is_empty());
            let target = target.ok_or_else(|| refused(Refusal::NoName))?;
            check_target(&target).map_err(refused)?;
            tree.link(name, &target).map_err(refused)
        }
        other => Err(refused(Refusal::Special(special(other).unwrap_or("of an unknown kind")))),
    }
}

fn special(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        EntryType::GNUSparse => Some("a sparse file"),
        EntryType::Continuous => Some("a contiguous file"),
        EntryType::Regular | EntryType::Directory | EntryType::Link | EntryType::Symlink => None,
        _ => Some("of an unknown kind"),
    }
}

/// What records before an entry say of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Described {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl Described {
    /// Whether `entry` is such a record, which is read then.
    fn read<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<bool, TarError> {
        let kind = entry.header().entry_type();
        if !matches!(
            kind,
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
        ) {
            return Ok(false);
        }
        let name = entry.path_bytes().into_owned();
        let refused = |what| TarError::Entry { name: name.clone(), what: Refusal::Record(what) };
        let size = entry.size();
        if size > LONGEST_RECORD {
            return Err(refused("a record of more than 64 KiB"));
        }
        let mut record = Vec::new();
        Whole { from: entry, left: size }.read_to_end(&mut record).map_err(unread)?;
        let set = |field: &mut Option<Vec<u8>>, value: &[u8]| match field.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => Err(refused("it is named twice")),
        };
        match kind {
            EntryType::GNULongName => set(&mut self.name, until_zero(&record))?,
            EntryType::GNULongLink => set(&mut self.target, until_zero(&record))?,
            // Comments, as `git archive` writes them.
            EntryType::XGlobalHeader if !names(&record) => {}
            EntryType::XGlobalHeader => return Err(refused("a name or a size of all entries")),
            _ => {
                for pair in PaxExtensions::new(&record) {
                    let pair = pair.map_err(unread)?;
                    match pair.key_bytes() {
                        b"path" => set(&mut self.name, pair.value_bytes())?,
                        b"linkpath" => set(&mut self.target, pair.value_bytes())?,
                        b"size" => return Err(refused("a size of its own")),
                        key if key.starts_with(b"GNU.sparse.") => return Err(refused("a sparse file")),
                        _ => {}
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Whether a record says what entries are called, or how large they are; one that does not read may.
fn names(record: &[u8]) -> bool {
    PaxExtensions::new(record).any(|pair| {
        pair.map_or(true, |pair| {
            matches!(pair.key_bytes(), b"path" | b"linkpath" | b"size")
                || pair.key_bytes().starts_with(b"GNU.sparse.")
        })
    })
}

fn until_zero(record: &[u8]) -> &[u8] {
    record.strip_suffix(b"\0").unwrap_or(record)
}

/// A name without what means nothing: a `.`, a slash too many.
pub(super) fn clean(given: &[u8]) -> Result<Vec<u8>, Refusal> {
    if given.is_empty() {
        return Err(Refusal::NoName);
    }
    if given.contains(&0) {
        return Err(Refusal::Zero);
    }
    if given.starts_with(b"/") {
        return Err(Refusal::Outside);
    }
    let mut name = Vec::with_capacity(given.len());
    for part in given.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")) {
        if part == b".." {
            return Err(Refusal::Outside);
        }
        if part.len() > LONGEST_PART {
            return Err(Refusal::TooLong);
        }
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(part);
    }
    if name.len() > LONGEST_NAME { Err(Refusal::TooLong) } else { Ok(name) }
}

/// Whether a link may say so, wherever that leads.
pub(super) fn check_target(target: &[u8]) -> Result<(), Refusal> {
    match () {
        () if target.contains(&0) => Err(Refusal::Zero),
        () if target.len() > LONGEST_NAME => Err(Refusal::TooLong),
        () => Ok(()),
    }
}

/// What is wrong with a tar, or with the disk that it is read from.
pub(super) fn unread(error: io::Error) -> TarError {
    match error.raw_os_error() {
        Some(_) => TarError::Read(error),
        None => TarError::NoTar(error.to_string()),
    }
}

/// What follows the end of a tar fills it up, and is nothing else.
fn only_zeros(rest: &mut impl Read) -> Result<(), TarError> {
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = rest.read(&mut piece).map_err(unread)?;
        if read == 0 {
            return Ok(());
        }
        if piece[..read].iter().any(|byte| *byte != 0) {
            return Err(TarError::NoTar("something stands behind its end".to_owned()));
        }
    }
}

/// A name for messages, whatever bytes it has.
pub(super) fn shown(name: &[u8]) -> String {
    let text = name.escape_ascii().to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// All content of an entry, or an error.
struct Whole<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.left -= read as u64;
        if read == 0 && self.left > 0 && !into.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of an entry"));
        }
        Ok(read)
    }
}

/// Everything that is read is hashed.
struct Hashing<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.hash.update(&into[..read]);
        Ok(read)
    }
}
