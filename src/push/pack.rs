use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::tree::{Entry, Kind, Stamp, Tree};

/// A tar is a number of these.
const BLOCK: u64 = 512;

/// Two empty blocks end a tar.
const END: u64 = 2 * BLOCK;

/// So much of a file is in memory at once.
const PIECE: usize = 128 << 10;

/// What a tree is as a tar: its name, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the tar, in hexadecimal digits.
    pub hash: String,
    /// Bytes of the tar.
    pub length: u64,
}

/// Why a tree was not packed to its end.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file is not as it was found.
    #[error(
        "`{0}` changed while it was pushed; nothing was pushed\nhint: push again when nothing writes there"
    )]
    Changed(PathBuf),
    /// A file is gone.
    #[error(
        "`{0}` was removed while it was pushed; nothing was pushed\nhint: push again when nothing writes there"
    )]
    Vanished(PathBuf),
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}\nhint: `.cfignore` names what is left out of a push")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A name is none that a tar can hold.
    #[error("`{path}` cannot be packed: {source}")]
    Name {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Whoever takes the tar has had enough of it.
    #[error("nobody takes the packed source: {0}")]
    Sink(io::Error),
}

impl Tree {
    /// How long the tar is.
    ///
    /// # Errors
    /// [`PackError::Name`].
    pub fn length(&self) -> Result<u64, PackError> {
        let mut length = END;
        for entry in &self.entries {
            length += self.header(entry)?.len() as u64 + padded(entry.size());
        }
        Ok(length)
    }

    /// Reads all of it, and tells what it is as a tar; `progress` hears of the bytes that were read.
    ///
    /// # Errors
    /// [`PackError`], but no [`PackError::Sink`].
    pub fn hash(&self, progress: impl FnMut(u64)) -> Result<Packed, PackError> {
        let mut sink = Hashing { hasher: Sha256::new(), length: 0, progress };
        self.write(0, &mut sink)?;
        Ok(Packed { hash: HEXLOWER.encode(&sink.hasher.finalize()), length: sink.length })
    }

    /// Writes the tar to `sink` from the byte `from` on. The same tree is the same bytes, wherever it lies and
    /// whoever owns it: names, contents, and whether a file may be executed. Files are checked to be those that
    /// were found, before their first byte is written and after their last.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn write(&self, from: u64, sink: &mut impl Write) -> Result<(), PackError> {
        let mut out = Behind { skip: from, sink };
        let mut piece = vec![0; PIECE];
        for entry in &self.entries {
            out.write(&self.header(entry)?)?;
            let Kind::File { size, stamp, .. } = entry.kind else { continue };
            if out.skip >= size {
                out.skip -= size;
                self.file(entry, stamp)?;
            } else {
                let skipped = std::mem::take(&mut out.skip);
                self.content(entry, stamp, skipped, &mut piece, &mut out)?;
            }
            out.write(&[0; BLOCK as usize][..(padded(size) - size) as usize])?;
        }
        out.write(&[0; END as usize])
    }

    fn content<W: Write>(
        &self,
        entry: &Entry,
        stamp: Stamp,
        skipped: u64,
        piece: &mut [u8],
        out: &mut Behind<'_, W>,
    ) -> Result<(), PackError> {
        let path = || self.root.join(&entry.path);
        let read = |source| PackError::Read { path: path(), source };
        let mut file = self.file(entry, stamp)?;
        if skipped > 0 {
            file.seek(SeekFrom::Start(skipped)).map_err(read)?;
        }
        let mut left = entry.size() - skipped;
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let found = match file.read(&mut piece[..most]) {
                Ok(0) => return Err(PackError::Changed(path())),
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(read(source)),
            };
            out.write(&piece[..found])?;
            left -= found as u64;
        }
        match file.metadata() {
            Ok(metadata) if Stamp::of(&metadata) == stamp => Ok(()),
            Ok(_) => Err(PackError::Changed(path())),
            Err(source) => Err(read(source)),
        }
    }

    /// Opens the file that was found, and no other.
    fn file(&self, entry: &Entry, stamp: Stamp) -> Result<File, PackError> {
        let path = self.root.join(&entry.path);
        // What has taken its place must neither be followed nor waited for.
        let opened =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if is_gone(&error) => return Err(PackError::Vanished(path)),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => return Err(PackError::Changed(path)),
            Err(source) => return Err(PackError::Read { path, source }),
        };
        match file.metadata() {
            Ok(metadata) if Stamp::of(&metadata) == stamp => Ok(file),
            Ok(_) => Err(PackError::Changed(path)),
            Err(source) => Err(PackError::Read { path, source }),
        }
    }

    /// The blocks before the content of `entry`: those of a long name among them.
    fn header(&self, entry: &Entry) -> Result<Vec<u8>, PackError> {
        let name = |source| PackError::Name { path: self.root.join(&entry.path), source };
        let mut header = Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(entry.size());
        let mut blocks = Builder::new(Vec::new());
        match &entry.kind {
            Kind::Directory => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(0o755);
                let mut path = entry.path.as_os_str().to_owned();
                path.push("/");
                blocks.append_data(&mut header, path, io::empty()).map_err(name)?;
            }
            Kind::File { executable, .. } => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                blocks.append_data(&mut header, &entry.path, io::empty()).map_err(name)?;
            }
            Kind::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                blocks.append_link(&mut header, &entry.path, Path::new(target)).map_err(name)?;
            }
        }
        Ok(blocks.get_ref().clone())
    }
}

