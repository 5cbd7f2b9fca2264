use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, ToSpan};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::*;
use crate::app::ByteSize;
use crate::clock::{Clock, ManualClock};

/// A tar in the making, with whatever one likes in it.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn entry(mut self, name: &str, kind: EntryType, mode: u32, target: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(name, EntryType::Regular, 0o644, "", content.as_bytes())
    }

    fn dir(self, name: &str) -> Self {
        self.entry(name, EntryType::Directory, 0o755, "", b"")
    }

    fn link(self, name: &str, target: &str) -> Self {
        self.entry(name, EntryType::Symlink, 0o777, target, b"")
    }

    fn hard(self, name: &str, to: &str) -> Self {
        self.entry(name, EntryType::Link, 0o644, to, b"")
    }

    fn record(self, kind: EntryType, content: &[u8]) -> Self {
        self.entry("record", kind, 0o644, "", content)
    }

    fn pax(self, key: &str, value: &str) -> Self {
        // Its length counts its own digits.
        let bare = key.len() + value.len() + 3;
        let length = (1..).map(|digits| bare + digits).find(|all| all.to_string().len() == all - bare);
        let record = format!("{} {key}={value}\n", length.unwrap());
        self.record(EntryType::XHeader, record.as_bytes())
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

fn hash(tar: &[u8]) -> SourceHash {
    SourceHash::of_digest(Sha256::digest(tar).into())
}

struct Place {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    sources: Sources,
}

const MAX: u64 = 64 << 20;

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let sources = Sources::of(dir.path(), clock.clone());
        Self { dir, clock, sources }
    }

    fn receive(&self, hash: &SourceHash, offset: u64, tar: &[u8]) -> Result<Receiving, SourceError> {
        let max = ByteSize::from_mebibytes(MAX >> 20);
        let mut receiving = self.sources.receive(hash, offset, max)?;
        for piece in tar.chunks(1 << 20) {
            receiving.take(piece)?;
        }
        Ok(receiving)
    }

    fn send(&self, tar: &[u8]) -> Result<SourceHash, SourceError> {
        let hash = hash(tar);
        self.receive(&hash, 0, tar)?.finish().map(|_| hash)
    }

    /// What is kept, by name.
    fn kept(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.dir.path().join("sources")) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_source_is_unpacked_as_it_was_packed() {
    let place = Place::new();
    let long = format!("{}/{}", "long".repeat(40), "name".repeat(40));
    let tar = Tar::default()
        .dir("./")
        .file("./run.sh", "#!/bin/sh\n")
        .entry("bin/tool", EntryType::Regular, 0o755, "", b"tool")
        .dir("empty/")
        .link("bin/run", "../run.sh")
        .link("dangling", "bin/none")
        .hard("again", "./bin/tool")
        .record(EntryType::XGlobalHeader, b"20 comment=a commit\n")
        .pax("path", &long)
        .file("short", "long")
        .record(EntryType::GNULongName, b"by-gnu\0")
        .file("short", "gnu")
        .end();
    let hash = place.send(&tar).unwrap();
    let to = place.dir.path().join("revisions/etl/1");
    place.sources.unpack(&hash, &to).unwrap();
    let read = |name: &str| fs::read_to_string(to.join(name)).unwrap();
    assert_eq!(read("bin/run"), "#!/bin/sh\n");
    assert_eq!((read(&long), read("by-gnu")), ("long".to_owned(), "gnu".to_owned()));
    assert_eq!(fs::read_link(to.join("dangling")).unwrap(), Path::new("bin/none"));
    let meta = |name: &str| fs::metadata(to.join(name)).unwrap();
    assert_eq!((meta("run.sh").mode() & 0o7111, meta("bin/tool").mode() & 0o7111), (0, 0o111));
    assert_eq!(meta("again").ino(), meta("bin/tool").ino());
    assert!(meta("empty").is_dir());
    // Again, over what a build left there.
    fs::write(to.join("built"), "").unwrap();
    fs::create_dir(to.join("closed")).unwrap();
    fs::write(to.join("closed/file"), "").unwrap();
    fs::set_permissions(to.join("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    place.sources.unpack(&hash, &to).unwrap();
    assert!(!to.join("built").exists() && !to.join("closed").exists());
    let left: Vec<_> = fs::read_dir(to.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_a_source_may_not_have_is_refused_and_nothing_of_it_is_kept() {
    use EntryType as Kind;
    let kind = |kind, name: &str| Tar::default().entry(name, kind, 0o644, "", b"");
    let long = "x".repeat(256);
    let deep = "d/".repeat(1025);
    for (tar, words) in [
        (Tar::default().file("../up", ""), "`../up` of the source lies outside of it"),
        (Tar::default().file("a/../../up", ""), "lies outside of it"),
        (Tar::default().file("/etc/passwd", ""), "lies outside of it"),
        (Tar::default().pax("path", "/etc/passwd").file("a", ""), "`/etc/passwd` of the source lies outside"),
        (Tar::default().record(Kind::GNULongName, b"../up\0").file("a", ""), "lies outside of it"),
        (Tar::default().file("a", "").file("./a", ""), "`./a` of the source is in it twice"),
        (Tar::default().dir("a").dir("a/"), "is in it twice"),
        (Tar::default().file("a/b", "").file("a", ""), "is in it twice"),
        (Tar::default().file("a", "").file("a/b", ""), "lies under `a`, which is no directory"),
        (Tar::default().link("a", "b").file("a/b", ""), "lies under `a`, which is no directory"),
        (Tar::default().link("a", "../x"), "is a link to `../x`, which leads out of it"),
        (Tar::default().link("a", "/etc/passwd"), "leads out of it"),
        (Tar::default().link("a/b", "../c/../../x"), "leads out of it"),
        // Each of them stays within, and one through the other does not.
        (Tar::default().link("a/b/c", "../..").link("out", "a/b/c/.."), "`out` of the source is a link to"),
        (Tar::default().link("out", "in/x").link("in", ".").link("x", "in/in/../y"), "leads out of it"),
        (Tar::default().hard("a", "../x"), "is another name for `../x`, which is no file that came before"),
        (Tar::default().hard("a", "/etc/passwd"), "is no file that came before it"),
        (Tar::default().link("b", "c").hard("a", "b"), "is no file that came before it"),
        (Tar::default().hard("a", "b").file("b", ""), "is no file that came before it"),
        (kind(Kind::Char, "dev"), "is a device"),
        (kind(Kind::Block, "dev"), "is a device"),
        (kind(Kind::Fifo, "pipe"), "is a pipe"),
        (kind(Kind::GNUSparse, "holes"), "is a sparse file"),
        (kind(Kind::new(b'Z'), "what"), "is of an unknown kind"),
        (
            Tar::default().entry("su", Kind::Regular, 0o4755, "", b""),
            "has the set-user-id or set-group-id bit",
        ),
        (
            Tar::default().entry("sg", Kind::Regular, 0o2755, "", b""),
            "has the set-user-id or set-group-id bit",
        ),
        (Tar::default().entry("dir", Kind::Directory, 0o755, "", b"x"), "has content, though it is no file"),
        (Tar::default().pax("path", &long).file("a", ""), "has a name of more than 2048 bytes"),
        (Tar::default().pax("path", &deep).dir("a"), "has a name of more than 2048 bytes"),
        (Tar::default().pax("path", "a\0b").file("a", ""), "has a zero byte in its name"),
        (Tar::default().pax("size", "5").file("a", "x"), "a size of its own"),
        (Tar::default().pax("GNU.sparse.major", "1").file("a", ""), "a sparse file"),
        (Tar::default().pax("path", "a").record(Kind::GNULongName, b"b\0").file("c", ""), "named twice"),
        (Tar::default().record(Kind::XGlobalHeader, b"10 path=a\n").file("a", ""), "a name or a size of all"),
        (
            Tar::default().record(Kind::GNULongName, &vec![b'x'; 65 << 10]).file("a", ""),
            "a record of more than 64 KiB",
        ),
        (Tar::default().file("a", "").pax("path", "b"), "an entry was described and did not come"),
        (Tar::default().dir("./"), "expected a source with files, found an empty one"),
        (Tar::default(), "found an empty one"),
    ] {
        let place = Place::new();
        let tar = tar.end();
        let refused = place.send(&tar).unwrap_err().to_string();
        assert!(refused.contains(words), "expected `{words}`, found `{refused}`");
        assert_eq!(place.kept(), [""; 0], "{words}");
        // Nor does it get any further where somebody put it there.
        let whole = place.dir.path().join("sources").join(format!("{}.tar", hash(&tar)));
        fs::write(whole, &tar).unwrap();
        let to = place.dir.path().join("revisions/etl/1");
        let refused = place.sources.unpack(&hash(&tar), &to).unwrap_err().to_string();
        assert!(refused.contains(words), "expected `{words}`, found `{refused}`");
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 0, "{words}");
    }
}

#[test]
fn what_is_no_tar_is_refused() {
    let whole = Tar::default().file("a", &"x".repeat(2000)).end();
    let mut damaged = whole.clone();
    damaged[3] = b'!';
    let behind = [&whole[..], b"something"].concat();
    let place = Place::new();
    for (tar, words) in [
        (&b"not a tar at all"[..], "expected a tar archive"),
        (&b"\x1f\x8b\x08"[..], "without compression"),
        (&whole[..1000], "it ends in the middle of an entry"),
        (&whole[..700], "expected a tar archive"),
        (&damaged, "checksum"),
        (&behind, "something stands behind its end"),
        (b"", "found an empty one"),
    ] {
        let refused = place.send(tar).unwrap_err().to_string();
        assert!(refused.contains(words), "expected `{words}`, found `{refused}`");
        assert_eq!(place.kept(), [""; 0], "{words}");
    }
}

#[test]
fn a_source_has_no_more_entries_than_it_may() {
    let (part, mut tar) = ("d/".repeat(1000), Tar::default());
    // Directories count, also those that are only implied.
    for first in 0..=MOST_ENTRIES / 1001 {
        tar = tar.pax("path", &format!("{first}/{part}")).dir("d");
    }
    let refused = Place::new().send(&tar.end()).unwrap_err().to_string();
    assert!(refused.contains("a source has at most 100000 files, directories and links"), "{refused}");
    assert!(refused.contains("\nhint: "), "{refused}");
}

#[test]
fn links_that_go_in_circles_end() {
    let tar = Tar::default().link("a", "b/x").link("b", "a/y").link("c", "c").end();
    Place::new().send(&tar).unwrap();
    // Each of many links has forty others on its way, each of them a long one.
    let mut tar = Tar::default();
    for number in 1..=300 {
        let target = format!("{}l{}", "./".repeat(600), number - 1);
        tar = tar.pax("linkpath", &target).link(&format!("l{number}"), "x");
    }
    let refused = Place::new().send(&tar.end()).unwrap_err().to_string();
    assert!(refused.contains("they are too many to be followed"), "{refused}");
}

#[test]
fn what_was_cut_off_goes_on_where_it_stopped() {
    let place = Place::new();
    let tar = Tar::default().file("a", &"x".repeat(3000)).end();
    let hash = hash(&tar);
    assert_eq!(place.sources.standing(&hash).unwrap(), Standing { received: 0, complete: false });
    drop(place.receive(&hash, 0, &tar[..1000]).unwrap());
    assert_eq!(place.sources.standing(&hash).unwrap(), Standing { received: 1000, complete: false });
    for offset in [0, 999, 1001] {
        let refused = place.receive(&hash, offset, &[]).unwrap_err();
        assert!(matches!(refused, SourceError::Offset { received: 1000, .. }), "{refused}");
    }
    let receiving = place.receive(&hash, 1000, &tar[1000..]).unwrap();
    let second = place.receive(&hash, 1000, &[]).unwrap_err();
    assert!(matches!(second, SourceError::UnderWay(_)), "{second}");
    let whole = Standing { received: tar.len() as u64, complete: true };
    assert_eq!(receiving.finish().unwrap(), whole);
    assert_eq!(place.sources.standing(&hash).unwrap(), whole);
    assert_eq!(place.kept(), [format!("{hash}.tar")]);
}

#[test]
fn a_source_with_another_hash_than_its_name_leaves_nothing() {
    let place = Place::new();
    let tar = Tar::default().file("a", "x").end();
    let other = hash(b"other");
    let refused = place.receive(&other, 0, &tar).unwrap().finish().unwrap_err();
    assert!(
        matches!(refused, SourceError::Hash { expected, found } if expected == other && found == hash(&tar))
    );
    assert_eq!(place.kept(), [""; 0]);
}

#[test]
fn a_source_that_is_too_large_leaves_nothing() {
    let place = Place::new();
    let hash = hash(b"large");
    let max = ByteSize::from_mebibytes(1);
    let mut receiving = place.sources.receive(&hash, 0, max).unwrap();
    receiving.take(&vec![0; 1 << 20]).unwrap();
    let refused = receiving.take(&[0]).unwrap_err();
    assert!(
        refused.to_string().starts_with("expected a source of at most 1Mi, found a larger one"),
        "{refused}"
    );
    assert_eq!(place.kept(), [""; 0]);
}

#[test]
fn a_full_disk_leaves_nothing() {
    let place = Place::new();
    let hash = hash(b"any");
    fs::create_dir(place.dir.path().join("sources")).unwrap();
    symlink("/dev/full", place.dir.path().join("sources").join(format!("{hash}.part"))).unwrap();
    let mut receiving = place.sources.receive(&hash, 0, ByteSize::from_mebibytes(1)).unwrap();
    let refused = receiving.take(b"x").unwrap_err();
    assert!(matches!(refused, SourceError::Full { .. }), "{refused}");
    assert_eq!(place.kept(), [""; 0]);
}

#[test]
fn a_sweep_takes_what_nobody_needs_any_more() {
    let place = Place::new();
    let tar = |name: &str| Tar::default().file(name, "").end();
    let [needed, unneeded] = ["needed", "unneeded"].map(|name| place.send(&tar(name)).unwrap());
    let (old, new) = (hash(b"old"), hash(b"new"));
    for (part, age) in [(&old, 25), (&new, 23)] {
        drop(place.receive(part, 0, b"x").unwrap());
        let file = File::options().append(true).open(place.sources_dir().join(format!("{part}.part")));
        let at = place.clock.now() - age.hours();
        file.unwrap().set_modified(at.into()).unwrap();
    }
    File::create(place.sources_dir().join("zzz")).unwrap().write_all(b"not ours").unwrap();
    let sweep = || place.sources.sweep(&BTreeSet::from([needed])).unwrap();
    assert_eq!(sweep(), 1, "the old part");
    place.clock.advance(SignedDuration::from_mins(59).unsigned_abs());
    assert_eq!(sweep(), 0, "somebody may be about to push");
    place.sources.standing(&unneeded).unwrap();
    place.clock.advance(SignedDuration::from_mins(59).unsigned_abs());
    assert_eq!(sweep(), 1, "the part, a day old by now; and the source was asked for not long ago");
    place.clock.advance(SignedDuration::from_mins(2).unsigned_abs());
    assert_eq!(sweep(), 1);
    assert_eq!(place.kept(), [format!("{needed}.tar"), "zzz".to_owned()]);
}

impl Place {
    fn sources_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("sources")
    }
}
