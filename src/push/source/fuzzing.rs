//! What holds for any bytes where a source is expected.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{SourceHash, archive, unpack};

/// See [`crate::fuzzing::source`].
pub(crate) fn source(input: &[u8]) {
    let tar = match input.split_first() {
        Some((b'c', tar)) => with_checksums(tar),
        Some((b'r', tar)) => tar.to_vec(),
        _ => return,
    };
    let checked = archive::read(&tar[..], |_, _| Ok(()));
    let dir = tempfile::tempdir().expect("there is room for a directory");
    let to = dir.path().join("tree/app/1");
    let unpacked = unpack(&tar[..], &to);
    // What is checked when it comes is what is checked when it is unpacked.
    match (&checked, &unpacked) {
        (Ok((hash, _)), Ok(())) => {
            assert_eq!(*hash, SourceHash::of_digest(Sha256::digest(&tar).into()));
            stays_within(&to, &to.canonicalize().expect("it is there"));
        }
        (Err(checked), Err(unpacked)) => assert_eq!(checked.to_string(), unpacked.to_string()),
        // A name that a file system does not take.
        (Ok(_), Err(archive::TarError::Take(_))) => {}
        (checked, unpacked) => panic!("{:?} and then {unpacked:?}", checked.as_ref().map(|(hash, _)| hash)),
    }
    let beside: Vec<_> = fs::read_dir(dir.path()).expect("it is there").flatten().collect();
    assert!(beside.iter().all(|entry| entry.file_name() == "tree"), "{beside:?}");
    let left = fs::read_dir(dir.path().join("tree/app")).into_iter().flatten().flatten();
    assert_eq!(left.count(), usize::from(unpacked.is_ok()), "something is left of what was refused");
}

/// Nothing leads out of the tree, whatever it is called.
fn stays_within(dir: &Path, root: &Path) {
    for entry in fs::read_dir(dir).expect("it is a directory").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("it is there"));
        assert!(kind.is_dir() || kind.is_file() || kind.is_symlink(), "{path:?}");
        // One that leads nowhere, or in a circle, is nobody's way out.
        if let Ok(real) = path.canonicalize() {
            assert!(real.starts_with(root), "{path:?} leads to {real:?}");
        }
        if kind.is_dir() {
            stays_within(&path, root);
        }
    }
}

/// Few inputs have sums that are right: they are made so.
fn with_checksums(tar: &[u8]) -> Vec<u8> {
    let (mut tar, mut at) = (tar.to_vec(), 0);
    tar.resize(tar.len().next_multiple_of(512), 0);
    while let Some(block) = tar.get_mut(at..at + 512).filter(|block| block.iter().any(|byte| *byte != 0)) {
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        header.set_cksum();
        block.copy_from_slice(header.as_bytes());
        let size = header.entry_size().unwrap_or(0).min(1 << 20);
        at += 512 + usize::try_from(size).unwrap_or(0).next_multiple_of(512);
    }
    tar
}