impl Entry {
    fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            Kind::Directory | Kind::Link(_) => 0,
        }
    }
}

fn padded(size: u64) -> u64 {
    size.next_multiple_of(BLOCK)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Passes on what is behind the first bytes.
struct Behind<'a, W> {
    skip: u64,
    sink: &'a mut W,
}

impl<W: Write> Behind<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        let skipped = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        self.sink.write_all(&bytes[skipped..]).map_err(PackError::Sink)
    }
}

struct Hashing<P> {
    hasher: Sha256,
    length: u64,
    progress: P,
}

impl<P: FnMut(u64)> Write for Hashing<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        (self.progress)(self.length);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn sample() -> TempDir {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("lib").join("d".repeat(120))).unwrap();
        fs::write(dir.path().join("run.sh"), "echo hello\n").unwrap();
        fs::set_permissions(dir.path().join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(dir.path().join("lib").join("d".repeat(120)).join("data"), "x".repeat(300_000)).unwrap();
        fs::write(dir.path().join("lib/block"), "b".repeat(512)).unwrap();
        fs::write(dir.path().join("lib/empty"), "").unwrap();
        fs::write(dir.path().join("lib/grün"), "u").unwrap();
        symlink("../run.sh", dir.path().join("lib/link")).unwrap();
        dir
    }

    fn bytes(tree: &Tree, from: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        tree.write(from, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_packed_is_read_back_with_modes_and_links() {
        let dir = sample();
        let tar = bytes(&Tree::read(dir.path()).unwrap(), 0);
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut found = BTreeMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            let (kind, mode) = (header.entry_type(), header.mode().unwrap());
            let path = entry.path().unwrap().display().to_string();
            let target = entry.link_name().unwrap().map(|target| target.display().to_string());
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            found.insert(path, (kind, mode, content.len(), target));
        }
        let deep = format!("lib/{}", "d".repeat(120));
        let expected = [
            ("lib/".to_owned(), (EntryType::Directory, 0o755, 0, None)),
            (format!("{deep}/"), (EntryType::Directory, 0o755, 0, None)),
            (format!("{deep}/data"), (EntryType::Regular, 0o644, 300_000, None)),
            ("lib/block".to_owned(), (EntryType::Regular, 0o644, 512, None)),
            ("lib/empty".to_owned(), (EntryType::Regular, 0o644, 0, None)),
            ("lib/grün".to_owned(), (EntryType::Regular, 0o644, 1, None)),
            ("lib/link".to_owned(), (EntryType::Symlink, 0o777, 0, Some("../run.sh".to_owned()))),
            ("run.sh".to_owned(), (EntryType::Regular, 0o755, 11, None)),
        ];
        assert_eq!(found, expected.into());
    }

    #[test]
    fn the_hash_is_that_of_the_bytes_and_the_length_is_known_before() {
        let dir = sample();
        let tree = Tree::read(dir.path()).unwrap();
        let tar = bytes(&tree, 0);
        let packed = tree.hash(|_| ()).unwrap();
        assert_eq!(packed.length, tar.len() as u64);
        assert_eq!(packed.length, tree.length().unwrap());
        assert_eq!(packed.hash, HEXLOWER.encode(&Sha256::digest(&tar)));
    }

    #[test]
    fn a_tar_is_the_same_bytes_in_every_version() {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        fs::write(dir.path().join("lib/a.txt"), "a\n").unwrap();
        fs::write(dir.path().join("run.sh"), "echo hello\n").unwrap();
        let packed = Tree::read(dir.path()).unwrap().hash(|_| ()).unwrap();
        insta::assert_snapshot!(format!("{} {}", packed.hash, packed.length), @"b9ce1400646365c8693c1ea97f1ac06a350c3a74e87981e0deb0938711e896d6 3584");
    }

    #[test]
    fn the_same_content_elsewhere_is_the_same_and_another_mode_is_not() {
        let (one, other) = (sample(), sample());
        let file = fs::File::open(other.path().join("lib/empty")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::set_permissions(other.path().join("lib/empty"), fs::Permissions::from_mode(0o600)).unwrap();
        let hash = |dir: &TempDir| Tree::read(dir.path()).unwrap().hash(|_| ()).unwrap().hash;
        assert_eq!(hash(&one), hash(&other));
        fs::set_permissions(other.path().join("lib/empty"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn it_goes_on_at_any_byte() {
        let dir = sample();
        let tree = Tree::read(dir.path()).unwrap();
        let tar = bytes(&tree, 0);
        let length = tar.len() as u64;
        for from in [0, 1, 511, 512, 513, 2000, 4096, 150_000, length - 1024, length - 1, length] {
            assert_eq!(bytes(&tree, from), &tar[usize::try_from(from).unwrap()..], "from {from}");
        }
    }

    #[test]
    fn what_changes_or_vanishes_is_named() {
        let dir = sample();
        let run = dir.path().join("run.sh");
        let told = |tree: &Tree| tree.write(0, &mut io::sink()).unwrap_err().to_string();

        let tree = Tree::read(dir.path()).unwrap();
        fs::write(&run, "echo hello, world\n").unwrap();
        assert!(told(&tree).contains("run.sh` changed while"), "{}", told(&tree));

        let tree = Tree::read(dir.path()).unwrap();
        fs::remove_file(&run).unwrap();
        assert!(told(&tree).contains("run.sh` was removed while"), "{}", told(&tree));
        symlink("lib/block", &run).unwrap();
        assert!(told(&tree).contains("run.sh` changed while"), "{}", told(&tree));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_named() {
        struct Growing<'a>(&'a Path);
        impl Write for Growing<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if bytes.len() == PIECE {
                    fs::write(self.0, "y".repeat(300_000))?;
                }
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let dir = sample();
        let data = dir.path().join("lib").join("d".repeat(120)).join("data");
        let tree = Tree::read(dir.path()).unwrap();
        let error = tree.write(0, &mut Growing(&data)).unwrap_err();
        assert!(matches!(error, PackError::Changed(path) if path.ends_with("data")));
    }

    #[test]
    fn whoever_has_had_enough_ends_it() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let tree = Tree::read(sample().path()).unwrap();
        assert!(matches!(tree.write(0, &mut Full), Err(PackError::Sink(_))));
    }
}
